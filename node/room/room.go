// Package room holds the waiting room and the membership of one appointment.
// It knows connections and messages, and nothing of networks or storage.
package room

import (
	"bytes"
	"log/slog"
	"slices"
	"sync"
	"time"

	"anteroom/rendezvous/wire"
)

const (
	// queueLen is how many messages a member may be behind. A practitioner who
	// returns hears of three guests at once, each with an offer and up to
	// wire.MaxCandidates candidates.
	queueLen = 4 * (wire.MaxCandidates + 8)

	// seatGrace is how long a seat outlives its Conn, so that a browser that
	// changes networks finds it again. Longer than ICE takes to give up (~30 s).
	seatGrace = 45 * time.Second

	// refusalTime is how long a guest who was denied or removed cannot knock again.
	refusalTime = 30 * time.Second
)

// A Recorder keeps what must outlive the room. Its methods may block; the room
// calls them from its members' goroutines, timers and TurnAway, and never while
// it is locked.
type Recorder interface {
	// Seated notes that g's device holds the seat. If it fails, g has no seat.
	Seated(g *Guest) error
	// Admitted notes that m is let in. If it fails, m is not let in.
	Admitted(m wire.MemberID) error
	// Waiting notes that m, who was let in, waits again. The seat stays theirs.
	Waiting(m wire.MemberID)
	// Held notes that m, who was let in, is put aside, or is not any more.
	Held(m wire.MemberID, on bool)
	// Released notes that m's seat is free again for any device.
	Released(m wire.MemberID)
	// Note adds an event to the audit trail.
	Note(event Event, m wire.MemberID)
}

// An Event is something that the audit trail wants to know.
type Event string

const (
	EventKnock       Event = "knock"
	EventReturn      Event = "return"
	EventOtherDevice Event = "other-device"
	EventDeny        Event = "deny"
	EventRemove      Event = "remove"
	EventLeave       Event = "leave"
	EventEnd         Event = "end"
)

// A Guest is the holder of a link who asks for their seat.
type Guest struct {
	Member      wire.MemberID
	Name        string // what they say they are called
	Label       string // what the practice calls them
	Fingerprint []byte // SHA-256 of their DTLS certificate

	// Key and Hash bind their media with the practitioner's: k_confirm and the
	// handshake hash of their sealed channel.
	Key, Hash []byte

	// Device is what the Recorder remembers their device by, and Returning is set
	// if it proved that it held this seat before.
	Device    []byte
	Returning bool
}

// A Host is the practitioner, in one tab of their browser.
type Host struct {
	Name        string
	Fingerprint []byte // as a Guest's
	Tab         []byte
	Take        bool          // the room over from another tab
	Welcome     *wire.Welcome // what they hear first, if it is not nil
}

// A Room is a set of seats and the order in which their members hear of each
// other.
//
// It is a monitor: every method takes mu, and none but Close blocks or calls out
// meanwhile. Members hear through their queues, so all of them hear the same things in
// the same order, and one whose queue is full is removed: no member can hold
// up another. A room has no goroutine of its own.
type Room struct {
	record Recorder
	log    *slog.Logger

	commands  chan struct{}  // capacity 1; full while a command is done and recorded, so that both come in one order
	recording sync.WaitGroup // what Close waits for; joined with mu held, while closed is nil

	mu       sync.Mutex
	seats    []*seat // in the order they were taken
	locked   bool
	closed   error // why nobody can enter any more
	admitted int   // counts admissions: who came first introduces as "H"
	refused  map[wire.MemberID]refusal
	ended    map[wire.MemberID][]byte // by which device each was in a call that was ended
}

type refusal struct {
	until time.Time
	why   error
}

// A seat belongs to one member for as long as they may come back. Guarded by
// the room's mu.
type seat struct {
	Guest         // who sits here; of the practitioner, their Member, Name and Fingerprint
	tab    []byte // the practitioner's
	state  wire.SeatState
	since  time.Time
	order  int  // of admission
	alarm  bool // another device tried to take this seat
	link   *link
	expiry *time.Timer // runs while link is nil

	// offer and candidates are what a waiting guest left for the
	// practitioner. They tell the guest nothing and the practitioner's page
	// everything it needs to answer at once.
	offer      *wire.Description
	candidates []*wire.Candidate
}

// A Kept seat was taken before the node stopped.
type Kept struct {
	Guest
	Admitted bool
	Held     bool // and put aside
}

