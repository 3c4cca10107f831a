package discovery

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"anteroom/discovery/contacts"
)

func TestCardRoundTrip(t *testing.T) {
	d := run(t, Config{Announce: []string{"/ip4/9.9.9.9/udp/4001/quic-v1", "/dns4/node.example.org/tcp/4001"}})
	for _, name := range []string{"", "Practice A", "Dr. Zoë’s 診療所"} {
		card, err := d.Card(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(card, " \n") || !strings.HasPrefix(card, "anteroom-peer:1:") {
			t.Errorf("not one word: %q", card)
		}
		wrapped := " \r\n" + card[:20] + "\r\n\t" + card[20:90] + " " + card[90:] + "\n"
		for _, text := range []string{card, wrapped} {
			got, err := contacts.ParseCard(text)
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			want := PeerInfo{ID: d.ID(), Addrs: d.Addrs(), Name: name}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if via, err := contacts.ParsePeer(text); err != nil || via.ID != got.ID {
				t.Errorf("ParsePeer: %v, %v", via, err)
			}
		}
	}
	for _, name := range []string{strings.Repeat("x", 65), "two\nlines", "\u202eevil", "\xff", "a\x00b"} {
		if _, err := d.Card(name); !errors.Is(err, contacts.ErrBadCard) {
			t.Errorf("name %q: got %v", name, err)
		}
	}
}

// A node behind NAT has a card, too: it says whom to recognise.
func TestCardWithoutAddresses(t *testing.T) {
	d := run(t, Config{})
	card, err := d.Card("")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := contacts.ParseCard(card); err != nil || got.ID != d.ID() || len(got.Addrs) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
