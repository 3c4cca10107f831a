package seal

import "testing"

// TestBindingMACDependsOnEverything changes one input at a time. The vectors
// say what the value is; this says that nothing is left out.
func TestBindingMACDependsOnEverything(t *testing.T) {
	type input struct {
		key           [32]byte
		role          string
		h, self, peer [32]byte
	}
	base := input{[32]byte{1}, RoleHost, [32]byte{2}, [32]byte{3}, [32]byte{4}}
	mac := func(in input) [32]byte { return BindingMAC(in.key, in.role, in.h, in.self, in.peer) }
	for name, change := range map[string]func(*input){
		"key":                  func(in *input) { in.key[31]++ },
		"role":                 func(in *input) { in.role = RoleGuest },
		"handshake":            func(in *input) { in.h[31]++ },
		"own fingerprint":      func(in *input) { in.self[31]++ },
		"peer's fingerprint":   func(in *input) { in.peer[31]++ },
		"fingerprints swapped": func(in *input) { in.self, in.peer = in.peer, in.self },
	} {
		in := base
		change(&in)
		if mac(in) == mac(base) {
			t.Errorf("%s: the MAC did not change", name)
		}
	}
}

func TestCompareDependsOnEverything(t *testing.T) {
	var base [6][32]byte
	for i := range base {
		base[i][0] = byte(i + 1)
	}
	code := func(in [6][32]byte) CompareCode { return Compare(in[0], in[1], in[2], in[3], in[4], in[5]) }
	for i := range base {
		in := base
		in[i][31]++
		if got, want := code(in), code(base); got.Digits == want.Digits || got.Symbols == want.Symbols {
			t.Errorf("input %d: the code did not change", i)
		}
	}
	for _, s := range code(base).Symbols {
		if s < 0 || s > 63 {
			t.Errorf("symbol %d", s)
		}
	}
	if d := code(base).Digits; len(d) != 9 {
		t.Errorf("digits %q", d)
	}
	h, n := [32]byte{1}, [32]byte{2}
	if CompareCommit(h, n) == CompareCommit(n, h) {
		t.Error("the commitment does not tell handshake and nonce apart")
	}
}
