package node

import (
	"context"
	"errors"
	"fmt"

	"anteroom/node/practice"
	"anteroom/node/room"
	"anteroom/rendezvous/wire"
)

// welcome is what the holder of a link is told: with whom, when, and what they
// need to take their seat. It tells nothing of anybody else.
func (n *Node) welcome(ctx context.Context, at practice.Seat) (*wire.Welcome, error) {
	w, err := n.greeting(ctx, at.Appointment, at.Member)
	if err != nil {
		return nil, err
	}
	w.State = at.Window(n.practice.Now())
	if r := n.live(at.Appointment.ID); w.State == wire.WindowOpen && r != nil && r.Occupied(at.Member) {
		w.State = wire.WindowFull
	}
	return w, nil
}

// greeting is the part of a Welcome that guests and practitioners share, for m.
func (n *Node) greeting(ctx context.Context, a practice.Appointment, m wire.MemberID) (*wire.Welcome, error) {
	info, err := n.practice.People.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("read practice: %w", err)
	}
	who, err := n.practice.People.Practitioner(ctx, a.Practitioner)
	if err != nil {
		return nil, fmt.Errorf("read practitioner: %w", err)
	}
	return &wire.Welcome{
		State:        wire.WindowOpen,
		Now:          n.practice.Now().Unix(),
		Opens:        a.Opens().Unix(),
		Starts:       a.Starts.Unix(),
		Ends:         a.Ends().Unix(),
		Closes:       a.Closes().Unix(),
		Practice:     info.Name,
		Practitioner: who.Name,
		SID:          wire.Random(),
		Confirm:      wire.Random(),
		Resume:       wire.Random(),
		ICEServers:   n.relays.Grant(ctx, a.ID, a.Closes(), m),
		RelayOnly:    a.RelayOnly,
		Demo:         a.Test,
	}, nil
}

// announceRelays tells m of a relay that is lent later, on conn, unless w, which
// was said there, has some. The returned function calls it off.
func (n *Node) announceRelays(conn wire.Conn, w *wire.Welcome, a practice.Appointment, m wire.MemberID) (keep func()) {
	if len(w.ICEServers) > 0 {
		return func() {}
	}
	return n.relays.Await(func(ctx context.Context) (told bool) {
		relays := &wire.Relays{ICEServers: n.relays.Grant(ctx, a.ID, a.Closes(), m)}
		if len(relays.ICEServers) == 0 {
			return false
		}
		if r := n.live(a.ID); r != nil && r.Tell(conn, relays) {
			return true
		}
		if m == wire.HostID {
			return false // the welcome comes first, with the seat
		}
		frame, err := wire.Encode(relays)
		return err == nil && conn.Send(frame) == nil
	})
}

// A recorder keeps what must outlive a room in the practice's store.
type recorder struct {
	node        *Node
	appointment string
}

// always is for what is recorded although the node is stopping: what somebody
// was just told holds after the next start too.
func (r recorder) always() context.Context { return context.WithoutCancel(r.node.lifetime) }

func (r recorder) Seated(g *room.Guest) error {
	return told(r.node.practice.Bind(r.always(), g.Member, g.Device))
}

func (r recorder) Admitted(m wire.MemberID) error {
	return told(r.node.practice.MarkAdmitted(r.always(), m))
}

// told returns err so that its code tells of a disk that keeps nothing.
func told(err error) error {
	if errors.Is(err, practice.ErrFull) || errors.Is(err, practice.ErrUnwritable) {
		return fmt.Errorf("%w: %w", wire.ErrNoStorage, err)
	}
	return err
}

func (r recorder) Waiting(m wire.MemberID) {
	if err := r.node.practice.MarkWaiting(r.always(), m); err != nil && r.node.lifetime.Err() == nil {
		r.node.log.Error("seat not put back", "member", m, "err", err)
	}
}

func (r recorder) Held(m wire.MemberID, on bool) {
	if err := r.node.practice.MarkHeld(r.always(), m, on); err != nil && r.node.lifetime.Err() == nil {
		r.node.log.Error("hold not written", "member", m, "err", err)
	}
}

func (r recorder) Released(m wire.MemberID) {
	if err := r.node.practice.Release(r.always(), m); err != nil && r.node.lifetime.Err() == nil {
		r.node.log.Error("seat not released", "member", m, "err", err)
	}
}

func (r recorder) Note(event room.Event, m wire.MemberID) {
	switch event {
	case room.EventDeny, room.EventRemove, room.EventEnd:
		r.node.relays.RevokeSeat(m)
	}
	if err := r.node.practice.Trail.Note(r.always(), string(event), r.appointment, m); err != nil && r.node.lifetime.Err() == nil {
		r.node.log.Error("audit entry not written", "member", m, "err", err)
	}
	r.node.tick() // what the diary says of the seat may have changed
}
