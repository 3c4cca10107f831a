// Package reach is about how a node can be reached: the addresses that its computer
// has now, those that others have tried, and those at which others are seen.
package reach

import (
	"errors"
	"net/netip"

	"github.com/libp2p/go-libp2p/core/network"

	"anteroom/discovery/address"
)

// ErrRelayed means that a connection goes through a relay, so nobody here
// knows where its other end is.
var ErrRelayed = errors.New("the connection goes through a relay")

// Observed returns the IP address at which the other end of c is seen from here.
// It fails with ErrRelayed, and, with the address, with address.ErrPrivate if that
// is not on the public internet and those are not allowed.
func Observed(c network.Conn, allowPrivate bool) (netip.Addr, error) {
	a := c.RemoteMultiaddr()
	e, ok := address.Parse(a)
	if c.Stat().Limited || address.IsCircuit(a) || e.Relay != "" {
		return netip.Addr{}, ErrRelayed
	}
	if !ok {
		return netip.Addr{}, address.ErrPrivate
	}
	ip, ok := netip.AddrFromSlice(a[0].RawValue()) // a name would not be 4 or 16 bytes of one
	if code := a[0].Protocol().Name; !ok || code != "ip4" && code != "ip6" {
		return netip.Addr{}, address.ErrPrivate
	}
	ip = ip.Unmap()
	if !address.ReachOfIP(ip).Allowed(allowPrivate) {
		return ip, address.ErrPrivate
	}
	return ip, nil
}
