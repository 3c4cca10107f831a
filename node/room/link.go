package room

import "anteroom/rendezvous/wire"

// A link is one connection of a seat's member.
type link struct {
	id   wire.MemberID
	conn wire.Conn
	act  func(*seat, *link, wire.Body) error // does what only they may say
	gone chan struct{}                       // closed when the member has been told that it is over

	// Guarded by the room's mu.
	out     [][]byte // what they have yet to hear; at queueLen the member is removed
	pumping bool     // somebody sends that
	deaf    bool     // nothing can be sent any more
	over    error    // why nothing more is sent then; set once
}

// tellLocked sends body to s behind its caller's back, or removes s if it has
// fallen behind.
func (r *Room) tellLocked(s *seat, body wire.Body) {
	if s == nil || s.link == nil {
		return
	}
	l := s.link
	frame, err := wire.Encode(body)
	if err != nil {
		r.log.Error("message not sent", "member", s.Member, "err", err)
		r.kickLocked(l, wire.ErrInternal)
		return
	}
	if l.queueLocked(frame) {
		go r.pump(l) // ends when everything is sent
	}
}

// queueLocked adds frame to what l's member is to hear. It reports whether the
// caller has to see that it is sent, by pump.
func (l *link) queueLocked(frame []byte) (idle bool) {
	if l.over != nil || l.deaf {
		return false
	}
	if len(l.out) == queueLen {
		l.over = wire.ErrTooSlow
		return false // somebody sends, and will see
	}
	l.out = append(l.out, frame)
	idle, l.pumping = !l.pumping, true
	return idle
}

// kick ends l once what is queued has been sent. The first reason counts.
func (r *Room) kick(l *link, reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kickLocked(l, reason)
}

func (r *Room) kickLocked(l *link, reason error) {
	if l.over != nil {
		return
	}
	l.over = reason
	if !l.pumping {
		l.pumping = true
		go r.pump(l) // ends when the member has been told
	}
}

// deafen notes that nothing reaches l's member any more.
func (r *Room) deafen(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.out, l.deaf = nil, true
}

// next takes the first frame out of l's queue. If there is none, nobody sends
// any more; but if l is over, that is still to be said.
func (r *Room) next(l *link) (frame []byte, over error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(l.out) > 0 {
		frame, l.out = l.out[0], l.out[1:]
		return frame, nil
	}
	l.out, l.pumping = nil, false // nothing is kept for who waits
	return nil, l.over
}
