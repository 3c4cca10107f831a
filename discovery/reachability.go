package discovery

import (
	"context"
	"net/netip"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/circuits"
	"anteroom/discovery/reach"
)

// Reachability is how far others can call this node, as far as it knows.
type Reachability struct {
	// Of the node's public addresses: those at which a configured peer that
	// serves the DHT has reached it within the hour, those at which one could
	// not, and those that none has tried.
	Reached, Unreached, Untried []ma.Multiaddr

	Relays []RelayStatus // in the order of Config.Relays
}

// RelayStatus is how things stand at one relay.
type RelayStatus = circuits.Status

// Reachability says how far others can call this node now.
func (d *Discovery) Reachability() Reachability {
	r := Reachability{Relays: d.reservations.Status(d.host)}
	r.Reached, r.Unreached, r.Untried = d.prober.Results()
	return r
}

// ErrRelayed means that a connection goes through a relay, so nobody here
// knows where its other end is.
var ErrRelayed = reach.ErrRelayed

// Trusts reports whether the operator named p: as a peer of whatever kind, or
// in RelayFor.
func (d *Discovery) Trusts(p peer.ID) bool { return d.gater.Trusted(p) }

// ObservedAddr returns the IP address at which the other end of c is seen from here.
// It fails with ErrRelayed, and, with the address, with ErrPrivatePeer if that
// is not on the public internet and the config does not allow those.
func (d *Discovery) ObservedAddr(c network.Conn) (netip.Addr, error) {
	return reach.Observed(c, d.allowPrivate)
}

// AnswersUDP reports whether a node answers at one of its UDP addresses.
func (d *Discovery) AnswersUDP(ctx context.Context, of peer.AddrInfo) bool {
	return reach.AnswersUDP(ctx, d.host, of)
}
