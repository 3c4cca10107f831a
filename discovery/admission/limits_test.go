package admission

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// The limits on connections, as numbers, from many networks and from one, and
// what they leave for who is named.
func TestConnectionLimits(t *testing.T) {
	const many = 1000
	for _, c := range []struct {
		what string
		addr func(int) string
		want int
	}{
		{"many networks", func(i int) string { return fmt.Sprintf("/ip4/9.%d.%d.1/tcp/1", i/200, i%200) }, 128},
		{"one", func(i int) string { return fmt.Sprintf("/ip4/9.9.9.%d/tcp/1", i%250) }, 3},
	} {
		h := newHall(t, DefaultLimits, 0)
		for i := range many {
			if err := h.comes(fmt.Sprint(i), c.addr(i)); err != nil {
				t.Fatalf("%s: %v", c.what, err)
			}
		}
		for range 4 {
			if err := h.comes("friend", "/ip4/9.9.8.1/tcp/1"); err != nil {
				t.Errorf("who is recordtest.Name, beside %s: %v", c.what, err)
			}
		}
		if n := h.Fill()[2].Used; n != c.want {
			t.Errorf("%d strangers from %s, want %d", n, c.what, c.want)
		}
		if err := h.ViewSystem(func(s network.ResourceScope) error {
			if n := s.Stat().NumConnsInbound; n != c.want+4 {
				t.Errorf("%d connections from %s count, want %d", n, c.what, c.want+4)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	h := newHall(t, DefaultLimits, 0)
	out := 0
	for i := range many {
		if scope, err := h.OpenConnection(network.DirOutbound, true, ma.StringCast(fmt.Sprintf("/ip4/9.%d.%d.1/tcp/1", i/200, i%200))); err == nil {
			out++
			_ = scope.SetPeer(peer.ID(fmt.Sprint(i)))
		}
	}
	if out != 256 {
		t.Errorf("%d outbound connections, want 256", out)
	}
}
