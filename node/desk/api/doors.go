package api

import (
	"context"
	"net/netip"

	"anteroom/rendezvous/wire"
)

// The desk as its doors see it: each takes the interfaces that it needs. All
// methods may be called concurrently and give up when ctx ends.
//
// What a person may read comes back as a *Refusal; what a program must act on as
// a *wire.Error. Any other error is for the log alone, so it holds no name, no
// label, no token and no link.

// Access is the desk for one who asks. It is wire.ErrUnauthorized for somebody
// who has been removed, and where only somebody known is answered, for nobody.
// What is another practitioner's does not exist.
type Access interface {
	Diary
	Links
	Calls
}

// Diary is the practice and its appointments.
type Diary interface {
	// Info says whose node this is, and who asks. Anybody may.
	Info(ctx context.Context) (Info, error)

	// Card returns this node's peer card, as text for a person to pass on.
	// Anybody may ask.
	Card(ctx context.Context) (string, error)

	// Desk returns what a practitioner's page shows, at one moment. It holds no
	// link.
	Desk(ctx context.Context) (Desk, error)

	// Watch returns a channel that holds a tick whenever any Desk may have
	// changed for another reason than the passing of time. Ticks that nobody
	// takes are one tick. stop ends the watch; the channel is never closed.
	Watch() (changed <-chan struct{}, stop func())

	// CreateAppointment makes an appointment and an invite for each guest. It
	// comes back with their links.
	CreateAppointment(ctx context.Context, n NewAppointment) (Appointment, error)

	// Cancel ends an appointment: its links die and its room is closed.
	// Cancelling twice is no error.
	Cancel(ctx context.Context, appointment string) error

	// Doctor looks at all that patients need to reach the node, now, though it
	// also does so unasked; that takes up to 25 s, and contacts the nodes that
	// the configuration names. The Desk has the same Report from then on. Too
	// often in a minute it is a *Refusal with wire.CodeTooMany.
	Doctor(ctx context.Context) (Report, error)
}

// Links is what guests are sent.
type Links interface {
	// Links returns the link of every guest of an appointment who has one that
	// works, and notes in the audit trail that they were shown.
	Links(ctx context.Context, appointment string) ([]Link, error)

	// Revoke kills a guest's link and sends away whoever came by it.
	Revoke(ctx context.Context, m wire.MemberID) error

	// Rotate revokes a guest's link and returns a new one, for a new member.
	Rotate(ctx context.Context, m wire.MemberID) (Link, error)
}

// An Arrival is how a guest came in.
type Arrival struct {
	From   netip.Addr // where they are; zero if that is not known
	Public bool       // through the public page, and not the one on this computer
}

// Calls is the way into rooms.
type Calls interface {
	// Join carries a guest who came in so, until either side has had enough.
	// The first frame is the key frame (PROTOCOL.md, "The handshake"). It closes conn and returns
	// why; io.EOF means that the guest left. Anybody may: a guest shows a link.
	Join(ctx context.Context, conn wire.Conn, guest Arrival) error

	// Attend carries a practitioner whose page asked for the appointment that at
	// names. The caller has checked the session and at.Token, and has consumed
	// the attend message. Otherwise as Join.
	Attend(ctx context.Context, conn wire.Conn, at *wire.Attend) error

	// Expects reports whether a guest of a practitioner's own appointment is
	// here, or is due. It does not block.
	Expects(appointment string) bool

	// TestCall makes an appointment that is open now, with a guest that sends
	// back what it hears and sees, and returns when that guest has knocked.
	TestCall(ctx context.Context) (Appointment, error)
}
