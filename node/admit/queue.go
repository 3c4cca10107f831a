package admit

import (
	"container/list"
	"context"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// A Queue lets so many a second pass, and so many of each prefix. When more come
// they wait, and next is who of them owes least for what has passed: first by
// prefix, and within one by address. So whoever comes often waits for those who
// come seldom. It takes constant memory: in rare cases two count as one.
type Queue struct {
	every int64 // nanoseconds, from one to the next
	most  int64 // of them, at once
	rate  *Rate // of each prefix

	seed    maphash.Seed
	started time.Time

	mu      sync.Mutex
	all     Bucket    // of everybody
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
	prefix, addr int // in the tables of a Queue
	at           *list.Element
	come         chan struct{}
}

// NewQueue returns a Queue of perSecond in all and perSecondOf of one prefix, and
// atOnce and atOnceOf after a while in which fewer came.
func NewQueue(perSecond, atOnce, perSecondOf, atOnceOf int) *Queue {
	every := int64(time.Second) / int64(perSecond)
	return &Queue{
		every: every, most: every * int64(atOnce),
		rate: NewRate(perSecondOf, atOnceOf),
		seed: maphash.MakeSeed(), started: time.Now(),
	}
}

// Wait waits for a's turn, or for the end of ctx.
func (q *Queue) Wait(ctx context.Context, a netip.Addr) error {
	w := &turn{
		from:   a,
		prefix: int(maphash.Comparable(q.seed, Prefix(a)) % uint64(len(q.prefixes))),
		addr:   int(maphash.Comparable(q.seed, a) % uint64(len(q.addrs))),
		come:   make(chan struct{}),
	}
	q.mu.Lock()
	w.at = q.waiting.PushBack(w)
	q.serveLocked()
	q.mu.Unlock()
	select {
	case <-w.come:
		return nil
	case <-ctx.Done():
		q.mu.Lock()
		q.waiting.Remove(w.at) // or it has been removed
		q.mu.Unlock()
		return ctx.Err()
	}
}

// serveLocked lets pass who may now, and sees to the others later.
func (q *Queue) serveLocked() {
	now := int64(time.Since(q.started))
	for q.all.May(now, q.every, q.most) {
		w := q.nextLocked()
		if w == nil || !q.rate.Take(w.from) {
			break
		}
		q.all.Take(now, q.every, q.most)
		for _, owed := range []*int64{&q.prefixes[w.prefix], &q.addrs[w.addr]} {
			*owed = min(max(*owed, now)+int64(price), now+int64(memory))
		}
		q.waiting.Remove(w.at)
		close(w.come)
	}
	if q.waiting.Len() > 0 && !q.woken {
		q.woken = true
		time.AfterFunc(time.Duration(q.every), func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.woken = false
			q.serveLocked()
		})
	}
}

// nextLocked returns whose turn it is, or nil if nobody's prefix may have one.
func (q *Queue) nextLocked() (next *turn) {
	for e := q.waiting.Front(); e != nil; e = e.Next() {
		w := e.Value.(*turn)
		if (next == nil || q.beforeLocked(w, next)) && q.rate.May(w.from) {
			next = w
		}
	}
	return next
}

func (q *Queue) beforeLocked(w, than *turn) bool {
	now := int64(time.Since(q.started)) // what is owed for until earlier is paid
	if a, b := max(q.prefixes[w.prefix], now), max(q.prefixes[than.prefix], now); a != b {
		return a < b
	}
	return max(q.addrs[w.addr], now) < max(q.addrs[than.addr], now)
}