// New returns a room in which the given seats are kept for the devices that
// hold them.
func New(record Recorder, log *slog.Logger, kept []Kept) *Room {
	r := &Room{
		record: record, log: log, commands: make(chan struct{}, 1),
		refused: make(map[wire.MemberID]refusal), ended: make(map[wire.MemberID][]byte),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range kept {
		s := &seat{Guest: k.Guest, state: wire.SeatWaiting, since: time.Now()}
		if k.Admitted {
			r.admitted++
			s.state, s.order = wire.SeatAdmitted, r.admitted
		}
		if k.Admitted && k.Held {
			s.state = wire.SeatHeld
		}
		r.seats = append(r.seats, s)
		r.keepLocked(s)
	}
	return r
}

// Close sends everyone away with reason, and lets nobody in again. It returns
// when all that somebody was told is recorded.
func (r *Room) Close(reason *wire.Error) {
	r.close(reason)
	r.recording.Wait()
}

func (r *Room) close(reason *wire.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = reason
	for _, s := range r.seats {
		r.stopLocked(s, reason)
	}
	r.seats = nil
}

// begin has Close wait for what is about to be done and recorded, until done. In
// a closed room nothing begins: the error is why.
func (r *Room) begin() (done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed != nil {
		return nil, r.closed
	}
	r.recording.Add(1)
	return r.recording.Done, nil
}

// Empty reports whether nobody is in the room and no seat is kept.
func (r *Room) Empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seats) == 0
}

// Waiting returns who can be admitted now.
func (r *Room) Waiting() []wire.MemberID {
	return r.members(func(s *seat) bool { return s.waits() })
}

// Present returns which guests are admitted, whether connected or away.
func (r *Room) Present() []wire.MemberID {
	return r.members(func(s *seat) bool { return s.called() })
}

func (r *Room) members(of func(*seat) bool) []wire.MemberID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []wire.MemberID
	for _, s := range r.seats {
		if of(s) {
			ids = append(ids, s.Member)
		}
	}
	return ids
}

// Occupied reports whether m's seat is held, so that another device would be
// turned away.
func (r *Room) Occupied(m wire.MemberID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seatLocked(m) != nil
}

// Tell tells whoever is served through conn, and reports whether that is anybody.
func (r *Room) Tell(conn wire.Conn, body wire.Body) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.seats {
		if s.link != nil && s.link.conn == conn {
			r.tellLocked(s, body)
			return true
		}
	}
	return false
}

// Dismiss sends m away with reason, as when their invite is revoked.
func (r *Room) Dismiss(m wire.MemberID, reason *wire.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.seatLocked(m); s != nil {
		r.clearLocked(s, reason)
	}
}

// TurnAway sends everyone who waits away with reason. If the practitioner is
// here, or may be back in a moment, it does nothing.
func (r *Room) TurnAway(reason *wire.Error) {
	done, err := r.begin()
	if err != nil {
		return // everyone has been sent away
	}
	defer done()
	for _, m := range r.turnAway(reason) {
		r.record.Released(m)
		r.record.Note(EventEnd, m)
	}
}

func (r *Room) turnAway(reason *wire.Error) (gone []wire.MemberID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hostLocked() != nil {
		return nil
	}
	for _, s := range slices.Clone(r.seats) {
		if s.state == wire.SeatWaiting {
			gone = append(gone, s.Member)
			r.clearLocked(s, reason)
		}
	}
	return gone
}

// takeHost gives h the practitioner's seat and hears them through l.
func (r *Room) takeHost(h *Host, l *link) (*seat, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.hostLocked()
	switch {
	case r.closed != nil:
		return nil, r.closed
	case s != nil && s.link != nil && !h.Take && !slices.Equal(s.tab, h.Tab):
		return nil, wire.ErrHostElsewhere
	}
	s = r.sitLocked(s, l, Guest{Member: wire.HostID, Name: h.Name, Fingerprint: h.Fingerprint})
	s.state, s.tab = wire.SeatAdmitted, h.Tab
	if h.Welcome != nil {
		r.tellLocked(s, h.Welcome)
	}
	for _, guest := range r.guestsLocked() {
		r.introduceHostLocked(s, guest)
	}
	r.rosterLocked()
	return s, nil
}

// take gives g their seat and hears them through l.
func (r *Room) take(g *Guest, l *link) (*seat, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed != nil {
		return nil, r.closed
	}
	s := r.seatLocked(g.Member)
	if err := r.mayKnockLocked(s, g); err != nil {
		return nil, err
	}
	s = r.sitLocked(s, l, *g)
	r.tellLocked(s, &wire.Seat{Member: s.Member, State: s.state})
	r.introduceHostLocked(r.hostLocked(), s)
	r.introduceGuestLocked(s)
	r.rosterLocked()
	return s, nil
}

// sitLocked puts who into s, or into a new seat if that is nil, in place of whoever
// was heard there.
func (r *Room) sitLocked(s *seat, l *link, who Guest) *seat {
	if s == nil {
		s = &seat{state: wire.SeatWaiting, since: time.Now()}
		r.seats = append(r.seats, s)
	} else {
		r.stopLocked(s, wire.ErrReplaced)
		s.offer, s.candidates = nil, nil
	}
	s.Guest, s.link = who, l
	return s
}

// mayKnock says why g cannot have a seat now. If another device has it, both that
// device and the practitioner are told.
func (r *Room) mayKnock(g *Guest) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mayKnockLocked(r.seatLocked(g.Member), g)
}

