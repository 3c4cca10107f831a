package httpui

import (
	"container/list"
	"net/netip"
	"sync"

	"anteroom/node/admit"
)

// places keeps a Cap twice: for strangers, and for those who have proved
// something that a stranger cannot. When there are too many strangers, whoever
// has been still for the longest time gives way to the next one, so nobody can
// shut a door by waiting in it. A stranger never takes a place of the others.
type places struct {
	cap Cap

	mu               sync.Mutex
	strangers, known hall
}

// A hall is the places of one kind; guarded by the mu of its places.
type hall struct {
	all *list.List // of *place; who has been still for the longest time is first
	by  admit.Networks
}

// A place is one of something that is open. Its fields are guarded by the mu
// of its places.
type place struct {
	from   netip.Prefix
	hangUp func() // must not block
	hall   *hall  // nil: the place has been given up
	at     *list.Element
	busy   int // how much of theirs is being answered
}

func newPlaces(c, otherwise Cap) *places {
	if c == (Cap{}) {
		c = otherwise
	}
	return &places{
		cap:       c,
		strangers: hall{list.New(), admit.Networks{}},
		known:     hall{list.New(), admit.Networks{}},
	}
}

// limit is how many places of each kind there are for p.
func (c Cap) limit(p netip.Prefix) int {
	switch p {
	case loopback:
		return c.Loopback
	case trusted:
		return c.Total
	}
	return c.PerPrefix
}

// take gives somebody from p a place until give. hangUp is called if a stranger
// has to leave it before. Who is known, and finds those places taken, is given
// one as a stranger.
func (ps *places) take(p netip.Prefix, known bool, hangUp func()) *place {
	ps.mu.Lock()
	it := &place{from: p, hangUp: hangUp}
	var goes *place
	if known && ps.roomLocked(&ps.known, p) {
		ps.known.enter(it)
	} else {
		goes = ps.makeRoomLocked(p)
		ps.strangers.enter(it)
	}
	ps.mu.Unlock()
	if goes != nil {
		goes.hangUp()
	}
	return it
}

// prove gives a stranger who is none any more a place that strangers cannot
// take, if there is one.
func (ps *places) prove(it *place) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if it.hall == &ps.strangers && ps.roomLocked(&ps.known, it.from) {
		it.leave()
		ps.known.enter(it)
	}
}

// answering notes that something of somebody's is being answered, until done:
// those who only wait give way first.
func (ps *places) answering(it *place) (done func()) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	it.busy++
	return func() {
		ps.mu.Lock()
		defer ps.mu.Unlock()
		it.busy--
		if it.hall != nil {
			it.hall.all.MoveToBack(it.at)
		}
	}
}

// give gives a place up. It may be called again.
func (ps *places) give(it *place) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	it.leave()
}

func (ps *places) roomLocked(h *hall, p netip.Prefix) bool {
	return h.all.Len() < ps.cap.Total && h.by[p] < ps.cap.limit(p)
}

// makeRoomLocked takes the place of the stranger who has to give way to one
// from p, and returns it; nil if there is room.
func (ps *places) makeRoomLocked(p netip.Prefix) (goes *place) {
	if ps.roomLocked(&ps.strangers, p) {
		return nil
	}
	neighbour := ps.strangers.by[p] >= ps.cap.limit(p) // has to be of the same network
	for e := ps.strangers.all.Front(); e != nil; e = e.Next() {
		it := e.Value.(*place)
		if neighbour && it.from != p {
			continue
		}
		if it.busy == 0 {
			goes = it
			break
		}
		if goes == nil {
			goes = it // unless somebody waits
		}
	}
	goes.leave()
	return goes
}

func (h *hall) enter(it *place) {
	it.hall, it.at = h, h.all.PushBack(it)
	h.by[it.from]++
}

func (it *place) leave() {
	h := it.hall
	if h == nil {
		return
	}
	it.hall = nil
	h.all.Remove(it.at)
	h.by.Remove(it.from)
}

// A Fill says how much of a limit is used.
type Fill struct {
	Name      string // the key of the configuration, and of whom
	Used, Max int
}

// fill says how full ps is, whose keys begin with name. Of the networks it tells
// the fullest, and not which that is.
func (ps *places) fill(name string) []Fill {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	fullest, here := 0, 0
	for _, h := range []*hall{&ps.known, &ps.strangers} {
		for p, n := range h.by {
			if p != loopback && p != trusted {
				fullest = max(fullest, n)
			}
		}
		here = max(here, h.by[loopback])
	}
	return []Fill{
		{name, ps.known.all.Len(), ps.cap.Total},
		{name + " (strangers)", ps.strangers.all.Len(), ps.cap.Total},
		{name + "_per_network", fullest, ps.cap.PerPrefix},
		{name + "_loopback", here, ps.cap.Loopback},
	}
}
