package httpui

import (
	"context"
	"net/netip"

	"anteroom/rendezvous/wire"
)

// A Backend is the node as the pages see it. Its methods may be called
// concurrently and give up when ctx ends.
//
// What a practitioner may read comes back as a *Refusal; what a browser must
// act on as a *wire.Error. Any other error is logged and shown as "internal",
// so it must not hold a name, a label, a token or a link.
//
// practitioner is the id that SetUp, SignIn or Server.LaunchURL named. It is
// never empty, but it may belong to somebody who has been removed since: then
// the answer is wire.ErrUnauthorized.
type Backend interface {
	// Info says whose node this is. practitioner is empty if nobody has signed in.
	Info(ctx context.Context, practitioner string) (Info, error)

	// SetUp makes the practice and its first practitioner, and returns the
	// practitioner's id. It succeeds once in the life of an installation.
	SetUp(ctx context.Context, s SetUp) (practitioner string, err error)

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
	Desk(ctx context.Context, practitioner string) (Desk, error)

	// CreateAppointment makes an appointment and an invite for each guest.
	CreateAppointment(ctx context.Context, practitioner string, n NewAppointment) (Appointment, error)

	// TestCall makes an appointment that is open now, with a guest that sends
	// back what it hears and sees, and returns when that guest has knocked.
	TestCall(ctx context.Context, practitioner string) (Appointment, error)

	// Cancel ends an appointment: its links die and its room is closed.
	// Cancelling twice is no error.
	Cancel(ctx context.Context, practitioner, appointment string) error

	// Links returns the link of every guest of an appointment who has one that
	// works, and notes in the audit trail that they were shown.
	Links(ctx context.Context, practitioner, appointment string) ([]Link, error)

	// Revoke kills a guest's link and sends away whoever came by it.
	Revoke(ctx context.Context, practitioner string, m wire.MemberID) error

	// Rotate revokes a guest's link and returns a new one, for a new member.
	Rotate(ctx context.Context, practitioner string, m wire.MemberID) (Link, error)

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
	// often in a minute it is a *Refusal with wire.CodeTooMany.
	Doctor(ctx context.Context, practitioner string) (Report, error)

	// Card returns this node's peer card, as text for a person to pass on.
	Card(ctx context.Context) (string, error)
}

// Info is what a page may know before anybody has signed in.
type Info struct {
	Practice      string // empty before SetUp
	Name          string // of the practitioner who was asked for, if any
	Practitioners int    // 0 before SetUp
}

// SetUp is the answers to the first page that a new installation shows.
type SetUp struct {
	Practice string `json:"practice"`
	Name     string `json:"name"`
	Password string `json:"password"`
}

// NewAppointment is what a practitioner asks for.
type NewAppointment struct {
	Starts  int64      `json:"starts"` // Unix seconds
	Minutes int        `json:"minutes"`
	Label   string     `json:"label"`
	Guests  []NewGuest `json:"guests"`
	// HideAddresses sends the call through a relay, so that nobody in it
	// learns another's address.
	HideAddresses bool `json:"hide_addresses,omitempty"`
}

// NewGuest is one guest of a NewAppointment.
type NewGuest struct {
	Label string `json:"label"`
}

// Desk is a practitioner's diary at one moment. Times are Unix seconds by the
// node's clock.
type Desk struct {
	Now          int64         `json:"now"`
	Practice     string        `json:"practice"`
	Practitioner string        `json:"practitioner"`
	Appointments []Appointment `json:"appointments"` // by time; never null
	Reach        Reach         `json:"reach"`
	Relay        bool          `json:"relay"`  // there is one, so addresses can be hidden
	Report       *Report       `json:"report"` // the newest; null while the first look is under way
}

// Reach says who can open this node's links.
type Reach struct {
	Kind string `json:"kind"` // "local" or "public"
	Text string `json:"text"` // one sentence
}

// Appointment is one entry of the diary. Times are Unix seconds.
type Appointment struct {
	ID     string `json:"id"` // 32 hex digits
	Label  string `json:"label"`
	Starts int64  `json:"starts"`
	Ends   int64  `json:"ends"`
	Opens  int64  `json:"opens"`  // from when guests may knock
	Closes int64  `json:"closes"` // until when
	State  string `json:"state"`  // "early", "open" (also later, while a guest is here), "ended", "cancelled" or "damaged"
	// Damaged says that something of it or of its guests cannot be read. If the
	// State says so too, nobody can tell its times, which are 0.
	Damaged bool    `json:"damaged,omitempty"`
	Test    bool    `json:"test"`
	Hidden  bool    `json:"hidden"` // nobody in the call learns another's address
	Guests  []Guest `json:"guests"` // never null
}

// Guest is one invite of an Appointment.
type Guest struct {
	Member wire.MemberID `json:"member"`
	Label  string        `json:"label"`
	State  string        `json:"state"`         // "unused", "waiting", "admitted", "used", "revoked" or "damaged"
	URL    string        `json:"url,omitempty"` // not in a Desk
	Link   bool          `json:"link"`          // there is a link that works
	Local  bool          `json:"local"`         // the link works on this computer only
	// Tested is how a call would go from where the guest last tried: good, slow
	// (relayed, not by UDP) or blocked; empty if they did not.
	Tested wire.PathResult `json:"tested,omitempty"`
	// Damaged says that something of it cannot be read: a new link mends it.
	Damaged bool `json:"damaged,omitempty"`
}

// Link is a guest's link, as the practitioner may see and send it.
type Link struct {
	Member wire.MemberID `json:"member"`
	Label  string        `json:"label"`
	URL    string        `json:"url"`
}

// Report is what was found when the node was last looked at.
type Report struct {
	Line      string  `json:"line"`      // "Ready for calls", or why not
	Summary   string  `json:"summary"`   // one sentence
	At        int64   `json:"at"`        // when, by the node's clock
	Ready     bool    `json:"ready"`     // no check failed
	Confirmed bool    `json:"confirmed"` // and somebody got here from outside, or nobody is meant to
	Checks    []Check `json:"checks"`    // never null
}

// Check is one thing that Doctor looked at.
type Check struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Status  string `json:"status"`  // "pass", "warn", "fail" or "skip"
	Finding string `json:"finding"` // one sentence of what is so
	Todo    string `json:"todo"`    // one sentence of what to do; empty if nothing
}

// A Refusal is an error that the practitioner reads.
type Refusal struct {
	Code     wire.Code
	Sentence string // one sentence, ending in a full stop; it does not quote input
}

func (r *Refusal) Error() string { return r.Sentence }