// mayKnockLocked says why g may not have seat s, which is nil if free.
func (r *Room) mayKnockLocked(s *seat, g *Guest) error {
	if s != nil && !g.Returning {
		s.alarm = true
		r.tellLocked(s, &wire.Alarm{Member: s.Member})
		r.tellLocked(r.hostLocked(), &wire.Alarm{Member: s.Member})
		r.rosterLocked()
		return wire.ErrSeatTaken
	}
	if no, ok := r.refused[g.Member]; ok && time.Now().Before(no.until) {
		return no.why
	}
	// A device that was away when its call was ended comes back to hear of it.
	if s == nil && len(g.Device) > 0 && bytes.Equal(r.ended[g.Member], g.Device) {
		delete(r.ended, g.Member)
		return wire.ErrEnded
	}
	if r.locked && s == nil {
		return wire.ErrRoomLocked
	}
	return nil
}

// describe carries a description from one member to another.
func (r *Room) describe(from *seat, d wire.Description) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	to, err := r.peerLocked(from, d.Peer)
	if err != nil {
		return err
	}
	d.Peer = from.Member
	if from.state == wire.SeatWaiting {
		if d.Kind != "offer" {
			return wire.ErrBadMessage
		}
		from.offer, from.candidates = &d, nil
	}
	r.tellLocked(to, &d)
	return nil
}

// candidate carries an ICE candidate from one member to another.
func (r *Room) candidate(from *seat, c wire.Candidate) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	to, err := r.peerLocked(from, c.Peer)
	if err != nil {
		return err
	}
	c.Peer = from.Member
	if from.state == wire.SeatWaiting {
		if len(from.candidates) == wire.MaxCandidates {
			return wire.ErrTooMany
		}
		from.candidates = append(from.candidates, &c)
	}
	r.tellLocked(to, &c)
	return nil
}

// peerLocked returns the seat of the member that from may send to. A waiting
// guest may send to the practitioner, and nobody to a waiting guest.
func (r *Room) peerLocked(from *seat, id wire.MemberID) (*seat, error) {
	to := r.seatLocked(id)
	switch {
	case to == from:
		return nil, wire.ErrBadMessage
	case from.state == wire.SeatWaiting && id == wire.HostID:
		return to, nil // nil while the practitioner is away: the room keeps it
	case to == nil, from.state == wire.SeatWaiting, to.state == wire.SeatWaiting:
		return nil, wire.ErrNoSuchRoom
	}
	return to, nil
}

// disconnect notes that l has ended, and keeps the seat.
func (r *Room) disconnect(s *seat, l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.link != l {
		return // replaced, or sent away
	}
	s.link = nil
	r.keepLocked(s)
	r.rosterLocked()
}

// leave frees s, whose member said goodbye on l, and reports whether it did: who
// was replaced or sent away has no seat to leave.
func (r *Room) leave(s *seat, l *link) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.link != l {
		return false
	}
	r.clearLocked(s, errLeft)
	return true
}

// keepLocked starts the time for which s is kept without a link.
func (r *Room) keepLocked(s *seat) {
	id := s.Member
	s.expiry = time.AfterFunc(seatGrace, func() {
		done, err := r.begin()
		if err != nil {
			return // it is kept for after the next start
		}
		defer done()
		if r.expire(s) {
			r.record.Released(id)
		}
	})
}

// expire frees s unless its member has come back. It reports whether a guest's
// seat was freed.
func (r *Room) expire(s *seat) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.link != nil || !slices.Contains(r.seats, s) {
		return false
	}
	r.clearLocked(s, nil)
	return s.Member != wire.HostID
}

// clearLocked frees s and tells the others.
func (r *Room) clearLocked(s *seat, reason error) {
	r.stopLocked(s, reason)
	r.seats = slices.DeleteFunc(r.seats, func(other *seat) bool { return other == s })
	r.rosterLocked()
}

func (r *Room) seatLocked(m wire.MemberID) *seat {
	for _, s := range r.seats {
		if s.Member == m {
			return s
		}
	}
	return nil
}

// hostLocked returns the practitioner's seat, or nil.
func (r *Room) hostLocked() *seat { return r.seatLocked(wire.HostID) }

// guestsLocked returns the seats of guests.
func (r *Room) guestsLocked() (guests []*seat) {
	for _, s := range r.seats {
		if s.Member != wire.HostID {
			guests = append(guests, s)
		}
	}
	return guests
}

// guestLocked returns guest m's seat, or nil.
func (r *Room) guestLocked(m wire.MemberID) *seat {
	if m == wire.HostID {
		return nil
	}
	return r.seatLocked(m)
}

// fullLocked reports whether the call has no place for one more.
func (r *Room) fullLocked() bool {
	n := 0
	for _, s := range r.seats {
		if s.state != wire.SeatWaiting {
			n++
		}
	}
	return n >= wire.MaxMembers
}

// waits reports whether s can be admitted now.
func (s *seat) waits() bool { return s.state == wire.SeatWaiting && s.link != nil }

// called reports whether s is of a guest who was let in.
func (s *seat) called() bool { return s.Member != wire.HostID && s.state != wire.SeatWaiting }

// stopLocked ends s's connection, or the time for which it was kept without one.
func (r *Room) stopLocked(s *seat, reason error) {
	if s.link != nil {
		r.kickLocked(s.link, reason)
		s.link = nil
	}
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
}
