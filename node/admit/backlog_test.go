package admit

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
)

// guests are in a backlog, and leave as soon as they have to.
type guests struct {
	backlog *Backlog
	sent    []int // away, by number
	leave   []func()
}

func (g *guests) enter(a string) {
	n := len(g.leave)
	g.leave = append(g.leave, nil)
	g.leave[n] = g.backlog.Enter(netip.MustParseAddr(a), func() {
		g.sent = append(g.sent, n)
		g.leave[n]()
	})
}

// Of a network that has its share the first one gives way; of all, the first
// one of the network that has most.
func TestBacklog(t *testing.T) {
	g := &guests{backlog: NewBacklog(5, 3)}
	gone := func(want ...int) {
		t.Helper()
		if !slices.Equal(g.sent, want) {
			t.Errorf("sent away: %v, want %v", g.sent, want)
		}
	}
	for _, a := range []string{"203.0.113.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		g.enter(a) // 0 to 3
	}
	gone()
	g.enter("192.0.2.4") // 4: its network has three
	gone(1)
	g.enter("203.0.113.2") // 5
	gone(1)
	g.enter("198.51.100.1") // 6: there are five, and three of one network
	gone(1, 2)
	if all, most := g.backlog.Size(); all != 5 || most != 2 {
		t.Errorf("%d are there, %d of one network", all, most)
	}
	g.enter("198.51.100.2") // 7: of the networks that have two, the first
	gone(1, 2, 0)
	g.leave[3]()
	g.leave[3]()           // twice is once
	g.enter("2001:db8::1") // 8: there is room
	gone(1, 2, 0)
	for _, leave := range g.leave {
		leave()
	}
	if all, most := g.backlog.Size(); all != 0 || most != 0 || len(g.backlog.of) != 0 {
		t.Errorf("%d are left, %d of one network", all, most)
	}
}

// Who comes waits until the one who gives way has left: there are never more.
func TestBacklogIsNeverTooFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewBacklog(1, 1)
		asked := false
		leave := l.Enter(here, func() { asked = true })
		in := false
		go func() {
			l.Enter(elsewhere, nil)
			in = true
		}()
		synctest.Wait()
		if !asked || in {
			t.Errorf("asked to go: %v; the next one is in: %v", asked, in)
		}
		leave()
		synctest.Wait()
		if !in {
			t.Error("the next one is not let in")
		}
	})
}
