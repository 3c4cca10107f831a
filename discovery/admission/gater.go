// Package admission decides who may be dialled, who gets in, and who stays: a
// Gater and a resource manager for libp2p, which between them see every connection
// and stream from its first packet to its last.
package admission

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
)

// Gater decides who may be dialled and who may stay connected. Every address
// passes it after name resolution, so no record, card or DNS answer can make
// this node dial into its own network.
//
// It is made before the host; Manager is nil until then, when nobody can call, and
// useful until there is a DHT.
type Gater struct {
	Self         peer.ID
	AllowPrivate bool
	Relays       map[peer.ID]bool             // that may bring callers; never changes
	OnLAN        func(peer.ID) []ma.Multiaddr // where was this node found on the LAN? nil: nowhere
	Partners     map[peer.ID]bool             // never changes
	Trusted      func(peer.ID) bool           // is this peer configured?
	InTable      func(peer.ID) bool           // is this peer in the routing table?
	Manager      *Manager
}

var _ connmgr.ConnectionGater = (*Gater)(nil)

// InterceptPeerDial implements connmgr.ConnectionGater.
func (g *Gater) InterceptPeerDial(peer.ID) bool {
	return true
}

// InterceptAddrDial implements connmgr.ConnectionGater. A circuit is as good as
// its relay's address, which passes here again when the relay is dialled.
func (g *Gater) InterceptAddrDial(p peer.ID, a ma.Multiaddr) bool {
	e, _ := address.Parse(a)
	if e.Relay != "" && (e.Relay == g.Self || e.Relay == p) {
		return false
	}
	return e.Reach.Allowed(g.AllowPrivate) || slices.ContainsFunc(g.found(p), a.Equal)
}

// InterceptAccept implements connmgr.ConnectionGater.
func (g *Gater) InterceptAccept(c network.ConnMultiaddrs) bool { return g.Manager.accept(c) }

// InterceptSecured implements connmgr.ConnectionGater. All who come through a
// relay have its address: how many may is the relay's business, and only ours
// are let in.
func (g *Gater) InterceptSecured(dir network.Direction, _ peer.ID, c network.ConnMultiaddrs) bool {
	if a := c.RemoteMultiaddr(); dir == network.DirInbound && address.IsCircuit(a) {
		e, _ := address.Parse(a)
		return g.Relays[e.Relay]
	}
	return true
}

// InterceptUpgraded implements connmgr.ConnectionGater.
func (g *Gater) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	return g.Manager.stays(c), 0
}

// found is where p was found on the LAN, if it was.
func (g *Gater) found(p peer.ID) []ma.Multiaddr {
	if g.OnLAN == nil {
		return nil
	}
	return g.OnLAN(p)
}

// known reports whether the operator named p.
func (g *Gater) known(p peer.ID) bool { return g.Partners[p] || g.Trusted(p) }
