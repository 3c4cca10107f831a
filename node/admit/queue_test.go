package admit

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// queue is of those who wait for their turn, and tells who got one.
type queue struct {
	turns  *Queue
	served []string
}

func (q *queue) wait(ctx context.Context, who ...string) {
	for _, a := range who {
		go func() { // ends with ctx
			if q.turns.Wait(ctx, netip.MustParseAddr(a)) == nil {
				q.served = append(q.served, a)
			}
		}()
		synctest.Wait()
	}
}

// Who has had least is next: first by network, then by address.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{turns: NewQueue(10, 2, 5, 2)}
		const a1, a2, b1, b2, c1 = "192.0.2.1", "192.0.2.2", "198.51.100.1", "198.51.100.2", "203.0.113.1"
		check := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(q.served, want) {
				t.Errorf("served %v, want %v", q.served, want)
			}
			q.served = nil
		}
		q.wait(t.Context(), a1, a1)
		check(a1, a1) // at once
		q.wait(t.Context(), a1, a1, b1, a2, b1, b2, c1)
		check()
		for _, want := range []string{b1, c1, b2, a2, b1, a1, a1} {
			time.Sleep(100 * time.Millisecond)
			check(want)
		}
		time.Sleep(time.Hour)
		q.wait(t.Context(), a1, a1, b1)
		check(a1, a1)
	})
}

// A network has so many a second, however few others come; and who does not
// wait any longer takes nobody's turn.
func TestQueueOfOneNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{turns: NewQueue(20, 10, 5, 2)}
		ctx, cancel := context.WithCancel(t.Context())
		var many []string
		for i := range 100 {
			many = append(many, fmt.Sprint("192.0.2.", i))
		}
		q.wait(ctx, many...)
		time.Sleep(2*time.Second + time.Millisecond)
		synctest.Wait()
		if n := len(q.served); n < 11 || n > 12 {
			t.Errorf("%d were served in two seconds", n)
		}
		cancel()
		synctest.Wait()
		q.served = nil
		time.Sleep(time.Second)
		q.wait(t.Context(), "192.0.2.200")
		if len(q.served) != 1 || q.turns.waiting.Len() != 0 {
			t.Errorf("served %v, and %d wait", q.served, q.turns.waiting.Len())
		}
	})
}

// A network that has had its share of a second holds up nobody, even one that
// owes more.
func TestQueueHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{turns: NewQueue(20, 10, 5, 3)}
		const a, b = "192.0.2.1", "198.51.100.1"
		q.wait(t.Context(), b, b, b)
		time.Sleep(time.Second)
		q.wait(t.Context(), b, a, a, a, a, b)
		if want := []string{b, b, b, b, a, a, a, b}; !slices.Equal(q.served, want) {
			t.Errorf("served %v, want %v", q.served, want)
		}
		time.Sleep(time.Second)
	})
}
