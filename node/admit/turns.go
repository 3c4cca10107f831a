package admit

import (
	"container/list"
	"context"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Turns lets so many a second pass, and so many of each prefix. When more come
// they wait, and next is who of them owes least for what has passed: first by
// prefix, and within one by address. So whoever comes often waits for those who
// come seldom. It takes constant memory: in rare cases two count as one.
type Turns struct {
	every int64 // nanoseconds, from one to the next
	most  int64 // of them, at once
	pace  *Pace // of each prefix

	seed    maphash.Seed
	started time.Time

	mu      sync.Mutex
	paid    int64     // until when what has passed is paid for, in nanoseconds since started
	waiting list.List // of *turn; who came first is first
	woken   bool      // serve will be called

	// Until when what has passed is owed for, in nanoseconds since started.
	prefixes, addrs [1 << 12]int64
}

// price is what one turn counts for, and memory how long it may take until all
// that has passed is forgotten: a browser that opens some connections owes less
// than whoever goes on opening them.
const price, memory = 10 * time.Second, 5 * time.Minute

type turn struct {
	from         netip.Addr
	prefix, addr int // in the tables of Turns
	at           *list.Element
	come         chan struct{}
}

// NewTurns returns Turns of perSecond in all and perSecondOf of one prefix, and
// atOnce and atOnceOf after a while in which fewer came.
func NewTurns(perSecond, atOnce, perSecondOf, atOnceOf int) *Turns {
	every := int64(time.Second) / int64(perSecond)
	return &Turns{
		every: every, most: every * int64(atOnce),
		pace: NewPace(perSecondOf, atOnceOf),
		seed: maphash.MakeSeed(), started: time.Now(),
	}
}

// Wait waits for a's turn, or for the end of ctx.
func (t *Turns) Wait(ctx context.Context, a netip.Addr) error {
	w := &turn{
		from:   a,
		prefix: int(maphash.Comparable(t.seed, Prefix(a)) % uint64(len(t.prefixes))),
		addr:   int(maphash.Comparable(t.seed, a) % uint64(len(t.addrs))),
		come:   make(chan struct{}),
	}
	t.mu.Lock()
	w.at = t.waiting.PushBack(w)
	t.serveLocked()
	t.mu.Unlock()
	select {
	case <-w.come:
		return nil
	case <-ctx.Done():
		t.mu.Lock()
		t.waiting.Remove(w.at) // or it has been removed
		t.mu.Unlock()
		return ctx.Err()
	}
}

// serveLocked lets pass who may now, and sees to the others later.
func (t *Turns) serveLocked() {
	now := int64(time.Since(t.started))
	for max(t.paid, now)+t.every-now <= t.most {
		w := t.nextLocked()
		if w == nil || !t.pace.Take(w.from) {
			break
		}
		t.paid = max(t.paid, now) + t.every
		for _, owed := range []*int64{&t.prefixes[w.prefix], &t.addrs[w.addr]} {
			*owed = min(max(*owed, now)+int64(price), now+int64(memory))
		}
		t.waiting.Remove(w.at)
		close(w.come)
	}
	if t.waiting.Len() > 0 && !t.woken {
		t.woken = true
		time.AfterFunc(time.Duration(t.every), func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.woken = false
			t.serveLocked()
		})
	}
}

// nextLocked returns whose turn it is, or nil if nobody's prefix may have one.
func (t *Turns) nextLocked() (next *turn) {
	for e := t.waiting.Front(); e != nil; e = e.Next() {
		w := e.Value.(*turn)
		if (next == nil || t.beforeLocked(w, next)) && t.pace.May(w.from) {
			next = w
		}
	}
	return next
}

func (t *Turns) beforeLocked(w, than *turn) bool {
	now := int64(time.Since(t.started)) // what is owed for until earlier is paid
	if a, b := max(t.prefixes[w.prefix], now), max(t.prefixes[than.prefix], now); a != b {
		return a < b
	}
	return max(t.addrs[w.addr], now) < max(t.addrs[than.addr], now)
}
