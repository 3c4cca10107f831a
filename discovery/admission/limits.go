package admission

import (
	"slices"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	connrate "github.com/libp2p/go-libp2p/x/rate"
)

const (
	// maxTransientStreams is how many streams may be open whose protocol is not
	// known yet.
	maxTransientStreams = 64

	// CircuitsPerPeer is how many circuits one peer may have through a relay of
	// ours: for a hidden node, gateways that bring it guests at one time.
	CircuitsPerPeer = 64

	// MaxCircuits is how many circuits a relay carries in all.
	MaxCircuits = 256
)

// Limits bound those who connect to this node and whom its operator has not
// named. A network is an IPv4 /24 or IPv6 /48.
type Limits struct {
	Handshakes           int // who have not said who they are
	HandshakesPerNetwork int
	Strangers            int // connections; as many again may be in use by guests
	StrangersPerNetwork  int // nodes: enough for a company, too few to surround a node
}

// DefaultLimits are those of a zero Config.
var DefaultLimits = Limits{Handshakes: 64, HandshakesPerNetwork: 16, Strangers: 128, StrangersPerNetwork: 3}

// NewResources returns fixed limits, the same on every machine: what a
// stranger can make this process spend must not grow with the computer it
// runs on. They leave room for as many strangers as a Manager lets in, and
// for as many who are named, each of whom may have four connections.
//
// Between a relay and those it serves every circuit is a stream, and between
// partners every guest, so these peers, carriers, may have more.
func NewResources(places Limits, named int, carriers, clients []peer.ID) (network.ResourceManager, error) {
	base := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&base)
	const out, leaving = 256, 32 // Dialling, and those who have just given way
	handshakes := places.Handshakes + len(clients) + leaving
	named += len(carriers) + len(clients)
	in := handshakes + 2*places.Strangers + 4*named
	limits := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: rcmgr.LimitVal(in + out), ConnsInbound: rcmgr.LimitVal(in), ConnsOutbound: out,
			Streams: 1024, StreamsInbound: 1024, StreamsOutbound: 1024,
			// Strangers' streams over TCP have 64 MiB at most from the start.
			Memory: 192 << 20, FD: rcmgr.LimitVal(in + out),
		},
		Transient: rcmgr.ResourceLimits{
			Conns: rcmgr.LimitVal(handshakes + leaving), ConnsInbound: rcmgr.LimitVal(handshakes), ConnsOutbound: leaving,
			Streams: maxTransientStreams, StreamsInbound: maxTransientStreams, StreamsOutbound: maxTransientStreams,
			Memory: 32 << 20, FD: rcmgr.LimitVal(handshakes + leaving),
		},
		PeerDefault: rcmgr.ResourceLimits{
			Conns: 4, ConnsInbound: 4, ConnsOutbound: 4,
			Streams: 32, StreamsInbound: 32, StreamsOutbound: 32,
			// yamux reserves 256 KiB for each stream, so less than 8 MiB would
			// be a lower limit on streams, and over TCP only.
			Memory: 9 << 20, FD: 4,
		},
		Service: map[string]rcmgr.ResourceLimits{
			relay.ServiceName: {
				Streams: 2 * MaxCircuits, StreamsInbound: 2 * MaxCircuits, StreamsOutbound: 2 * MaxCircuits,
				Memory: 16 << 20,
			},
		},
		ServicePeer: map[string]rcmgr.ResourceLimits{
			relay.ServiceName: {
				Streams: 2 * CircuitsPerPeer, StreamsInbound: 2 * CircuitsPerPeer, StreamsOutbound: 2 * CircuitsPerPeer,
				Memory: 1 << 20,
			},
		},
		Peer: make(map[peer.ID]rcmgr.ResourceLimits),
	}
	for _, p := range slices.Concat(carriers, clients) {
		const streams = 32 + 2*CircuitsPerPeer // as for others, and a hole punch may come with each circuit
		limits.Peer[p] = rcmgr.ResourceLimits{
			Conns: 4, ConnsInbound: 4, ConnsOutbound: 4,
			Streams: streams, StreamsInbound: streams, StreamsOutbound: streams,
			Memory: 9<<20 + CircuitsPerPeer*256<<10, FD: 4,
		}
	}
	return rcmgr.NewResourceManager(
		rcmgr.NewFixedLimiter(limits.Build(base.Scale(128<<20, 512))),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithConnRateLimiters(new(connrate.Limiter)), // none
	)
}
