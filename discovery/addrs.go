package discovery

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	// maxAddrs is how many addresses of one node travel in a record or card,
	// or are kept.
	maxAddrs = 6

	// MaxSignedRecord is the most bytes that SignedRecord returns and Consume
	// takes: 512 less room for a flag and lengths.
	MaxSignedRecord = 500
)

var (
	// ErrNoAddress means that a node has no address at which others could
	// reach it.
	ErrNoAddress = errors.New("no reachable address")

	// errBadPeerRecord is what every refusal of a signed peer record wraps.
	errBadPeerRecord = errors.New("bad peer record")
)

// A reach says from where an address can be dialled, nearest last. DNS names
// count as public here; what they resolve to is judged when it is dialled.
type reach int

const (
	public reach = iota
	private
	loopback
	nowhere // unspecified, multicast, or a form we do not dial
)

// endpoint is what we understand of a multiaddr.
type endpoint struct {
	reach reach
	quic  bool
	relay peer.ID // if not empty, reach and quic are this relay's
}

// parseEndpoint understands host/tcp/port and host/udp/port/quic-v1, where
// host is an IPv4 or IPv6 address or a DNS name, and circuits through a relay
// at such an address, host/…/p2p/relay/p2p-circuit; it reports whether a is one
// of these. What is not is nowhere.
func parseEndpoint(a ma.Multiaddr) (endpoint, bool) {
	i := slices.IndexFunc(a, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT })
	if i < 0 {
		return parseDirect(a)
	}
	bad := endpoint{reach: nowhere}
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
	e.relay = relay
	return e, true
}

func parseDirect(a ma.Multiaddr) (endpoint, bool) {
	codes := make([]int, len(a))
	for i, c := range a {
		codes[i] = c.Protocol().Code
	}
	e := endpoint{reach: nowhere}
	switch {
	case len(codes) == 2 && codes[1] == ma.P_TCP:
	case len(codes) == 3 && codes[1] == ma.P_UDP && codes[2] == ma.P_QUIC_V1:
		e.quic = true
	default:
		return e, false
	}
	switch codes[0] {
	case ma.P_DNS, ma.P_DNS4, ma.P_DNS6:
		e.reach = public
	case ma.P_IP4, ma.P_IP6:
		ip, _ := netip.AddrFromSlice(a[0].RawValue())
		e.reach = reachOf(ip)
	default:
		return e, false
	}
	return e, true
}

// reachable is the reach of a.
func reachable(a ma.Multiaddr) reach {
	e, _ := parseEndpoint(a)
	return e.reach
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

func reachOf(ip netip.Addr) reach {
	ip = ip.Unmap().WithZone("")
	switch {
	case ip.IsLoopback():
		return loopback
	case !ip.IsValid(), ip.IsUnspecified(), ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return nowhere
	case !ip.IsGlobalUnicast(), ip.IsPrivate(), ip.Is6() && !globalV6.Contains(ip):
		return private
	case slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) }):
		return private
	}
	return public
}

// allowed reports whether a node that allows private addresses or not may dial
// or name an address of this reach.
func (r reach) allowed(allowPrivate bool) bool {
	return r == public || allowPrivate && r != nowhere
}

// pickAddrs returns at most limit of the addresses that may be dialled, the
// best first: direct before circuits, public before private before loopback,
// QUIC before TCP, of which one is kept, the given order otherwise. Circuits have half of the places
// if they need them: a node that has any is likely to need it.
func pickAddrs(addrs []ma.Multiaddr, allowPrivate bool, limit int) []ma.Multiaddr {
	var picked []ma.Multiaddr
	for _, a := range addrs {
		known := slices.ContainsFunc(picked, func(b ma.Multiaddr) bool { return a.Equal(b) })
		if !known && reachable(a).allowed(allowPrivate) {
			picked = append(picked, a)
		}
	}
	slices.SortStableFunc(picked, func(a, b ma.Multiaddr) int {
		x, _ := parseEndpoint(a)
		y, _ := parseEndpoint(b)
		return cmp.Or(compareBool(x.relay != "", y.relay != ""), cmp.Compare(x.reach, y.reach), -compareBool(x.quic, y.quic))
	})
	direct := withoutCircuits(picked)
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
	isTCP := func(a ma.Multiaddr) bool { e, _ := parseEndpoint(a); return !e.quic }
	kept, rest := slices.Clone(addrs[:n]), addrs[n:]
	if i := slices.IndexFunc(rest, isTCP); n > 1 && i >= 0 && !slices.ContainsFunc(kept, isTCP) {
		kept[n-1] = rest[i]
	}
	return kept
}

// withoutCircuits returns the addresses that need no relay, in their order.
func withoutCircuits(addrs []ma.Multiaddr) []ma.Multiaddr {
	return slices.DeleteFunc(slices.Clone(addrs), isCircuit)
}

func isCircuit(a ma.Multiaddr) bool {
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

// sealAddrs returns a libp2p signed peer record of as many of addrs, in their
// order, as fit into limit bytes.
func sealAddrs(key crypto.PrivKey, addrs []ma.Multiaddr, limit int) ([]byte, error) {
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("seal peer record: %w", err)
	}
	for {
		envelope, err := record.Seal(peer.PeerRecordFromAddrInfo(peer.AddrInfo{ID: id, Addrs: addrs}), key)
		if err != nil {
			return nil, fmt.Errorf("seal peer record: %w", err)
		}
		data, err := envelope.Marshal()
		if err != nil {
			return nil, fmt.Errorf("seal peer record: %w", err)
		}
		if len(data) <= limit {
			return data, nil
		}
		if len(addrs) == 0 {
			return nil, errors.New("seal peer record: limit too small")
		}
		addrs = addrs[:len(addrs)-1]
	}
}

// openAddrs returns what a signed peer record says, if the node it speaks of
// signed it with an Ed25519 key. The addresses are as they came.
func openAddrs(data []byte) (peer.AddrInfo, error) {
	var rec peer.PeerRecord
	envelope, err := record.ConsumeTypedEnvelope(data, &rec)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: not signed", errBadPeerRecord)
	}
	if envelope.PublicKey.Type() != crypto.Ed25519 || !rec.PeerID.MatchesPublicKey(envelope.PublicKey) {
		return peer.AddrInfo{}, fmt.Errorf("%w: signed by another node", errBadPeerRecord)
	}
	return peer.AddrInfo{ID: rec.PeerID, Addrs: rec.Addrs}, nil
}

// SignedRecord returns this node's signed peer record: at most 6 addresses,
// public QUIC first, circuits through its relays last, at most MaxSignedRecord bytes. It fails with ErrNoAddress
// if the node knows no address at which others could reach it.
func (d *Discovery) SignedRecord() ([]byte, error) {
	addrs := d.Addrs()
	if len(addrs) == 0 {
		return nil, ErrNoAddress
	}
	return sealAddrs(d.key, addrs, MaxSignedRecord)
}

// Consume checks a signed peer record that came from elsewhere and returns the
// addresses in it that may be dialled from here, perhaps none: a node without
// a public address may be connected all the same.
func (d *Discovery) Consume(signed []byte) (peer.AddrInfo, error) {
	if len(signed) > MaxSignedRecord {
		return peer.AddrInfo{}, fmt.Errorf("%w: too large", errBadPeerRecord)
	}
	info, err := openAddrs(signed)
	if err != nil {
		return peer.AddrInfo{}, err
	}
	info.Addrs = pickAddrs(info.Addrs, d.allowPrivate, maxAddrs)
	return info, nil
}
