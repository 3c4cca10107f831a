package node

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/rendezvous/wire"
)

// Clear is what Run does every minute.
func (n *Node) Clear() { n.clear(n.lifetime) }

// PatienceAfter is how long after the window somebody may go on waiting.
const PatienceAfter = patienceAfter

// Told reports whether a home node has told that rid is one of its.
func (n *Node) Told(rid [32]byte) bool { return n.finder.Told(rid) }

// Expecting reports whether guests wait for home nodes that have yet to call.
func (n *Node) Expecting() bool { return n.finder.Expecting() }

// LikelyLenders returns those that a welcome waits for.
func (n *Node) LikelyLenders() []peer.ID { return n.relays.Likely() }

// End is what Run does last.
func (n *Node) End() {
	n.stop(wire.ErrGoingAway)
	n.closeRooms(wire.ErrGoingAway)
}

// MaxTests is how often a guest may test their connection on one channel.
const MaxTests = maxTests
