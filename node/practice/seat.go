package practice

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"anteroom/node/audit"
	"anteroom/node/store"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// A Seat is an invite as the node sees it when someone knocks.
type Seat struct {
	Appointment Appointment // without its invites
	Member      wire.MemberID
	Label       string
	Keys        *invite.HostKeys // what the responder needs; never nil
	ResumeHash  []byte           // SHA-256 of the holder's resume token; empty if nobody holds the seat
	Bound       bool             // a device holds it
	Admitted    bool             // and was let in
	Held        bool             // and put aside, where nobody hears or sees them
	Revoked     bool             // the link opens nothing; its holder may be told so
	Rotated     bool             // and has been replaced by a newer one
}

// ErrNotSeated says that no device holds the seat.
var ErrNotSeated = errors.New("nobody holds this seat")

// Lookup returns the seat of the invite that rid belongs to, or ErrNotFound,
// after the same work.
func (p *Practice) Lookup(ctx context.Context, rid [32]byte) (seat Seat, err error) {
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		rows, err := seatRows(ctx, tx, "WHERE i.rid = ?", p.ridIndex(rid))
		if err != nil {
			return err
		}
		row := p.decoy
		if len(rows) > 0 {
			row = rows[0]
		}
		if seat, err = p.openSeatRow(row); err == nil && len(rows) == 0 {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return Seat{}, fmt.Errorf("look up invite: %w", err)
	}
	return seat, nil
}

// seatRow is an invite with its appointment.
type seatRow struct {
	inviteRow
	of appointmentRow
}

