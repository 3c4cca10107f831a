package practice

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"anteroom/node/audit"
	"anteroom/node/store"
	"anteroom/rendezvous/wire"
)

// Made is a new appointment, and the links of all its Invites, in their order.
type Made struct {
	Appointment
	Links []Issued
}

// Create makes an appointment and an invite for each of its guests. What is
// wrong with n is an *InvalidError; a practitioner who does not exist is
// ErrNotFound.
func (p *Practice) Create(ctx context.Context, practitioner string, n New) (Made, error) {
	n, err := n.check(p.Now())
	if err != nil {
		return Made{}, err
	}
	a := Appointment{ID: store.NewID(16), Practitioner: practitioner, Label: n.Label, Starts: n.Starts, Minutes: n.Minutes, Test: n.Test, RelayOnly: n.RelayOnly}
	var rows []inviteRow
	var links []Issued
	for i, label := range n.Guests {
		inv, row, err := p.newInvite(a.ID, i, label)
		if err != nil {
			return Made{}, fmt.Errorf("make invite: %w", err)
		}
		a.Invites, links, rows = append(a.Invites, inv.Invite), append(links, inv), append(rows, row)
	}
	err = p.extend(ctx, func(tx *sql.Tx) error {
		var known bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM practitioner WHERE id = ?)", practitioner).Scan(&known); err != nil {
			return err
		}
		if !known {
			return ErrNotFound
		}
		r := p.sealAppointment(a)
		if _, err := tx.ExecContext(ctx, "INSERT INTO appointment (id, practitioner, label, plan) VALUES (?, ?, ?, ?)",
			r.id, r.practitioner, r.label, r.plan); err != nil {
			return err
		}
		for _, row := range rows {
			if err := insertInvite(ctx, tx, row); err != nil {
				return err
			}
		}
		return p.Trail.Add(ctx, tx, audit.Entry{Event: audit.EventCreate, By: cmp.Or(n.By, practitioner), Appointment: a.ID})
	})
	if err != nil {
		return Made{}, fmt.Errorf("create appointment: %w", err)
	}
	return Made{a, links}, nil
}

// Appointments returns a practitioner's appointments whose windows overlap the
// time from from until to, the earliest first. A zero time is no bound. One of
// which nobody can tell when or whose it is, is among everybody's.
func (p *Practice) Appointments(ctx context.Context, practitioner string, from, to time.Time) ([]Appointment, error) {
	const where = "WHERE a.practitioner = ? OR NOT EXISTS (SELECT 1 FROM practitioner p WHERE p.id = a.practitioner)"
	return p.appointments(ctx, from, to, where, practitioner)
}

// AllAppointments is Appointments of all practitioners.
func (p *Practice) AllAppointments(ctx context.Context, from, to time.Time) ([]Appointment, error) {
	return p.appointments(ctx, from, to, "")
}

