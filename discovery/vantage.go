package discovery

import (
	"errors"
	"net/netip"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery/address"
)

// ErrRelayed means that a connection goes through a relay, so nobody here
// knows where its other end is.
var ErrRelayed = errors.New("the connection goes through a relay")

// Trusts reports whether the operator named p: as a peer of whatever kind, or
// in RelayFor.
func (d *Discovery) Trusts(p peer.ID) bool { return d.gater.Trusted(p) }

// Vantage returns the IP address at which the other end of c is seen from here.
// It fails with ErrRelayed, and, with the address, with ErrPrivatePeer if that
// is not on the public internet and the config does not allow those.
func (d *Discovery) Vantage(c network.Conn) (netip.Addr, error) {
	return vantage(c, d.allowPrivate)
}

func vantage(c network.Conn, allowPrivate bool) (netip.Addr, error) {
	a := c.RemoteMultiaddr()
	e, ok := address.Parse(a)
	if c.Stat().Limited || address.IsCircuit(a) || e.Relay != "" {
		return netip.Addr{}, ErrRelayed
	}
	if !ok {
		return netip.Addr{}, ErrPrivatePeer
	}
	ip, ok := netip.AddrFromSlice(a[0].RawValue()) // a name would not be 4 or 16 bytes of one
	if code := a[0].Protocol().Name; !ok || code != "ip4" && code != "ip6" {
		return netip.Addr{}, ErrPrivatePeer
	}
	ip = ip.Unmap()
	if !address.ReachOfIP(ip).Allowed(allowPrivate) {
		return ip, ErrPrivatePeer
	}
	return ip, nil
}
