package desk

import (
	"context"
	"errors"
	"fmt"

	"anteroom/node/desk/api"
	"anteroom/node/find"
	"anteroom/node/practice"
	"anteroom/node/room"
	"anteroom/rendezvous/wire"
)

// Join implements api.Calls. A guest needs no leave but their link.
func (a *Access) Join(ctx context.Context, conn wire.Conn, guest api.Arrival) error {
	return a.d.node.Join(ctx, conn, find.Arrival(guest))
}

// Attend implements api.Calls. A room is its practitioner's alone: not the
// operator's either.
func (a *Access) Attend(ctx context.Context, conn wire.Conn, at *wire.Attend) error {
	err := a.myAppointment(ctx, at.Appointment)
	if a.who.operator || errors.Is(err, practice.ErrNotFound) {
		err = errors.Join(wire.ErrNoSuchRoom, err)
	}
	if err != nil {
		room.Dismiss(conn, err)
		return fmt.Errorf("attend: %w", err)
	}
	return a.d.node.Attend(ctx, conn, at)
}

// Expects implements api.Calls.
func (a *Access) Expects(appointment string) bool {
	practitioner, expected := a.d.node.Expects(appointment)
	return expected && a.who.is(practitioner)
}

// Watch implements api.Diary. A tick says nothing of what has changed, so it is
// for whoever asks.
func (a *Access) Watch() (<-chan struct{}, func()) { return a.d.node.Watch() }
