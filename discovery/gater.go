package discovery

import (
	"net/netip"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// gater decides who may be dialled and who may stay connected. Every address
// passes it after name resolution, so no record, card or DNS answer can make
// this node dial into its own network.
//
// It is made before the host; conns is nil until then, when nobody can call.
type gater struct {
	allowPrivate bool
	blocked      map[peer.ID]bool      // never changes
	trusted      func(peer.ID) bool    // is this peer configured?
	conns        func() []network.Conn // all of the host's
	dials        atomic.Int64          // outgoing connections asked for
}

var _ connmgr.ConnectionGater = (*gater)(nil)

// InterceptPeerDial implements connmgr.ConnectionGater.
func (g *gater) InterceptPeerDial(p peer.ID) bool {
	g.dials.Add(1)
	return !g.blocked[p]
}

// InterceptAddrDial implements connmgr.ConnectionGater.
func (g *gater) InterceptAddrDial(_ peer.ID, a ma.Multiaddr) bool {
	return reachable(a).allowed(g.allowPrivate)
}

// InterceptAccept implements connmgr.ConnectionGater.
func (g *gater) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured implements connmgr.ConnectionGater. The bound on strangers
// of one subnet counts connections that are complete, so a burst can exceed
// it by what is under way at that moment.
func (g *gater) InterceptSecured(dir network.Direction, p peer.ID, c network.ConnMultiaddrs) bool {
	if g.blocked[p] {
		return false
	}
	if dir == network.DirOutbound || g.allowPrivate || g.trusted(p) {
		return true
	}
	subnet, ok := subnetOf(c.RemoteMultiaddr())
	if !ok {
		return false
	}
	neighbours := make(map[peer.ID]bool)
	for _, other := range g.conns() {
		q := other.RemotePeer()
		if s, ok := subnetOf(other.RemoteMultiaddr()); ok && s == subnet && q != p && !g.trusted(q) {
			neighbours[q] = true
		}
	}
	return len(neighbours) < maxPerSubnet
}

// InterceptUpgraded implements connmgr.ConnectionGater.
func (g *gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// subnetOf is the /24 or /48 that an IP multiaddr belongs to.
func subnetOf(a ma.Multiaddr) (netip.Prefix, bool) {
	if len(a) == 0 {
		return netip.Prefix{}, false
	}
	ip, ok := netip.AddrFromSlice(a[0].RawValue())
	if !ok {
		return netip.Prefix{}, false
	}
	ip = ip.Unmap()
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	subnet, err := ip.Prefix(bits)
	return subnet, err == nil
}
