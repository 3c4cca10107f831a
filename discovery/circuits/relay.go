// Package circuits takes calls through relays: it is one for a list of clients, and
// it keeps reservations at a node's own, with the connections that carry them
// alive.
package circuits

import (
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
	"anteroom/discovery/admission"
	"anteroom/discovery/host"
	"anteroom/discovery/limit"
)

const (
	// circuitsPerCaller is how many of them one caller may have, and
	// callsPerMinute how often it may ask for one. A gateway needs one for each
	// node that it has guests for.
	circuitsPerCaller = 16
	callsPerMinute    = 60

	// maxClients bounds RelayConfig.Clients.
	maxClients = 256
)

// DefaultLimit is what one circuit may carry: signalling for a day of
// consultations, and no call. libp2p's limits, 128 KiB and 2 minutes, would
// cut off whoever waits in a waiting room.
var DefaultLimit = relay.RelayLimit{Duration: 4 * time.Hour, Data: 8 << 20}

// A RelayConfig says whom a relay serves.
type RelayConfig struct {
	Clients      []peer.ID        // at most 256 nodes
	AllowPrivate bool             // they may come from addresses that are not on the public internet
	Limit        relay.RelayLimit // of one circuit
}

// NewRelay starts the relay service, for its clients alone. Limits by address
// or network, which keep strangers from taking all places, would only hurt:
// one provider's customers can share an address.
func NewRelay(h *host.Host, cfg RelayConfig) (*relay.Relay, error) {
	if len(cfg.Clients) > maxClients {
		return nil, fmt.Errorf("for more than %d nodes", maxClients)
	}
	listed := make(map[peer.ID]bool)
	for _, p := range cfg.Clients {
		if p.Validate() != nil || p == h.ID() {
			return nil, errors.New("for a node without ID, or for itself")
		}
		listed[p] = true
	}
	clients := len(cfg.Clients)
	h.Gater.Manager.Serve(proto.ProtoIDv2Hop, relay.StreamTimeout)
	return relay.New(h,
		relay.WithACL(&accessList{
			clients: listed,
			network: h.Network(),
			calls:   limit.NewRate(time.Minute/callsPerMinute, circuitsPerCaller),
		}),
		relay.WithResources(relay.Resources{
			Limit:                 &cfg.Limit,
			ReservationTTL:        time.Hour,
			MaxReservations:       clients,
			MaxReservationsPerIP:  clients,
			MaxReservationsPerASN: clients,
			MaxCircuits:           admission.CircuitsPerPeer,
			BufferSize:            4 << 10, // twice for each circuit
		}),
		relay.WithReservationAddressFilter(func(a ma.Multiaddr) bool {
			return !address.IsCircuit(a) && address.ReachOf(a).Allowed(cfg.AllowPrivate)
		}),
	)
}

// An accessList holds those that a relay serves. Whoever knows where they are
// may call them: that is what they are there for.
type accessList struct {
	clients map[peer.ID]bool // never changes
	network network.Network
	calls   *limit.Rate
}

var _ relay.ACLFilter = (*accessList)(nil)

// AllowReserve implements relay.ACLFilter. A client that comes from another
// address than before has moved, and callers must not be sent to where it was:
// that connection would swallow them until it is known to be dead.
func (l *accessList) AllowReserve(p peer.ID, from ma.Multiaddr) bool {
	if !l.clients[p] {
		return false
	}
	for _, c := range l.network.ConnsToPeer(p) {
		a := c.RemoteMultiaddr()
		if c.Stat().Direction == network.DirInbound && !address.IsCircuit(a) && !a.Equal(from) {
			_ = c.Close()
		}
	}
	return true
}

// AllowConnect implements relay.ACLFilter. libp2p has one bound for callers and
// called; theirs must be lower, lest one caller take all places of a client.
func (l *accessList) AllowConnect(from peer.ID, _ ma.Multiaddr, to peer.ID) bool {
	if !l.clients[to] || !l.calls.Allow(from) {
		return false
	}
	circuits := 0
	for _, c := range l.network.ConnsToPeer(from) {
		for _, s := range c.GetStreams() {
			if s.Protocol() == proto.ProtoIDv2Hop { // each is one, this call included
				circuits++
			}
		}
	}
	return circuits <= circuitsPerCaller
}
