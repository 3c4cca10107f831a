package node

import (
	"context"
	"errors"
	"time"

	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// echoName is what the guest of a test call says it is called.
const echoName = "Echo"

// ErrNoEcho is returned by TestCall of a node that has no echo guest.
var ErrNoEcho = errors.New("this node has no echo guest")

// ErrEchoFailed is returned by TestCall when the echo guest did not come.
var ErrEchoFailed = errors.New("the echo guest did not come")

// echoPatience is how long the echo guest may take to knock. It is a process
// that has to start; the page waits for 30 s.
const echoPatience = 20 * time.Second

// Status is what an operator wants to know at a glance.
type Status struct {
	PeerID    string   `json:"peer_id"`
	Addresses []string `json:"addresses"`
	Peers     int      `json:"peers"`     // connected now
	Waiting   int      `json:"waiting"`   // guests who wait
	InCall    int      `json:"in_call"`   // guests who are admitted
	Published int      `json:"published"` // records that enough nodes hold
	Failed    int      `json:"failed"`    // records that too few nodes hold
}

// Status reports what the node is doing now.
func (n *Node) Status() Status {
	s := Status{PeerID: n.Discovery.ID().String(), Addresses: []string{}}
	for _, p := range n.Discovery.ListPeers() {
		if p.Connected {
			s.Peers++
		}
	}
	for _, a := range n.Discovery.Addrs() {
		s.Addresses = append(s.Addresses, a.String())
	}
	s.Published, s.Failed = n.publisher.counts()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.rooms {
		s.Waiting += len(r.Waiting())
		s.InCall += len(r.Present())
	}
	return s
}

// InCall reports whether a guest is admitted anywhere now.
func (n *Node) InCall() bool { return n.Status().InCall > 0 }

// Expects reports whether a guest of an appointment that its practitioner
// attends is here, or is due: until its planned end.
func (n *Node) Expects(appointment string) bool {
	r := n.live(appointment)
	return r != nil && (n.Practice.Now().Before(r.ends) || len(r.Present())+len(r.Waiting()) > 0)
}

// Seats returns where the guests of an appointment stand now; those who are
// not here are not in it.
func (n *Node) Seats(appointment string) map[wire.MemberID]wire.SeatState {
	seats := make(map[wire.MemberID]wire.SeatState)
	if r := n.live(appointment); r != nil {
		for _, m := range r.Waiting() {
			seats[m] = wire.SeatWaiting
		}
		for _, m := range r.Present() {
			seats[m] = wire.SeatAdmitted
		}
	}
	return seats
}

// Create makes an appointment. One that hides addresses needs a relay, or it
// is a *practice.InvalidError.
func (n *Node) Create(ctx context.Context, practitioner string, a practice.New) (practice.Appointment, error) {
	if a.RelayOnly && !n.HasRelay() {
		return practice.Appointment{}, &practice.InvalidError{
			Field: "hide_addresses", Message: "Addresses can only be hidden behind a relay, and this node has none: set relay.listen, or relay.borrow_from.",
		}
	}
	return n.Practice.Create(ctx, practitioner, a)
}

// Cancel ends an appointment: its links say so from now on, and who is in the
// room is sent away.
func (n *Node) Cancel(ctx context.Context, appointment string) error {
	if err := n.Practice.Cancel(ctx, appointment); err != nil {
		return err
	}
	n.takePlaces(appointment)
	n.mu.Lock()
	r := n.rooms[appointment]
	delete(n.rooms, appointment)
	n.mu.Unlock()
	if r != nil {
		r.Close(wire.ErrCancelled)
	}
	return nil
}

// Revoke makes m's link useless at once, and sends m away.
func (n *Node) Revoke(ctx context.Context, m wire.MemberID) error {
	if err := n.Practice.Revoke(ctx, m); err != nil {
		return err
	}
	n.dismiss(m, wire.ErrRevoked)
	return nil
}

// Rotate gives m's seat a new link; the old one is revoked.
func (n *Node) Rotate(ctx context.Context, m wire.MemberID) (practice.Invite, error) {
	inv, err := n.Practice.Rotate(ctx, m)
	if err != nil {
		return practice.Invite{}, err
	}
	n.dismiss(m, wire.ErrRotated)
	return inv, nil
}

func (n *Node) dismiss(m wire.MemberID, reason *wire.Error) {
	n.takePlace(m)
	n.mu.Lock()
	for _, r := range n.rooms {
		r.Dismiss(m, reason)
	}
	n.mu.Unlock()
}

// TestCall makes an appointment that is open now, to which an echo guest comes
// through the page at gateway, as any guest would. It returns when the guest
// has knocked; if they do not, the appointment is cancelled.
func (n *Node) TestCall(ctx context.Context, practitioner, gateway string) (practice.Appointment, error) {
	if n.Echo == nil {
		return practice.Appointment{}, ErrNoEcho
	}
	a, err := n.Practice.Create(ctx, practitioner, practice.New{
		Starts: n.Practice.Now().Truncate(time.Second), Minutes: 5, Label: "Test call", Guests: []string{echoName}, Test: true,
	})
	if err != nil {
		return practice.Appointment{}, err
	}
	changed, unwatch := n.Watch()
	defer unwatch()
	link := a.Invites[0].Link.URL(gateway)
	life, stop := context.WithCancel(n.lifetime)
	gone := make(chan struct{})
	n.echoes.Go(func() { // ends with the call, or with the node
		defer stop()
		err := n.Echo(life, gateway, link)
		close(gone)
		if err != nil && n.lifetime.Err() == nil {
			n.Log.Warn("echo guest stopped", "err", err)
		}
		if err := n.Cancel(n.lifetime, a.ID); err != nil && n.lifetime.Err() == nil {
			n.Log.Warn("test call not cleared away", "err", err)
		}
	})
	late := time.NewTimer(echoPatience)
	defer late.Stop()
	for len(n.Seats(a.ID)) == 0 {
		select {
		case <-changed:
			continue
		case <-gone:
		case <-late.C:
		case <-ctx.Done():
		}
		stop()
		return practice.Appointment{}, ErrEchoFailed
	}
	return a, nil
}
