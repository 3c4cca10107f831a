package limit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewRate(time.Second, 3)
		burst := func(p peer.ID) (n int) {
			for l.Allow(p) {
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
			if !l.Allow(peer.ID(fmt.Sprint(i))) {
				t.Fatalf("peer %d refused", i)
			}
		}
		if l.Allow("one too many") {
			t.Error("no bound on peers")
		}
		time.Sleep(time.Minute) // virtual
		if !l.Allow("one too many") || len(l.peers) != 1 {
			t.Errorf("%d peers remembered after all were idle", len(l.peers))
		}
	})
}

func TestCounter(t *testing.T) {
	c := NewCount(func(peer.ID) int { return 2 })
	for i, want := range []bool{true, true, false} {
		if got := c.Enter("a"); got != want {
			t.Errorf("number %d: got %v, want %v", i, got, want)
		}
	}
	if !c.Enter("b") {
		t.Error("one peer counts against another")
	}
	if c.Leave("a"); !c.Enter("a") {
		t.Error("no room after one left")
	}
	c.Leave("a")
	c.Leave("a")
	c.Leave("b")
	if len(c.n) != 0 {
		t.Errorf("remembers %d peers who have nothing going on", len(c.n))
	}
}