func seatRows(ctx context.Context, tx *sql.Tx, where string, args ...any) (list []seatRow, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT "+inviteColumns+", "+appointmentColumns+
		" FROM invite i JOIN appointment a ON a.id = i.appointment "+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r seatRow
		if err := rows.Scan(append(r.inviteRow.fields(), r.of.fields()...)...); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

func (p *Practice) openSeatRow(r seatRow) (Seat, error) {
	a := p.openAppointment(r.of)
	s, err := p.openSeat(r.inviteRow)
	if err != nil {
		return Seat{}, err
	}
	keys, err := p.openHost(r.inviteRow)
	if err != nil {
		return Seat{}, err
	}
	if a.lost() {
		return Seat{}, ErrUnreadable
	}
	label, _ := p.openLabel(r.inviteRow) // a guest without a name can still be let in
	return Seat{
		Appointment: a, Member: r.member, Label: label, Keys: keys,
		ResumeHash: s.resume, Bound: s.bound(), Admitted: s.admitted, Held: s.held, Revoked: s.revoked, Rotated: s.rotated,
	}, nil
}

// newDecoy makes a seat that no rid finds: opening it takes as long as opening
// one that is found.
func (p *Practice) newDecoy() (seatRow, error) {
	a := Appointment{ID: store.NewID(16), Practitioner: store.NewID(8), Label: "decoy", Starts: time.Unix(0, 0)}
	_, r, err := p.newInvite(a.ID, 0, "decoy")
	return seatRow{r, p.sealAppointment(a)}, err
}

// Bind gives a seat to the device whose resume token has this SHA-256. The
// device that holds it already keeps it. The window and the seat are checked
// in the transaction that takes it, so of several only one gets it: the others
// are told wire.ErrSeatTaken, or wire.ErrEarly or wire.ErrEnded. For a revoked
// invite it is wire.ErrCancelled, wire.ErrRotated or wire.ErrRevoked.
func (p *Practice) Bind(ctx context.Context, m wire.MemberID, resumeHash []byte) error {
	if len(resumeHash) != sha256.Size {
		return fmt.Errorf("bind seat: resume hash of %d bytes", len(resumeHash))
	}
	err := p.changeSeat(ctx, m, func(tx *sql.Tx, a Appointment, s *seatState) error {
		switch {
		case a.Cancelled:
			return wire.ErrCancelled
		case s.rotated:
			return wire.ErrRotated
		case s.revoked:
			return wire.ErrRevoked
		case subtle.ConstantTimeCompare(s.resume, resumeHash) == 1:
			return errUnchanged
		case s.bound():
			return wire.ErrSeatTaken
		}
		s.resume = resumeHash
		return a.enter(p.Now())
	})
	if err != nil {
		return fmt.Errorf("bind seat: %w", err)
	}
	return nil
}

// MarkAdmitted notes that the holder of a seat was let in: from now on the
// invite is used. Who took the seat in time may be let in after the window,
// too. A revoked invite is wire.ErrEnded; a seat that nobody holds is
// ErrNotSeated.
func (p *Practice) MarkAdmitted(ctx context.Context, m wire.MemberID) error {
	err := p.changeSeat(ctx, m, func(tx *sql.Tx, a Appointment, s *seatState) error {
		switch {
		case s.revoked:
			return wire.ErrEnded
		case !s.bound():
			return ErrNotSeated
		case s.admitted:
			return errUnchanged
		}
		s.admitted, s.used = true, true
		return p.Trail.Add(ctx, tx, audit.Entry{Event: audit.EventAdmit, By: a.Practitioner, Appointment: a.ID, Member: m})
	})
	if err != nil {
		return fmt.Errorf("mark as admitted: %w", err)
	}
	return nil
}

// MarkWaiting notes that the holder of a seat waits again. The seat stays
// theirs, so that this works after the window as well. A seat whose holder was
// not let in, or that nobody holds, stays as it is.
func (p *Practice) MarkWaiting(ctx context.Context, m wire.MemberID) error {
	err := p.changeSeat(ctx, m, func(_ *sql.Tx, _ Appointment, s *seatState) error {
		if !s.admitted {
			return errUnchanged
		}
		s.admitted, s.held = false, false
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark as waiting: %w", err)
	}
	return nil
}

// MarkHeld notes that the holder of a seat, who was let in, is put aside, or is
// not any more. Any other seat stays as it is.
func (p *Practice) MarkHeld(ctx context.Context, m wire.MemberID, on bool) error {
	err := p.changeSeat(ctx, m, func(_ *sql.Tx, _ Appointment, s *seatState) error {
		if !s.admitted || s.held == on {
			return errUnchanged
		}
		s.held = on
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark as held: %w", err)
	}
	return nil
}

// Release frees a seat for any device, when its holder has left or stayed away
// too long. Releasing a free seat does nothing.
func (p *Practice) Release(ctx context.Context, m wire.MemberID) error {
	err := p.changeSeat(ctx, m, func(_ *sql.Tx, _ Appointment, s *seatState) error {
		if !s.bound() {
			return errUnchanged
		}
		s.admitted, s.held, s.resume = false, false, nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("release seat: %w", err)
	}
	return nil
}

// errUnchanged ends a transaction that has nothing to write, without failing.
var errUnchanged = errors.New("unchanged")

// changeSeat reads a seat, lets fn change it or say why not, and writes it, in
// one transaction.
func (p *Practice) changeSeat(ctx context.Context, m wire.MemberID, fn func(*sql.Tx, Appointment, *seatState) error) error {
	err := p.change(ctx, func(tx *sql.Tx) error {
		r, a, err := p.inviteOf(ctx, tx, m)
		if err != nil {
			return err
		}
		s, err := p.openSeat(r)
		if err != nil {
			return err
		}
		if err := fn(tx, a, &s); err != nil {
			return err
		}
		return p.setSeat(ctx, tx, r, s)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// Bound returns the seats of an appointment that devices hold, by position. A
// damaged one is not among them: nobody gets in by it.
func (p *Practice) Bound(ctx context.Context, appointment string) (list []Seat, err error) {
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		rows, err := seatRows(ctx, tx, "WHERE i.appointment = ? AND i.key IS NOT NULL ORDER BY i.position", appointment)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if seat, err := p.openSeatRow(r); err == nil && seat.Bound {
				list = append(list, seat)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read held seats: %w", err)
	}
	return list, nil
}

// Publishable returns the seats that should be found at now, but those by
// which nobody gets in because they are damaged.
func (p *Practice) Publishable(ctx context.Context, now time.Time) (list []Seat, err error) {
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		rows, err := seatRows(ctx, tx, "WHERE i.link IS NOT NULL ORDER BY i.seq") // neither revoked nor shredded
		if err != nil {
			return err
		}
		for _, r := range rows {
			a := p.openPlan(r.of)
			if !a.publishable(now) {
				continue
			}
			if seat, err := p.openSeatRow(r); err == nil && !seat.Revoked {
				list = append(list, seat)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read open invites: %w", err)
	}
	return list, nil
}
