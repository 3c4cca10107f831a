package practice

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"anteroom/rendezvous/wire"
)

const (
	// shredAfter is how long after the window an invite's keys are kept, so
	// that a guest who is late hears "ended" and not "unknown".
	shredAfter = 24 * time.Hour

	// forgetAfter is how long after the window the diary shows an appointment.
	forgetAfter = 30 * 24 * time.Hour

	// copiesFor is how long the database as it was before a migration is kept:
	// it holds what has been forgotten since.
	copiesFor = 7 * 24 * time.Hour
)

// Sweep forgets what is over at now: the keys of invites a day after the
// window, of revoked ones as soon as it closes; appointments after a month;
// sessions that have expired; old copies of the database. It goes by the clock
// only as far as that is believed. Call it often.
func (p *Practice) Sweep(ctx context.Context, now time.Time) error {
	clock := now
	now = p.life.pass(clock)
	if err := p.keepLifeIfDue(ctx); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if err := p.sweep(ctx, now); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return errors.Join(p.store.ForgetCopies(now.Add(-copiesFor), p.life.latest(clock)), p.store.SetAside())
}

func (p *Practice) sweep(ctx context.Context, now time.Time) error {
	var d due
	// Mostly there is nothing to do, and then no writer has to wait.
	err := p.store.Read(ctx, func(tx *sql.Tx) (err error) {
		d, err = p.due(ctx, tx, now)
		return err
	})
	if err != nil || d.nothing() {
		return err
	}
	err = p.change(ctx, func(tx *sql.Tx) (err error) {
		if d, err = p.due(ctx, tx, now); err != nil {
			return err
		}
		return p.discard(ctx, tx, d)
	})
	if err != nil {
		return err
	}
	p.log.Info("expired rows forgotten", "n", len(d.invites)+len(d.appointments)+len(d.sessions))
	return p.store.Forget(ctx)
}

// due is what is to be forgotten.
type due struct {
	invites      []wire.MemberID
	appointments []string
	sessions     []string
}

func (d due) nothing() bool {
	return len(d.invites)+len(d.appointments)+len(d.sessions) == 0
}

func (p *Practice) due(ctx context.Context, tx *sql.Tx, now time.Time) (d due, err error) {
	err = eachAppointment(ctx, tx, "", nil, func(r appointmentRow) error {
		if a := p.openPlan(r); !a.lost() && !now.Before(a.Closes().Add(forgetAfter)) {
			d.appointments = append(d.appointments, a.ID)
		}
		return nil
	})
	if err != nil {
		return due{}, err
	}
	rows, err := seatRows(ctx, tx, "WHERE i.key IS NOT NULL")
	if err != nil {
		return due{}, err
	}
	for _, r := range rows {
		a := p.openPlan(r.of)
		if a.lost() {
			continue // nobody can tell when it is over
		}
		s, _ := p.openSeat(r.inviteRow)
		if !now.Before(a.Closes().Add(shredAfter)) || s.revoked && !now.Before(a.Closes()) {
			d.invites = append(d.invites, r.member)
		}
	}
	d.sessions, err = p.People.Sessions().Expired(ctx, tx, now)
	return d, err
}

// shred forgets a member's link and keys for good.
const shred = "UPDATE invite SET rid = NULL, key = NULL, link = NULL, host = NULL WHERE member = ?"

func (p *Practice) discard(ctx context.Context, tx *sql.Tx, d due) error {
	for _, m := range d.invites {
		if _, err := tx.ExecContext(ctx, shred, m); err != nil {
			return err
		}
	}
	for _, id := range d.appointments {
		if _, err := tx.ExecContext(ctx, "DELETE FROM appointment WHERE id = ?", id); err != nil {
			return err
		}
	}
	return p.People.Sessions().Forget(ctx, tx, d.sessions)
}
