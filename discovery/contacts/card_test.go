package contacts

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
)

func TestParseCardRefuses(t *testing.T) {
	key := newIdentity(t)
	good, err := MakeCard(key, multiaddrs("/ip4/9.9.9.9/tcp/1"), "A")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(good, cardPrefix))
	if err != nil {
		t.Fatal(err)
	}
	undialable, err := MakeCard(key, multiaddrs("/ip4/0.0.0.0/tcp/1", "/ip4/9.9.9.9/tcp/1/ws"), "")
	if err != nil {
		t.Fatal(err)
	}
	// A card that is signed, but says what Card would not.
	resign := func(edit func([]byte) []byte) string {
		body := edit(append([]byte(nil), raw[:len(raw)-signatureSize]...))
		signature, err := key.Sign(append([]byte(cardDomain), body...))
		if err != nil {
			t.Fatal(err)
		}
		return cardPrefix + base64.RawURLEncoding.EncodeToString(append(body, signature...))
	}
	if _, err := ParseCard(resign(func(b []byte) []byte { return b })); err != nil {
		t.Fatalf("the test cannot sign: %v", err)
	}
	tests := map[string][]string{
		"must begin with": {"", "hello", "12D3KooWKYBwEFenARawxbK6hpUQTK1GK4i1bSDLy72nj7nsTJp9", strings.ToUpper(good), "x" + good, good[1:]},
		"another version": {strings.Replace(good, ":1:", ":2:", 1), cardFamily},
		"incomplete or damaged": {
			cardPrefix, good[:len(good)-1], good[:len(good)-40], good + "A", good + "=", good + "!", good[:60] + "+" + good[61:], good + good,
			resign(func(b []byte) []byte { b[0], b[1] = 0xff, 0xff; return b }),
			resign(func(b []byte) []byte { b[0], b[1] = 0, 0; return b }),
		},
		"too long":         {good + strings.Repeat(" ", maxCardText)},
		"name that cannot": {resign(func(b []byte) []byte { return append(b, '\n') }), resign(func(b []byte) []byte { return append(b, strings.Repeat("x", 64)...) })},
		"no address that":  {undialable},
	}
	for want, cards := range tests {
		for _, card := range cards {
			_, err := ParseCard(card)
			if !errors.Is(err, ErrBadCard) || !strings.Contains(err.Error(), want) {
				t.Errorf("%.60q: got %v, want %q", card, err, want)
			}
		}
	}
	for i := len(cardPrefix); i < len(good); i++ {
		other := byte('A')
		if good[i] == other {
			other = 'B'
		}
		if _, err := ParseCard(good[:i] + string(other) + good[i+1:]); err == nil {
			t.Errorf("accepted with character %d changed", i)
		}
	}
}

func TestParsePeer(t *testing.T) {
	id := "12D3KooWKYBwEFenARawxbK6hpUQTK1GK4i1bSDLy72nj7nsTJp9"
	got, err := ParsePeer(" /dns4/seed.example.org/udp/4001/quic-v1/p2p/" + id + "\n")
	if err != nil || got.ID.String() != id || len(got.Addrs) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := ParsePeer("/p2p/" + id); err != nil || len(got.Addrs) != 0 {
		t.Errorf("no address: got %v, %v", got, err)
	}
	for _, bad := range []string{"", "/", "/ip4/9.9.9.9/tcp/1", "/ip4/9.9.9.9/tcp/1/p2p/x", "/ip4/9.9.9.9/tcp/1/ws/p2p/" + id, "/ip4/0.0.0.0/tcp/1/p2p/" + id, id} {
		if got, err := ParsePeer(bad); err == nil {
			t.Errorf("%q: got %v", bad, got)
		}
	}
}

// Whatever is accepted was signed as it stands, and can be shown and dialled.
func FuzzCard(f *testing.F) {
	key := newIdentity(f)
	for _, name := range []string{"", "Practice A"} {
		card, err := MakeCard(key, multiaddrs("/ip4/9.9.9.9/tcp/1", "/ip6/2a00::1/udp/1/quic-v1"), name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(card)
		f.Add(card[:len(card)-1])
		f.Add(" " + card + "\n")
	}
	f.Add("")
	f.Add(cardPrefix)
	f.Add("anteroom-peer:2:AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseCard(text)
		if err != nil {
			if !errors.Is(err, ErrBadCard) {
				t.Errorf("%v is not ErrBadCard", err)
			}
			return
		}
		if p.ID.Validate() != nil || !validName(p.Name) || len(p.Addrs) > address.Max {
			t.Errorf("accepted %v", p)
		}
		for _, a := range p.Addrs {
			if address.ReachOf(a) == address.Nowhere {
				t.Errorf("accepted address %v", a)
			}
		}
	})
}

func multiaddrs(list ...string) (out []ma.Multiaddr) {
	for _, s := range list {
		out = append(out, ma.StringCast(s))
	}
	return out
}

// newIdentity makes an identity.
func newIdentity(t testing.TB) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
