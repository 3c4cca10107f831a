package admit

import (
	"container/list"
	"net/netip"
	"sync"
)

// A Backlog bounds those who have yet to say what they want, and turns nobody
// away who comes: when it is full, somebody who has said nothing for long gives
// way. So whoever says at once what they want gets in, however many come to stay.
type Backlog struct {
	max, maxOf int

	mu  sync.Mutex
	all list.List // of *visitor; the one who has been here longest first
	of  Networks
}

type visitor struct {
	from   netip.Prefix
	at     *list.Element // in all; nil: not there any more
	goAway func()
	gone   chan struct{}
}

// NewBacklog returns an empty Backlog for max, maxOf of them from one prefix.
func NewBacklog(max, maxOf int) *Backlog {
	return &Backlog{max: max, maxOf: maxOf, of: make(Networks)}
}

// Enter lets one more in. If that is too many of its prefix, the longest-standing
// of that gives way; if it is too many in all, the longest-standing of the prefix
// that has most. Their goAway is called, and Enter waits for them to leave, so
// that there are never more; leave must follow soon after goAway.
func (b *Backlog) Enter(a netip.Addr, goAway func()) (leave func()) {
	v := &visitor{from: Prefix(a), goAway: goAway, gone: make(chan struct{})}
	b.mu.Lock()
	gives := b.givesWayLocked(v.from)
	if gives != nil {
		b.takeOutLocked(gives)
	}
	v.at = b.all.PushBack(v)
	b.of[v.from]++
	b.mu.Unlock()
	if gives != nil {
		gives.goAway()
		<-gives.gone
	}
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.takeOutLocked(v)
		close(v.gone)
	})
}

// givesWayLocked returns who has to, when one more comes from a prefix.
func (b *Backlog) givesWayLocked(p netip.Prefix) *visitor {
	full, crowded := b.all.Len() >= b.max, b.of[p] >= b.maxOf
	if !full && !crowded {
		return nil
	}
	most := b.of.Most()
	for e := b.all.Front(); ; e = e.Next() { // somebody is there
		v := e.Value.(*visitor)
		if crowded && v.from == p || !crowded && b.of[v.from] == most {
			return v
		}
	}
}

func (b *Backlog) takeOutLocked(v *visitor) {
	if v.at == nil {
		return
	}
	b.all.Remove(v.at)
	v.at = nil
	b.of.Remove(v.from)
}

// Size returns how many are there, and how many of the prefix that has most.
func (b *Backlog) Size() (all, most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Len(), b.of.Most()
}
