package room

import (
	"fmt"
	"time"

	"anteroom/rendezvous/wire"
)

// What the practitioner does.

// command acts upon what only the practitioner may say: one thing after the
// other, and nothing from a tab that another has replaced.
func (r *Room) command(host *seat, l *link, body wire.Body) error {
	r.commands <- struct{}{}
	defer func() { <-r.commands }()
	if !r.speaks(host, l) {
		return wire.ErrReplaced
	}
	switch m := body.(type) {
	case *wire.Admit:
		return r.letIn(host, m)
	case *wire.Deny:
		return r.sendAway(m.Member, wire.ErrDenied, EventDeny)
	case *wire.Remove:
		return r.sendAway(m.Member, wire.ErrRemoved, EventRemove)
	case *wire.Hold:
		return r.putAside(m.Member, m.On)
	case *wire.Lock:
		r.lock(m.On)
		return nil
	case *wire.Leave:
		for _, m := range r.stepOut() {
			r.record.Waiting(m)
		}
		return nil
	case *wire.End:
		for _, gone := range r.end() {
			r.record.Released(gone)
			r.record.Note(EventEnd, gone)
		}
		return nil
	}
	return wire.ErrBadMessage
}

// letIn records an admission before anybody hears of it. Whoever loses their
// connection meanwhile is admitted all the same, for when they are back.
func (r *Room) letIn(host *seat, m *wire.Admit) error {
	if err := r.mayAdmit(m.Member); err != nil {
		return err
	}
	if err := r.record.Admitted(m.Member); err != nil {
		return fmt.Errorf("record admission: %w", err)
	}
	return r.admit(host, m.Member, m.SDP)
}

// putAside holds m or ends that. What is on record is never less than what
// holds, so that nobody is let back by the node's starting again.
func (r *Room) putAside(m wire.MemberID, on bool) error {
	if err := r.mayHold(m); err != nil {
		return err
	}
	if on {
		r.record.Held(m, true)
	}
	err := r.hold(m, on)
	if err == nil && !on {
		r.record.Held(m, false)
	}
	return err
}

func (r *Room) sendAway(m wire.MemberID, why *wire.Error, event Event) error {
	if err := r.refuse(m, why); err != nil {
		return err
	}
	r.record.Released(m)
	r.record.Note(event, m)
	return nil
}

// speaks reports whether s is heard through l, and not through a later one.
func (r *Room) speaks(s *seat, l *link) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return s.link == l
}

// mayAdmit says why m cannot be let in now, if so.
func (r *Room) mayAdmit(m wire.MemberID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch s := r.seatLocked(m); {
	case s == nil || !s.waits():
		return wire.ErrNoSuchRoom
	case r.fullLocked():
		return wire.ErrRoomFull
	}
	return nil
}

// admit lets m in, whether or not they are connected at this moment: that they
// may come in is recorded. The answer, if any, is to the offer that m left.
func (r *Room) admit(host *seat, m wire.MemberID, answer string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.seatLocked(m)
	if s == nil || s.state != wire.SeatWaiting {
		return wire.ErrNoSuchRoom // they have left, which is recorded too
	}
	r.admitted++
	s.state, s.order, s.since = wire.SeatAdmitted, r.admitted, time.Now()
	s.offer, s.candidates = nil, nil
	r.tellLocked(s, &wire.Seat{Member: m, State: s.state})
	r.tellLocked(s, introduction(host, "P", s.Key, s.Hash))
	if answer != "" {
		r.tellLocked(s, &wire.Description{Peer: wire.HostID, Kind: "answer", SDP: answer})
	}
	r.introduceGuestLocked(s)
	r.rosterLocked()
	return nil
}

// refuse sends m away, and keeps them from knocking for refusalTime.
func (r *Room) refuse(m wire.MemberID, why *wire.Error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.guestLocked(m)
	if s == nil {
		return wire.ErrNoSuchRoom
	}
	r.refused[m] = refusal{time.Now().Add(refusalTime), why}
	r.clearLocked(s, why)
	return nil
}

// mayHold says why m can neither be held nor let back, if so.
func (r *Room) mayHold(m wire.MemberID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.calledLocked(m)
	return err
}

// calledLocked returns the seat of guest m, who was let in.
func (r *Room) calledLocked(m wire.MemberID) (*seat, error) {
	s := r.guestLocked(m)
	if s == nil || !s.called() {
		return nil, wire.ErrNoSuchRoom
	}
	return s, nil
}

// hold puts m where nobody hears or sees them, or back.
func (r *Room) hold(m wire.MemberID, on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.calledLocked(m)
	if err != nil {
		return err
	}
	s.state = wire.SeatAdmitted
	if on {
		s.state = wire.SeatHeld
	}
	r.tellLocked(s, &wire.Seat{Member: m, State: s.state})
	r.rosterLocked()
	return nil
}

func (r *Room) lock(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.locked = on
	r.rosterLocked()
}

// stepOut returns every admitted guest to the waiting room and says who they
// are: no call goes on that the practitioner has left.
func (r *Room) stepOut() []wire.MemberID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []wire.MemberID
	guests := r.guestsLocked()
	for _, s := range guests {
		if s.called() {
			out = append(out, s.Member)
			s.state, s.since = wire.SeatWaiting, time.Now()
			r.tellLocked(s, &wire.Seat{Member: s.Member, State: s.state})
		}
	}
	for _, s := range guests {
		r.introduceHostLocked(r.hostLocked(), s)
	}
	r.rosterLocked()
	return out
}

// end sends everyone in the call away and returns whose seats are free. Who
// still waits goes on waiting.
func (r *Room) end() []wire.MemberID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var gone []wire.MemberID
	for _, s := range r.guestsLocked() {
		if s.called() {
			gone = append(gone, s.Member)
			r.ended[s.Member] = s.Device
			r.clearLocked(s, wire.ErrEnded)
		}
	}
	return gone
}
