package discovery

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(time.Second, 3)
		burst := func(p peer.ID) (n int) {
			for l.allow(p) {
				n++
			}
			return n
		}
		if a, b := burst("a"), burst("b"); a != 3 || b != 3 {
			t.Errorf("got %d and %d, want 3 each", a, b)
		}
		time.Sleep(2 * time.Second) // virtual
		if n := burst("a"); n != 2 {
			t.Errorf("got %d after two seconds, want 2", n)
		}
		for i := range maxLimited - 2 {
			if !l.allow(peer.ID(fmt.Sprint(i))) {
				t.Fatalf("peer %d refused", i)
			}
		}
		if l.allow("one too many") {
			t.Error("no bound on peers")
		}
		time.Sleep(time.Minute) // virtual
		if !l.allow("one too many") || len(l.peers) != 1 {
			t.Errorf("%d peers remembered after all were idle", len(l.peers))
		}
	})
}

func TestCounter(t *testing.T) {
	c := newCounter(func(peer.ID) int { return 2 })
	for i, want := range []bool{true, true, false} {
		if got := c.enter("a"); got != want {
			t.Errorf("number %d: got %v, want %v", i, got, want)
		}
	}
	if !c.enter("b") {
		t.Error("one peer counts against another")
	}
	if c.leave("a"); !c.enter("a") {
		t.Error("no room after one left")
	}
	c.leave("a")
	c.leave("a")
	c.leave("b")
	if len(c.n) != 0 {
		t.Errorf("remembers %d peers who have nothing going on", len(c.n))
	}
}

// The limits on connections, as numbers, from many addresses and from one.
func TestConnectionLimits(t *testing.T) {
	const many = 1000
	open := func(dir network.Direction, addr func(int) string) (n int) {
		limits, err := newResourceManager(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer limits.Close()
		for i := range many {
			scope, err := limits.OpenConnection(dir, true, ma.StringCast(addr(i)))
			if err != nil {
				continue
			}
			if scope.SetPeer(peer.ID(fmt.Sprint(i))) == nil {
				n++
			} else {
				scope.Done()
			}
		}
		return n
	}
	apart := func(i int) string { return fmt.Sprintf("/ip4/9.%d.%d.1/tcp/1", i/200, i%200) }
	one := func(int) string { return "/ip4/9.9.9.9/tcp/1" }
	if got := open(network.DirInbound, apart); got != 128 {
		t.Errorf("%d inbound connections, want 128", got)
	}
	if got := open(network.DirOutbound, apart); got != 256 {
		t.Errorf("%d outbound connections, want 256", got)
	}
	if got := open(network.DirInbound, one); got != 8 {
		t.Errorf("%d inbound connections from one address, want 8", got)
	}
}
