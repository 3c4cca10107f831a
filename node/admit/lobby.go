package admit

import (
	"container/list"
	"net/netip"
	"sync"
)

// A Lobby bounds those who have yet to say what they want, and turns nobody
// away who comes: when it is full, somebody who has said nothing for long gives
// way. So whoever says at once what they want gets in, however many come to stay.
type Lobby struct {
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

// NewLobby returns an empty Lobby for max, maxOf of them from one prefix.
func NewLobby(max, maxOf int) *Lobby {
	return &Lobby{max: max, maxOf: maxOf, of: make(Networks)}
}

// Enter lets one more in. If that is too many of its prefix, the longest-standing
// of that gives way; if it is too many in all, the longest-standing of the prefix
// that has most. Their goAway is called, and Enter waits for them to leave, so
// that there are never more; leave must follow soon after goAway.
func (l *Lobby) Enter(a netip.Addr, goAway func()) (leave func()) {
	v := &visitor{from: Prefix(a), goAway: goAway, gone: make(chan struct{})}
	l.mu.Lock()
	gives := l.givesWayLocked(v.from)
	if gives != nil {
		l.takeOutLocked(gives)
	}
	v.at = l.all.PushBack(v)
	l.of[v.from]++
	l.mu.Unlock()
	if gives != nil {
		gives.goAway()
		<-gives.gone
	}
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.takeOutLocked(v)
		close(v.gone)
	})
}

// givesWayLocked returns who has to, when one more comes from a prefix.
func (l *Lobby) givesWayLocked(p netip.Prefix) *visitor {
	full, crowded := l.all.Len() >= l.max, l.of[p] >= l.maxOf
	if !full && !crowded {
		return nil
	}
	most := l.of.Most()
	for e := l.all.Front(); ; e = e.Next() { // somebody is there
		v := e.Value.(*visitor)
		if crowded && v.from == p || !crowded && l.of[v.from] == most {
			return v
		}
	}
}

func (l *Lobby) takeOutLocked(v *visitor) {
	if v.at == nil {
		return
	}
	l.all.Remove(v.at)
	v.at = nil
	l.of.Remove(v.from)
}

// Size returns how many are there, and how many of the prefix that has most.
func (l *Lobby) Size() (all, most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Len(), l.of.Most()
}
