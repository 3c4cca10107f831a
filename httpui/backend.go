package httpui

import (
	"context"
	"net/netip"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// A Backend is the node as the pages see it. Its methods may be called
// concurrently and give up when ctx ends.
//
// What a practitioner may read comes back as an *api.Refusal; what a browser must
// act on as a *wire.Error. Any other error is logged and shown as "internal",
// so it must not hold a name, a label, a token or a link.
//
// practitioner is the id that SetUp, SignIn or Server.LaunchURL named. It is
// never empty, but it may belong to somebody who has been removed since: then
// the answer is wire.ErrUnauthorized.
type Backend interface {
	// Info says whose node this is. practitioner is empty if nobody has signed in.
	Info(ctx context.Context, practitioner string) (api.Info, error)

	// SetUp makes the practice and its first practitioner, and returns the
	// practitioner's id. It succeeds once in the life of an installation.
	SetUp(ctx context.Context, s api.SetUp) (practitioner string, err error)

	// Account returns what SignIn looks up by name: the practitioner's id, whichever
	// way the name is spelled, and for a name that nobody has, some text that all
	// spellings of it share.
	Account(ctx context.Context, name string) (string, error)

	// SignIn returns the id of the practitioner who is called name and knows
	// password; name may be empty if there is only one. A wrong name and a
	// wrong password are both wire.ErrUnauthorized and take the same time.
	// Counting the failures is the Server's part.
	SignIn(ctx context.Context, name, password string) (practitioner string, err error)

	// Desk returns what the practitioner's page shows, at one moment. It holds
	// no link.
	Desk(ctx context.Context, practitioner string) (api.Desk, error)

	// CreateAppointment makes an appointment and an invite for each guest.
	CreateAppointment(ctx context.Context, practitioner string, n api.NewAppointment) (api.Appointment, error)

	// TestCall makes an appointment that is open now, with a guest that sends
	// back what it hears and sees, and returns when that guest has knocked.
	TestCall(ctx context.Context, practitioner string) (api.Appointment, error)

	// Cancel ends an appointment: its links die and its room is closed.
	// Cancelling twice is no error.
	Cancel(ctx context.Context, practitioner, appointment string) error

	// Links returns the link of every guest of an appointment who has one that
	// works, and notes in the audit trail that they were shown.
	Links(ctx context.Context, practitioner, appointment string) ([]api.Link, error)

	// Revoke kills a guest's link and sends away whoever came by it.
	Revoke(ctx context.Context, practitioner string, m wire.MemberID) error

	// Rotate revokes a guest's link and returns a new one, for a new member.
	Rotate(ctx context.Context, practitioner string, m wire.MemberID) (api.Link, error)

	// Watch returns a channel that holds a tick whenever any Desk may have
	// changed for another reason than the passing of time. Ticks that nobody
	// takes are one tick. stop ends the watch; the channel is never closed.
	Watch() (changed <-chan struct{}, stop func())

	// Join carries a guest, who came in from an address, if it is known, through
	// the public page or that on this computer, until either side has had enough.
	// The first frame is the key frame (PROTOCOL.md, "The handshake"). It closes conn and returns
	// why; io.EOF means that the guest left.
	Join(ctx context.Context, conn wire.Conn, from netip.Addr, public bool) error

	// Attend carries a practitioner whose page asked for the appointment that a
	// names. The server has checked the session and a.Token, and has consumed
	// the attend message. Otherwise as Join.
	Attend(ctx context.Context, conn wire.Conn, practitioner string, a *wire.Attend) error

	// Expects reports whether a guest of an appointment is here, or is due. It
	// does not block.
	Expects(appointment string) bool

	// Doctor looks at all that patients need to reach the node, now, though it
	// also does so unasked; that takes up to 25 s, and contacts the nodes that
	// the configuration names. The Desk has the same Report from then on. Too
	// often in a minute it is an *api.Refusal with wire.CodeTooMany.
	Doctor(ctx context.Context, practitioner string) (api.Report, error)

	// Card returns this node's peer card, as text for a person to pass on.
	Card(ctx context.Context) (string, error)
}
