package store

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func newSealer(t *testing.T) Sealer {
	t.Helper()
	key := make([]byte, KeySize)
	rand.Read(key)
	s, err := NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedValuesOpenOnlyInTheirPlace(t *testing.T) {
	s := newSealer(t)
	places := rapid.Custom(func(t *rapid.T) Cell {
		// Few letters, so that equal concatenations come up.
		part := rapid.StringMatching(`[ab]{0,2}`)
		return Cell{part.Draw(t, "table"), part.Draw(t, "column"), part.Draw(t, "row")}
	})
	rapid.Check(t, func(t *rapid.T) {
		from, to := places.Draw(t, "from"), places.Draw(t, "to")
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		got, err := s.Unseal(to, s.Seal(from, plain))
		switch {
		case from == to && (err != nil || !bytes.Equal(got, plain)):
			t.Fatalf("got %x, %v, want %x", got, err, plain)
		case from != to && !errors.Is(err, ErrSealBroken):
			t.Fatalf("a value of %v opened in %v", from, to)
		}
	})
}

func TestDamagedSealedValuesDoNotOpen(t *testing.T) {
	s := newSealer(t)
	at := Cell{"t", "c", "r"}
	sealed := s.Seal(at, []byte("plain"))
	for bit := range len(sealed) * 8 {
		damaged := bytes.Clone(sealed)
		damaged[bit/8] ^= 1 << (bit % 8)
		if _, err := s.Unseal(at, damaged); !errors.Is(err, ErrSealBroken) {
			t.Fatalf("opened with bit %d flipped", bit)
		}
	}
	for n := range sealed {
		if _, err := s.Unseal(at, sealed[:n]); !errors.Is(err, ErrSealBroken) {
			t.Fatalf("opened after %d of %d bytes", n, len(sealed))
		}
	}
	if _, err := newSealer(t).Unseal(at, sealed); !errors.Is(err, ErrSealBroken) {
		t.Fatal("opened under another key")
	}
	if bytes.Equal(sealed, s.Seal(at, []byte("plain"))) {
		t.Fatal("the same value sealed twice looks the same")
	}
}

func TestShortKeysAreRefused(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := NewSealer(make([]byte, n)); err == nil {
			t.Errorf("took a key of %d bytes", n)
		}
	}
}

func TestKeysHaveOnePurpose(t *testing.T) {
	s := mustOpen(t, newDir(t))
	seen := map[string]string{}
	for _, purpose := range []string{"db", "index", "audit-mac", "a", "b", ""} {
		key, err := s.Subkey(purpose)
		if err != nil || len(key) != KeySize {
			t.Fatalf("got %d bytes, %v", len(key), err)
		}
		if other, ok := seen[string(key)]; ok {
			t.Errorf("%q and %q have the same key", purpose, other)
		}
		seen[string(key)] = purpose
	}
}

func TestIndexKeepsKindsApart(t *testing.T) {
	s, other := mustOpen(t, newDir(t)), mustOpen(t, newDir(t))
	base := s.Index("ab", []byte("c"))
	for name, got := range map[string][]byte{
		"another kind":   s.Index("xy", []byte("c")),
		"a moved border": s.Index("a", []byte("bc")),
		"another value":  s.Index("ab", []byte("d")),
		"another key":    other.Index("ab", []byte("c")),
	} {
		if bytes.Equal(base, got) {
			t.Errorf("%s has the same index", name)
		}
	}
}
