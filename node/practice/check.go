package practice

import (
	"bytes"
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
			p.eachName, p.eachPractitioner, p.eachOfDiary, p.eachInvite, p.eachSession,
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

// eachName reports on the practice's name, which is there once it is set up.
func (p *Practice) eachName(ctx context.Context, tx *sql.Tx, report func(ok bool)) error {
	info, err := p.info(ctx, tx)
	if err == nil && info != (Info{}) {
		report(info.Name != "" && info.Name != unreadable && info.Practitioners > 0)
	}
	return err
}

func (p *Practice) eachPractitioner(ctx context.Context, tx *sql.Tx, report func(ok bool)) error {
	rows, err := tx.QueryContext(ctx, "SELECT CAST(ifnull(id, '') AS TEXT), name_index, name, password FROM practitioner")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var index, sealed, sealedPHC []byte
		if err := rows.Scan(&id, &index, &sealed, &sealedPHC); err != nil {
			return err
		}
		name, ok := p.openName("practitioner", id, sealed)
		plain, err := p.store.Unseal(passwordPlace(id), sealedPHC)
		if err == nil {
			_, err = parsePHC(string(plain))
		}
		report(ok && err == nil && bytes.Equal(index, p.nameIndex(name)))
	}
	return rows.Err()
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

func (p *Practice) eachSession(ctx context.Context, tx *sql.Tx, report func(ok bool)) error {
	return p.Sessions().each(ctx, tx, func(token string, sealed []byte) {
		plain, err := p.store.Unseal(sessionPlace(token), sealed)
		report(err == nil && len(plain) >= 8)
	})
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
