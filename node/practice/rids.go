package practice

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"anteroom/rendezvous/wire"
)

// RIDs returns the rids of the invites whose links are answered here, if only
// with "early" or "ended": at most limit, those whose windows are nearest to now.
// What it returned before, known, saves it work: a rid never changes.
func (p *Practice) RIDs(ctx context.Context, now time.Time, limit int, known map[wire.MemberID][32]byte) (map[wire.MemberID][32]byte, error) {
	rids := make(map[wire.MemberID][32]byte)
	err := p.store.Read(ctx, func(tx *sql.Tx) error {
		rows, err := seatRows(ctx, tx, "WHERE i.key IS NOT NULL")
		if err != nil {
			return err
		}
		for _, r := range p.nearest(rows, now, limit) {
			if rid, ok := known[r.member]; ok {
				rids[r.member] = rid
				continue
			}
			if keys, err := p.openHost(r.inviteRow); err == nil { // a damaged one leads nowhere
				rids[r.member] = keys.Rendezvous.RID()
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read invites: %w", err)
	}
	return rids, nil
}

// nearest returns limit of rows: those that are open or open next, then those
// that closed last, and then those of which nobody can tell when they are.
func (p *Practice) nearest(rows []seatRow, now time.Time, limit int) []seatRow {
	if len(rows) <= limit {
		return rows
	}
	type dated struct {
		row  seatRow
		over bool
		away time.Duration
	}
	list := make([]dated, len(rows))
	for i, r := range rows {
		a := p.openPlan(r.of) // its times are zero, long over, if it is lost
		list[i] = dated{r, !now.Before(a.Closes()), a.Opens().Sub(now)}
		if list[i].over {
			list[i].away = now.Sub(a.Closes())
		}
	}
	slices.SortStableFunc(list, func(a, b dated) int {
		if a.over != b.over {
			if b.over {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.away, b.away)
	})
	rows = rows[:0:0]
	for _, d := range list[:limit] {
		rows = append(rows, d.row)
	}
	return rows
}
