// Package address says what a multiaddr means to a node: from where it can be
// dialled, whether it leads through a relay, and which of many are worth naming
// to others. A node tells its own in signed peer records.
package address

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Max is how many addresses of one node travel in a record or card, or are
// kept.
const Max = 6

// A Reach says from where an address can be dialled, nearest last. DNS names
// count as public here; what they resolve to is judged when it is dialled.
type Reach int

// The reaches of an address.
const (
	Public Reach = iota
	Private
	Loopback
	Nowhere // unspecified, multicast, or a form we do not dial
)

// An Endpoint is what we understand of a multiaddr.
type Endpoint struct {
	Reach Reach
	QUIC  bool
	Relay peer.ID // if not empty, Reach and QUIC are this relay's
}

// Parse understands host/tcp/port and host/udp/port/quic-v1, where
// host is an IPv4 or IPv6 address or a DNS name, and circuits through a relay
// at such an address, host/…/p2p/relay/p2p-circuit; it reports whether a is one
// of these. What is not is nowhere.
func Parse(a ma.Multiaddr) (Endpoint, bool) {
	i := slices.IndexFunc(a, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT })
	if i < 0 {
		return parseDirect(a)
	}
	bad := Endpoint{Reach: Nowhere}
	if rest := a[i+1:]; len(rest) > 1 || len(rest) == 1 && rest[0].Protocol().Code != ma.P_P2P {
		return bad, false // circuits through circuits among them
	}
	if i == 0 || a[i-1].Protocol().Code != ma.P_P2P {
		return bad, false
	}
	relay, err := peer.IDFromBytes(a[i-1].RawValue())
	e, ok := parseDirect(a[:i-1])
	if err != nil || !ok {
		return bad, false
	}
	e.Relay = relay
	return e, true
}

func parseDirect(a ma.Multiaddr) (Endpoint, bool) {
	codes := make([]int, len(a))
	for i, c := range a {
		codes[i] = c.Protocol().Code
	}
	e := Endpoint{Reach: Nowhere}
	switch {
	case len(codes) == 2 && codes[1] == ma.P_TCP:
	case len(codes) == 3 && codes[1] == ma.P_UDP && codes[2] == ma.P_QUIC_V1:
		e.QUIC = true
	default:
		return e, false
	}
	switch codes[0] {
	case ma.P_DNS, ma.P_DNS4, ma.P_DNS6:
		e.Reach = Public
	case ma.P_IP4, ma.P_IP6:
		ip, _ := netip.AddrFromSlice(a[0].RawValue())
		e.Reach = ReachOfIP(ip)
	default:
		return e, false
	}
	return e, true
}

// ReachOf is the reach of a.
func ReachOf(a ma.Multiaddr) Reach {
	e, _ := Parse(a)
	return e.Reach
}

// special are the ranges that no node of ours can have on the public internet,
// beside those that netip names: shared (CGNAT), protocol assignments,
// documentation, benchmarking, 6to4 and Teredo, which embed other addresses,
// and reserved.
var special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

// globalV6 is all that has been given out for unicast so far; IPv4 addresses
// in IPv6 clothes are outside it.
var globalV6 = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// ReachOfIP is the reach of an IP address.
func ReachOfIP(ip netip.Addr) Reach {
	ip = ip.Unmap().WithZone("")
	switch {
	case ip.IsLoopback():
		return Loopback
	case !ip.IsValid(), ip.IsUnspecified(), ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return Nowhere
	case !ip.IsGlobalUnicast(), ip.IsPrivate(), ip.Is6() && !globalV6.Contains(ip):
		return Private
	case slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) }):
		return Private
	}
	return Public
}

// ErrPrivate means that all addresses of a peer are outside the public internet,
// and the config does not allow those.
var ErrPrivate = errors.New("all addresses of this peer are private, and the config does not allow those")

// Allowed reports whether a node that allows private addresses or not may dial
// or name an address of this reach.
func (r Reach) Allowed(allowPrivate bool) bool {
	return r == Public || allowPrivate && r != Nowhere
}

// Pick returns at most limit of the addresses that may be dialled, the
// best first: direct before circuits, public before private before loopback,
// QUIC before TCP, of which one is kept, the given order otherwise. Circuits have half of the places
// if they need them: a node that has any is likely to need it.
func Pick(addrs []ma.Multiaddr, allowPrivate bool, limit int) []ma.Multiaddr {
	var picked []ma.Multiaddr
	for _, a := range addrs {
		known := slices.ContainsFunc(picked, func(b ma.Multiaddr) bool { return a.Equal(b) })
		if !known && ReachOf(a).Allowed(allowPrivate) {
			picked = append(picked, a)
		}
	}
	slices.SortStableFunc(picked, func(a, b ma.Multiaddr) int {
		x, _ := Parse(a)
		y, _ := Parse(b)
		return cmp.Or(compareBool(x.Relay != "", y.Relay != ""), cmp.Compare(x.Reach, y.Reach), -compareBool(x.QUIC, y.QUIC))
	})
	direct := Direct(picked)
	circuits := picked[len(direct):]
	room := min(len(circuits), max(limit/2, limit-len(direct)))
	return slices.Concat(first(direct, limit-room), first(circuits, room))
}

// first returns the first n of addrs, with one that is TCP if there is any:
// some networks let nothing else through.
func first(addrs []ma.Multiaddr, n int) []ma.Multiaddr {
	if len(addrs) <= n {
		return addrs
	}
	isTCP := func(a ma.Multiaddr) bool { e, _ := Parse(a); return !e.QUIC }
	kept, rest := slices.Clone(addrs[:n]), addrs[n:]
	if i := slices.IndexFunc(rest, isTCP); n > 1 && i >= 0 && !slices.ContainsFunc(kept, isTCP) {
		kept[n-1] = rest[i]
	}
	return kept
}

// Direct returns the addresses that need no relay, in their order.
func Direct(addrs []ma.Multiaddr) []ma.Multiaddr {
	return slices.DeleteFunc(slices.Clone(addrs), IsCircuit)
}

func IsCircuit(a ma.Multiaddr) bool {
	return slices.ContainsFunc(a, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT })
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// IP is the IP address that a multiaddr begins with, if any.
func IP(a ma.Multiaddr) netip.Addr {
	if len(a) == 0 || a[0].Protocol().Code != ma.P_IP4 && a[0].Protocol().Code != ma.P_IP6 {
		return netip.Addr{}
	}
	ip, _ := netip.AddrFromSlice(a[0].RawValue())
	return ip.Unmap()
}

// Subnet is the /24 or /48 that an IP multiaddr belongs to; a circuit is in none.
func Subnet(a ma.Multiaddr) (netip.Prefix, bool) {
	if len(a) == 0 || IsCircuit(a) {
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
