package practice

import (
	"context"
	"database/sql"

	"anteroom/node/store"
	"anteroom/rendezvous/wire"
)

// eachAppointment calls fn for every stored appointment that the WHERE clause
// lets through.
func eachAppointment(ctx context.Context, tx *sql.Tx, where string, args []any, fn func(appointmentRow) error) error {
	rows, err := tx.QueryContext(ctx, "SELECT "+appointmentColumns+" FROM appointment a "+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r appointmentRow
		if err := rows.Scan(r.fields()...); err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// appointment returns an appointment without its invites, or ErrNotFound.
func (p *Practice) appointment(ctx context.Context, tx *sql.Tx, id string) (Appointment, error) {
	var r appointmentRow
	err := tx.QueryRowContext(ctx, "SELECT "+appointmentColumns+" FROM appointment a WHERE a.id = ?", id).Scan(r.fields()...)
	if err != nil {
		return Appointment{}, store.Found(err)
	}
	return p.openAppointment(r), nil
}

// inviteRows returns the invites that the WHERE clause lets through, by
// position and then by age.
func inviteRows(ctx context.Context, tx *sql.Tx, where string, args ...any) (list []inviteRow, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT "+inviteColumns+" FROM invite i "+where+" ORDER BY i.position, i.seq", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r inviteRow
		if err := rows.Scan(r.fields()...); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// addInvites adds the latest invite in each position of an appointment.
func (p *Practice) addInvites(ctx context.Context, tx *sql.Tx, a *Appointment) error {
	rows, err := inviteRows(ctx, tx, "WHERE i.appointment = ?", a.ID)
	if err != nil {
		return err
	}
	for i, r := range rows {
		// One that has a link was not replaced, whatever its position says.
		again := i+1 < len(rows) && rows[i+1].position == r.position
		if again && r.link == nil {
			continue
		}
		inv := p.openInvite(r)
		inv.Damaged = inv.Damaged || again
		a.Invites, a.Damaged = append(a.Invites, inv), a.Damaged || inv.Damaged
	}
	return nil
}

// inviteOf returns a member's invite and its appointment, or ErrNotFound.
func (p *Practice) inviteOf(ctx context.Context, tx *sql.Tx, m wire.MemberID) (r inviteRow, a Appointment, err error) {
	err = tx.QueryRowContext(ctx, "SELECT "+inviteColumns+" FROM invite i WHERE i.member = ?", m).Scan(r.fields()...)
	if err != nil {
		return inviteRow{}, Appointment{}, store.Found(err)
	}
	a, err = p.appointment(ctx, tx, r.appointment)
	return r, a, err
}

// latestIn returns whose invite counts in the position that r has.
func latestIn(ctx context.Context, tx *sql.Tx, r inviteRow) (m wire.MemberID, err error) {
	err = tx.QueryRowContext(ctx, "SELECT member FROM invite WHERE appointment = ? AND position = ? ORDER BY seq DESC LIMIT 1",
		r.appointment, r.position).Scan(&m)
	return m, err
}

func insertInvite(ctx context.Context, tx *sql.Tx, r inviteRow) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO invite (member, appointment, position, label, seat, rid, key, link, host)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, r.member, r.appointment, r.position, r.label, r.seat, r.rid, r.key, r.link, r.host)
	return err
}

func (p *Practice) setSeat(ctx context.Context, tx *sql.Tx, r inviteRow, s seatState) error {
	_, err := tx.ExecContext(ctx, "UPDATE invite SET seat = ? WHERE member = ?", p.store.Seal(r.place("seat"), s.encode()), r.member)
	return err
}