func (p *Practice) appointments(ctx context.Context, from, to time.Time, where string, args ...any) (list []Appointment, err error) {
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		// Times are sealed, so all are read; Sweep keeps them few.
		err := eachAppointment(ctx, tx, where, args, func(r appointmentRow) error {
			if a := p.openPlan(r); a.lost() || a.overlaps(from, to) {
				list = append(list, p.openAppointment(r))
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i := range list {
			if err := p.addInvites(ctx, tx, &list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read appointments: %w", err)
	}
	slices.SortFunc(list, func(a, b Appointment) int {
		return cmp.Or(a.Starts.Compare(b.Starts), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// Appointment returns one appointment, or ErrNotFound.
func (p *Practice) Appointment(ctx context.Context, id string) (a Appointment, err error) {
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		if a, err = p.appointment(ctx, tx, id); err != nil {
			return err
		}
		return p.addInvites(ctx, tx, &a)
	})
	if err != nil {
		return Appointment{}, fmt.Errorf("read appointment: %w", err)
	}
	return a, nil
}

// Links returns the links of an appointment that its guests can use, now or
// later, and records that by was shown each of them. One that cannot be read is
// not among them; the diary tells of it from then on.
func (p *Practice) Links(ctx context.Context, by, appointment string) (links []Issued, err error) {
	err = p.change(ctx, func(tx *sql.Tx) error {
		links = nil
		a, err := p.appointment(ctx, tx, appointment)
		if err != nil {
			return err
		}
		if s := a.State(p.Now()); s != StateEarly && s != StateOpen {
			return nil
		}
		rows, err := inviteRows(ctx, tx, "WHERE i.appointment = ?", appointment)
		if err != nil {
			return err
		}
		for _, r := range rows {
			s, _ := p.openSeat(r) // it has nothing to do with the link
			link, err := p.openLink(r, s)
			if err != nil {
				p.lookForHarm(r)
			}
			if link == nil { // taken back
				continue
			}
			if err := p.Trail.Add(ctx, tx, audit.Entry{Event: audit.EventShowLink, By: by, Appointment: appointment, Member: r.member}); err != nil {
				return err
			}
			links = append(links, Issued{p.openInvite(r), *link})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("show links: %w", err)
	}
	return links, nil
}

// Owner returns whose appointment it is, or ErrNotFound.
func (p *Practice) Owner(ctx context.Context, appointment string) (practitioner string, err error) {
	return p.owner(ctx, "SELECT CAST(ifnull(a.practitioner, '') AS TEXT) FROM appointment a WHERE a.id = ?", appointment)
}

// InviteOwner returns whose guest m is, or ErrNotFound.
func (p *Practice) InviteOwner(ctx context.Context, m wire.MemberID) (practitioner string, err error) {
	return p.owner(ctx, `SELECT CAST(ifnull(a.practitioner, '') AS TEXT) FROM appointment a
		JOIN invite i ON i.appointment = a.id WHERE i.member = ?`, string(m))
}

func (p *Practice) owner(ctx context.Context, query, id string) (practitioner string, err error) {
	err = p.store.Read(ctx, func(tx *sql.Tx) error {
		return store.Found(tx.QueryRowContext(ctx, query, id).Scan(&practitioner))
	})
	if err != nil {
		return "", fmt.Errorf("read owner: %w", err)
	}
	return practitioner, nil
}

// Cancel ends an appointment for good and revokes its invites, which the trail
// says was done by by. Cancelling it again does nothing.
func (p *Practice) Cancel(ctx context.Context, by, id string) error {
	err := p.change(ctx, func(tx *sql.Tx) error {
		a, err := p.appointment(ctx, tx, id)
		if err != nil || a.Cancelled {
			return err
		}
		a.Cancelled = true
		if a.lost() { // it is remembered for as long as one of today
			a.Starts, a.Minutes = p.Now(), minMinutes
		}
		r := p.sealAppointment(a)
		if _, err := tx.ExecContext(ctx, "UPDATE appointment SET label = ?, plan = ? WHERE id = ?", r.label, r.plan, id); err != nil {
			return err
		}
		rows, err := inviteRows(ctx, tx, "WHERE i.appointment = ?", id)
		if err != nil {
			return err
		}
		for _, r := range rows {
			s, _ := p.openSeat(r)
			if err := p.revoke(ctx, tx, r, s); err != nil {
				return err
			}
		}
		return p.Trail.Add(ctx, tx, audit.Entry{Event: audit.EventCancel, By: by, Appointment: id})
	})
	if err != nil {
		return fmt.Errorf("cancel appointment: %w", err)
	}
	p.forget(ctx)
	return nil
}

// Revoke takes an invite back: its link is forgotten at once and opens nothing
// from now on. Whoever holds it is still told what became of it, until the
// window closes; then the keys are forgotten as well. Revoking it again does
// nothing.
func (p *Practice) Revoke(ctx context.Context, by string, m wire.MemberID) error {
	err := p.change(ctx, func(tx *sql.Tx) error {
		r, a, err := p.inviteOf(ctx, tx, m)
		if err != nil {
			return err
		}
		s, err := p.openSeat(r)
		if err == nil && s.revoked {
			return nil
		}
		if err := p.revoke(ctx, tx, r, s); err != nil {
			return err
		}
		return p.Trail.Add(ctx, tx, audit.Entry{Event: audit.EventRevoke, By: by, Appointment: a.ID, Member: m})
	})
	if err != nil {
		return fmt.Errorf("revoke invite: %w", err)
	}
	p.forget(ctx)
	return nil
}

// Rotate revokes an invite and makes a new one in its place, with the same
// label. One that was revoked before can be replaced too, once. After the
// window, or in a cancelled appointment, there is nothing to replace:
// wire.ErrEnded.
func (p *Practice) Rotate(ctx context.Context, by string, m wire.MemberID) (inv Issued, err error) {
	err = p.change(ctx, func(tx *sql.Tx) error {
		old, a, err := p.inviteOf(ctx, tx, m)
		if err != nil {
			return err
		}
		if err := a.enter(p.Now()); errors.Is(err, wire.ErrEnded) || errors.Is(err, ErrUnreadable) {
			return err
		}
		latest, err := latestIn(ctx, tx, old)
		if err != nil {
			return err
		}
		if latest != m {
			return ErrNotFound // its place is taken
		}
		label, _ := p.openLabel(old) // lost: what is named anew has no name either
		s, _ := p.openSeat(old)
		s.rotated = true
		if err := p.revoke(ctx, tx, old, s); err != nil {
			return err
		}
		var row inviteRow
		if inv, row, err = p.newInvite(old.appointment, old.position, label); err != nil {
			return err
		}
		if err := insertInvite(ctx, tx, row); err != nil {
			return err
		}
		return p.Trail.Add(ctx, tx, audit.Entry{Event: audit.EventRotate, By: by, Appointment: a.ID, Member: m})
	})
	if err != nil {
		return Issued{}, fmt.Errorf("rotate invite: %w", err)
	}
	p.forget(ctx)
	return inv, nil
}

// revoke forgets the link of r, whose seat is s, and frees the seat, and
// whatever of the invite is damaged with them.
func (p *Practice) revoke(ctx context.Context, tx *sql.Tx, r inviteRow, s seatState) error {
	s.revoked, s.admitted, s.resume = true, false, nil
	forget := "UPDATE invite SET link = NULL WHERE member = ?"
	if p.checkHost(r) != nil {
		forget = shred
	}
	if _, err := tx.ExecContext(ctx, forget, r.member); err != nil {
		return err
	}
	if _, err := p.openLabel(r); err != nil {
		if _, err := tx.ExecContext(ctx, "UPDATE invite SET label = ? WHERE member = ?", p.store.Seal(r.place("label"), nil), r.member); err != nil {
			return err
		}
	}
	return p.setSeat(ctx, tx, r, s)
}

// forget takes what was revoked out of the write-ahead log as well. The
// revocation has been committed, so a failure is no reason to say otherwise.
func (p *Practice) forget(ctx context.Context) {
	if err := p.store.Forget(ctx); err != nil {
		p.log.Warn("revoked links may still be in the write-ahead log", "err", err)
	}
}
