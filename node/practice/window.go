package practice

import (
	"time"

	"anteroom/rendezvous/wire"
)

// The rules of an appointment's window, by the home node's clock:
//
//	from                     | to                      | what
//	30 min before it opens   | 30 min after it closes  | its invites can be found (publishable)
//	15 min before it starts  | 30 min after its end    | guests may come in (Opens, Closes)
//	it closes                | its last guest leaves   | a seat that is held can be taken again (Window)
const (
	// opensBefore and closesAfter are how far the window of an appointment
	// reaches beyond it: patients come early, and calls begin late.
	opensBefore = 15 * time.Minute
	closesAfter = 30 * time.Minute

	// publishMargin is how long before and after its window an invite can be found
	// through the DHT: clocks differ, and walks take time.
	publishMargin = 30 * time.Minute
)

// Ends returns when the appointment is planned to be over.
func (a Appointment) Ends() time.Time { return a.Starts.Add(time.Duration(a.Minutes) * time.Minute) }

// Opens returns the first second of the window.
func (a Appointment) Opens() time.Time { return a.Starts.Add(-opensBefore) }

// Closes returns the first second after the window.
func (a Appointment) Closes() time.Time { return a.Ends().Add(closesAfter) }

// overlaps reports whether the window has a part between from and to. A zero
// time is no bound.
func (a Appointment) overlaps(from, to time.Time) bool {
	return (from.IsZero() || from.Before(a.Closes())) && (to.IsZero() || a.Opens().Before(to))
}

// A State says what may happen at an appointment now.
type State string

const (
	StateEarly     State = "early"
	StateOpen      State = "open"
	StateEnded     State = "ended"
	StateCancelled State = "cancelled"
	StateDamaged   State = "damaged" // nobody can tell when it is
)

// State returns the appointment's state at now.
func (a Appointment) State(now time.Time) State {
	switch {
	case a.lost():
		return StateDamaged
	case a.Cancelled:
		return StateCancelled
	case now.Before(a.Opens()):
		return StateEarly
	case now.Before(a.Closes()):
		return StateOpen
	}
	return StateEnded
}

// lost reports whether nobody can tell when it is.
func (a Appointment) lost() bool { return a.Starts.IsZero() }

// enter returns nil if guests may enter at now, or what they are told.
func (a Appointment) enter(now time.Time) error {
	switch a.State(now) {
	case StateOpen:
		return nil
	case StateDamaged:
		return ErrUnreadable
	case StateEarly:
		return wire.ErrEarly
	}
	return wire.ErrEnded
}

// publishable reports whether the appointment's invites can be found now.
func (a Appointment) publishable(now time.Time) bool {
	return !a.lost() && !now.Before(a.Opens().Add(-publishMargin)) && now.Before(a.Closes().Add(publishMargin))
}

// MayEnter says why nobody can enter now, if so. The home node's clock decides.
func (at Seat) MayEnter(now time.Time) error {
	switch s := at.Window(now); s {
	case wire.WindowOpen, wire.WindowFull:
		return nil
	default:
		return wire.ErrorFor(wire.Code(s)) // by the same name
	}
}

// Window is the window as it is for whoever has the seat's link. Its end cuts nobody
// off: a seat that is still held then is full, so that its device can come
// back, and the room tells others that it is taken.
func (at Seat) Window(now time.Time) wire.WindowState {
	switch {
	case at.Appointment.Cancelled:
		return wire.WindowCancelled
	case at.Rotated:
		return wire.WindowRotated
	case at.Revoked:
		return wire.WindowRevoked
	case now.Before(at.Appointment.Opens()):
		return wire.WindowEarly
	case now.Before(at.Appointment.Closes()):
		return wire.WindowOpen
	case at.Bound:
		return wire.WindowFull
	}
	return wire.WindowEnded
}
