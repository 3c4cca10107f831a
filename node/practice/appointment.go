package practice

import (
	"encoding/binary"
	"errors"
	"time"

	"anteroom/node/message"
	"anteroom/node/people"
	"anteroom/node/store"
	"anteroom/rendezvous/wire"
)

const (
	minMinutes = 5
	maxMinutes = 480
	maxGuests  = wire.MaxMembers - 1 // the practitioner is one
	farthest   = 366 * 24 * time.Hour
)

// An Appointment is a window of time in which invited guests may knock at a
// practitioner's door.
type Appointment struct {
	ID           string // 32 hex digits
	Practitioner string // id
	Label        string // may be empty
	Starts       time.Time
	Minutes      int
	Test         bool // a try-out, not a consultation
	RelayOnly    bool // nobody in the call learns another's address
	Cancelled    bool
	Damaged      bool     // something of it, or of its invites, cannot be read
	Invites      []Invite // by position; one that was replaced is not among them
}

// New is what a new appointment is made of.
type New struct {
	Starts  time.Time // whole seconds; fractions are dropped
	Minutes int       // 5 to 480
	Label   string    // up to wire.MaxLabel code points, may be empty
	Guests  []string  // 1 to 3 labels, likewise
	Test    bool
	// RelayOnly sends everything through a relay, so that nobody in the call
	// learns another's address.
	RelayOnly bool
	By        string // who makes it, as the trail has it; empty: its practitioner
}

// Check fails with an *InvalidError if no such appointment can be made at now.
func (n New) Check(now time.Time) error {
	_, err := n.check(now)
	return err
}

// check returns n in its final form, or an *InvalidError.
func (n New) check(now time.Time) (New, error) {
	n.Starts = time.Unix(n.Starts.Unix(), 0)
	window := Appointment{Starts: n.Starts, Minutes: n.Minutes}
	switch {
	case n.Minutes < minMinutes:
		return New{}, people.Invalid("minutes", "input.minutes.few", message.Args{"n": minMinutes})
	case n.Minutes > maxMinutes:
		return New{}, people.Invalid("minutes", "input.minutes.many", message.Args{"n": maxMinutes})
	case !now.Before(window.Closes()):
		return New{}, people.Invalid("starts", "input.starts.over", nil)
	case n.Starts.After(now.Add(farthest)):
		return New{}, people.Invalid("starts", "input.starts.far", nil)
	case len(n.Guests) < 1:
		return New{}, people.Invalid("guests", "input.guests.none", nil)
	case len(n.Guests) > maxGuests:
		return New{}, people.Invalid("guests", "input.guests.many", message.Args{"n": maxGuests})
	}
	var err error
	if n.Label, err = people.CleanText("label", n.Label); err != nil {
		return New{}, err
	}
	guests := make([]string, len(n.Guests))
	for i, label := range n.Guests {
		if guests[i], err = people.CleanText("guests", label); err != nil {
			return New{}, err
		}
	}
	n.Guests = guests
	return n, nil
}

// appointmentRow is an appointment as it is stored. Its place is bound to the
// practitioner, so that it cannot be given to another.
type appointmentRow struct {
	id, practitioner string
	label, plan      []byte
}

const appointmentColumns = "CAST(ifnull(a.id, '') AS TEXT), CAST(ifnull(a.practitioner, '') AS TEXT), a.label, a.plan"

func (r *appointmentRow) fields() []any { return []any{&r.id, &r.practitioner, &r.label, &r.plan} }

func appointmentCell(column, practitioner, id string) store.Cell {
	return store.Cell{Table: "appointment", Column: column, Row: practitioner + "/" + id}
}

func (p *Practice) sealAppointment(a Appointment) appointmentRow {
	place := func(column string) store.Cell { return appointmentCell(column, a.Practitioner, a.ID) }
	return appointmentRow{a.ID, a.Practitioner,
		p.store.Seal(place("label"), []byte(a.Label)),
		p.store.Seal(place("plan"), a.encodePlan())}
}

// openPlan returns the appointment without label and invites, which is all
// that its window needs. One whose plan cannot be read is Damaged and lost.
func (p *Practice) openPlan(r appointmentRow) Appointment {
	a := Appointment{ID: r.id, Practitioner: r.practitioner}
	plan, err := p.store.Unseal(appointmentCell("plan", r.practitioner, r.id), r.plan)
	if err != nil || a.decodePlan(plan) != nil {
		return Appointment{ID: r.id, Practitioner: r.practitioner, Damaged: true}
	}
	return a
}

// openAppointment adds the label.
func (p *Practice) openAppointment(r appointmentRow) Appointment {
	a := p.openPlan(r)
	label, err := p.store.Unseal(appointmentCell("label", r.practitioner, r.id), r.label)
	a.Label, a.Damaged = string(label), a.Damaged || err != nil
	return a
}

const (
	planVersion   = 1
	planTest      = 1 << 0
	planCancelled = 1 << 1
	planRelayOnly = 1 << 2
)

// encodePlan returns version | be64 start, Unix seconds | be16 minutes | flags.
func (a Appointment) encodePlan() []byte {
	var flags byte
	if a.Test {
		flags |= planTest
	}
	if a.Cancelled {
		flags |= planCancelled
	}
	if a.RelayOnly {
		flags |= planRelayOnly
	}
	out := binary.BigEndian.AppendUint64([]byte{planVersion}, uint64(a.Starts.Unix()))
	return append(binary.BigEndian.AppendUint16(out, uint16(a.Minutes)), flags)
}

func (a *Appointment) decodePlan(b []byte) error {
	if len(b) != 12 || b[0] != planVersion {
		return errors.New("decode appointment: not one of ours")
	}
	a.Starts = time.Unix(int64(binary.BigEndian.Uint64(b[1:])), 0)
	a.Minutes = int(binary.BigEndian.Uint16(b[9:]))
	a.Test = b[11]&planTest != 0
	a.Cancelled = b[11]&planCancelled != 0
	a.RelayOnly = b[11]&planRelayOnly != 0
	return nil
}
