package discovery

import (
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
)

// gater decides who may be dialled and who may stay connected. Every address
// passes it after name resolution, so no record, card or DNS answer can make
// this node dial into its own network.
//
// It is made before the host; door is nil until then, when nobody can call, and
// useful until there is a DHT.
type gater struct {
	self         peer.ID
	allowPrivate bool
	relays       map[peer.ID]bool // that may bring callers; never changes
	lan          neighbours
	partners     map[peer.ID]bool   // never changes
	trusted      func(peer.ID) bool // is this peer configured?
	useful       func(peer.ID) bool // is this peer in the routing table?
	door         *doorkeeper
	dials        atomic.Int64 // outgoing connections asked for
}

var _ connmgr.ConnectionGater = (*gater)(nil)

// InterceptPeerDial implements connmgr.ConnectionGater.
func (g *gater) InterceptPeerDial(peer.ID) bool {
	g.dials.Add(1)
	return true
}

// InterceptAddrDial implements connmgr.ConnectionGater. A circuit is as good as
// its relay's address, which passes here again when the relay is dialled.
func (g *gater) InterceptAddrDial(p peer.ID, a ma.Multiaddr) bool {
	e, _ := address.Parse(a)
	if e.Relay != "" && (e.Relay == g.self || e.Relay == p) {
		return false
	}
	return e.Reach.Allowed(g.allowPrivate) || g.lan.has(p, a)
}

// InterceptAccept implements connmgr.ConnectionGater.
func (g *gater) InterceptAccept(c network.ConnMultiaddrs) bool { return g.door.accept(c) }

// InterceptSecured implements connmgr.ConnectionGater. All who come through a
// relay have its address: how many may is the relay's business, and only ours
// are let in.
func (g *gater) InterceptSecured(dir network.Direction, _ peer.ID, c network.ConnMultiaddrs) bool {
	if a := c.RemoteMultiaddr(); dir == network.DirInbound && address.IsCircuit(a) {
		e, _ := address.Parse(a)
		return g.relays[e.Relay]
	}
	return true
}

// InterceptUpgraded implements connmgr.ConnectionGater.
func (g *gater) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	return g.door.stays(c), 0
}

// known reports whether the operator named p.
func (g *gater) known(p peer.ID) bool { return g.partners[p] || g.trusted(p) }
