// Package api is what every door of a practice says and hears: its pages, its
// command line, and whatever else asks the desk.
package api

import "anteroom/rendezvous/wire"

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
	// Practitioner is the name of whose appointment it is. Practitioners leave it
	// out, and so can the operator if there is only one.
	Practitioner string `json:"practitioner,omitempty"`
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
	Kind string  `json:"kind"` // "local" or "public"
	Text Message `json:"text"`
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
	Line      Message `json:"line"` // "Ready for calls", or why not
	Summary   Message `json:"summary"`
	At        int64   `json:"at"`        // when, by the node's clock
	Ready     bool    `json:"ready"`     // no check failed
	Confirmed bool    `json:"confirmed"` // and somebody got here from outside, or nobody is meant to
	Checks    []Check `json:"checks"`    // never null
}

// Check is one thing that Doctor looked at.
type Check struct {
	ID      string  `json:"id"`
	Title   Message `json:"title"`
	Status  string  `json:"status"`        // "pass", "warn", "fail" or "skip"
	Finding Message `json:"finding"`       // what is so
	Todo    Message `json:"todo,omitzero"` // what to do; not there if nothing
}

// A Refusal is an error that the practitioner reads.
type Refusal struct {
	Code    wire.Code // for programs
	Message Message   // for people; it does not quote input
}

func (r *Refusal) Error() string { return r.Message.Code }

// Refuse returns a Refusal that says the sentence of message; args may be nil.
func Refuse(code wire.Code, message string, args Args) *Refusal {
	return &Refusal{code, NewMessage(message, args)}
}
