package node

import (
	"context"

	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// Cancel ends an appointment in the name of by: its links say so from now on, and who is in the
// room is sent away.
func (n *Node) Cancel(ctx context.Context, by, appointment string) error {
	if err := n.practice.Cancel(ctx, by, appointment); err != nil {
		return err
	}
	n.relays.RevokeCall(appointment)
	n.mu.Lock()
	r := n.rooms[appointment]
	delete(n.rooms, appointment)
	n.mu.Unlock()
	if r != nil {
		r.Close(wire.ErrCancelled)
	}
	return nil
}

// Revoke makes m's link useless at once, and sends m away.
func (n *Node) Revoke(ctx context.Context, by string, m wire.MemberID) error {
	if err := n.practice.Revoke(ctx, by, m); err != nil {
		return err
	}
	n.dismiss(m, wire.ErrRevoked)
	return nil
}

// Rotate gives m's seat a new link; the old one is revoked.
func (n *Node) Rotate(ctx context.Context, by string, m wire.MemberID) (practice.Issued, error) {
	inv, err := n.practice.Rotate(ctx, by, m)
	if err != nil {
		return practice.Issued{}, err
	}
	n.dismiss(m, wire.ErrRotated)
	return inv, nil
}

func (n *Node) dismiss(m wire.MemberID, reason *wire.Error) {
	n.relays.RevokeSeat(m)
	n.mu.Lock()
	for _, r := range n.rooms {
		r.Dismiss(m, reason)
	}
	n.mu.Unlock()
}
