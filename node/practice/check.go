package practice

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"anteroom/node/store"
)

// Check reads the whole database and opens every record in it but the audit
// trail's. It fails with ErrDamaged if the database is not whole, and with a
// *store.UnreadableError if records are not as they were written, or both.
func (p *Practice) Check(ctx context.Context) error {
	whole := p.store.Check(ctx)
	if whole != nil && !errors.Is(whole, ErrDamaged) {
		return whole
	}
	var found store.UnreadableError
	err := p.store.Read(ctx, func(tx *sql.Tx) error {
		for _, each := range []func(context.Context, *sql.Tx, func(ok bool)) error{
			p.People.Each, p.eachOfDiary, p.eachInvite,
		} {
			err := each(ctx, tx, func(ok bool) {
				found.All++
				if !ok {
					found.Damaged++
				}
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return errors.Join(whole, fmt.Errorf("open records: %w", err))
	case found.Damaged > 0:
		return errors.Join(whole, &found)
	}
	return whole
}

// eachOfDiary reports on appointments. One whose practitioner does not exist is
// nobody's.
func (p *Practice) eachOfDiary(ctx context.Context, tx *sql.Tx, report func(ok bool)) error {
	known := make(map[string]bool)
	err := eachText(ctx, tx, "SELECT CAST(ifnull(id, '') AS TEXT) FROM practitioner", func(id string) { known[id] = true })
	if err != nil {
		return err
	}
	return eachAppointment(ctx, tx, "", nil, func(r appointmentRow) error {
		report(known[r.practitioner] && !p.openAppointment(r).Damaged)
		return nil
	})
}

// eachInvite reports on invites, those that were replaced as well.
func (p *Practice) eachInvite(ctx context.Context, tx *sql.Tx, report func(ok bool)) error {
	known := make(map[string]bool)
	err := eachText(ctx, tx, "SELECT CAST(ifnull(id, '') AS TEXT) FROM appointment", func(id string) { known[id] = true })
	if err != nil {
		return err
	}
	rows, err := inviteRows(ctx, tx, "")
	if err != nil {
		return err
	}
	type place struct {
		appointment string
		position    int
	}
	taken := make(map[place]bool) // by a link that is not revoked
	for _, r := range rows {
		at := place{r.appointment, r.position}
		p.lookForHarm(r)
		report(known[r.appointment] && !p.openInvite(r).Damaged && !(r.link != nil && taken[at]))
		taken[at] = taken[at] || r.link != nil
	}
	return nil
}

func eachText(ctx context.Context, tx *sql.Tx, query string, fn func(string)) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		fn(text)
	}
	return rows.Err()
}
