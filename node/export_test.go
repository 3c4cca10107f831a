package node

import "anteroom/rendezvous/wire"

// Clear is what Run does every minute.
func (n *Node) Clear() { n.clear(n.lifetime) }

// PatienceAfter is how long after the window somebody may go on waiting.
const PatienceAfter = patienceAfter

// Told reports whether a home node has told that rid is one of its.
func (n *Node) Told(rid [32]byte) bool {
	_, ok, _ := n.homes.of(rid)
	return ok
}

// End is what Run does last.
func (n *Node) End() {
	n.stop(wire.ErrGoingAway)
	n.closeRooms(wire.ErrGoingAway)
}
