package invite

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// wrapped holds its content where fmt and json call no methods.
type wrapped struct{ hidden any }

func TestNoPrinterReachesASecret(t *testing.T) {
	inv, err := New()
	if err != nil {
		t.Fatal(err)
	}
	rdv := inv.Host.Rendezvous
	replica := rdv.Replica(rdv.Epoch(time.Unix(1_800_000_000, 0)), 0)
	rdvBytes := rdv.Reveal()

	secrets := map[string][]byte{
		"S":        inv.Link.secret.Reveal(),
		"K_psk":    inv.Host.PSK.Reveal(),
		"K_admit":  inv.Host.Admit.Reveal(),
		"K_hello":  inv.Host.Hello.Reveal(),
		"K_rdv":    rdvBytes[:],
		"private":  inv.Host.private.Reveal(),
		"sign key": replica.sign.Reveal()[:32],
		"seal key": replica.seal.Reveal(),
	}
	values := map[string]any{
		"Secret": inv.Host.PSK, "Link": inv.Link, "Keys": inv.Host.Keys, "RendezvousKey": rdv,
		"HostKeys": inv.Host, "Invite": inv, "Replica": replica,
	}
	for name, v := range values {
		for _, v := range []any{v, &v, wrapped{v}, &wrapped{v}, []any{v}, map[string]any{"k": v}} {
			for _, printed := range prints(t, v) {
				for what, secret := range secrets {
					if spelled(printed, secret) {
						t.Errorf("%s of a %s is printed", what, name)
					}
				}
			}
		}
	}
}

// prints returns v as every printer at hand writes it.
func prints(t *testing.T, v any) []string {
	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%T"} {
		out = append(out, fmt.Sprintf(verb, v))
	}
	if b, err := json.Marshal(v); err == nil { // some are not JSON at all
		out = append(out, string(b))
	}
	var logged bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(h).Info("printed", "err", v)
	}
	return append(out, logged.String())
}

// spelled reports whether text shows b in one of the usual ways.
func spelled(text string, b []byte) bool {
	decimal := strings.Trim(fmt.Sprint(b), "[]")
	goSyntax := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}")
	lower := strings.ToLower(text)
	return strings.Contains(text, string(b)) ||
		strings.Contains(lower, hex.EncodeToString(b)) ||
		strings.Contains(text, decimal) ||
		strings.Contains(text, strings.ReplaceAll(decimal, " ", ",")) ||
		strings.Contains(text, goSyntax) ||
		strings.Contains(text, base64.StdEncoding.EncodeToString(b)[:40]) ||
		strings.Contains(text, base64.RawURLEncoding.EncodeToString(b)[:40])
}

// A test of the test: a plain byte slice is found in every printer's output.
func TestSpelledFindsPlainBytes(t *testing.T) {
	b := randomSecret(32).Reveal()
	for i, printed := range prints(t, b) {
		if octal, binary, typ := i == 8, i == 9, i == 10; octal || binary || typ {
			continue
		}
		if !spelled(printed, b) && !strings.Contains(printed, `\x`) {
			t.Errorf("printer %d hides plain bytes from the test: %s", i, printed)
		}
	}
}

func TestSecretIsItsOwnCopy(t *testing.T) {
	b := bytes.Repeat([]byte{7}, 32)
	s := newSecret(b)
	b[0] = 0
	s.Reveal()[1] = 0
	if !bytes.Equal(s.Reveal(), bytes.Repeat([]byte{7}, 32)) {
		t.Error("a secret changed with what it was made from, or with what it gave out")
	}
}

func TestSecretEqual(t *testing.T) {
	b := randomSecret(32).Reveal()
	s := newSecret(b)
	if !s.Equal(newSecret(b)) {
		t.Error("equal secrets differ")
	}
	for i := range len(b) * 8 {
		c := bytes.Clone(b)
		c[i/8] ^= 1 << (i % 8)
		if s.Equal(newSecret(c)) {
			t.Fatalf("secrets that differ in bit %d are equal", i)
		}
	}
	if s.Equal(newSecret(b[:31])) || s.Equal(newSecret(nil)) {
		t.Error("a part of a secret is equal to it")
	}
}

// What is wiped is cleared where it lies, whoever holds a copy.
func TestWipe(t *testing.T) {
	var b [32]byte
	copy(b[:], randomSecret(32).Reveal())
	key := NewRendezvousKey(&b)
	replica := key.Replica(1, 0)
	copied, other := key, replica
	held := [][]byte{copied.secret.held(), other.sign.held(), other.seal.held()}
	key.Wipe()
	replica.Wipe()
	for i, b := range held {
		if !bytes.Equal(b, make([]byte, len(b))) {
			t.Errorf("secret %d is still there", i)
		}
	}
	if b == [32]byte{} {
		t.Error("the key cleared what it was made from, which is not its own")
	}
}
