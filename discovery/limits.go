package discovery

import (
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	connrate "github.com/libp2p/go-libp2p/x/rate"
	"golang.org/x/time/rate"
)

const (
	// maxInbound is how many streams of our own protocols one peer may have
	// open here: for a gateway, guests of this node at the same time.
	maxInbound = 16

	// maxFromPartner is the same for a partner, a relay of this node, or a node
	// that it is a relay for: what they pass on is of many guests.
	maxFromPartner = 96

	// putsPerMinute is how many records one peer may put here.
	putsPerMinute = 60

	// findsPerSecond is how often one stranger may ask "is this yours?".
	findsPerSecond = 20

	// maxPerSubnet is how many strangers of one /24 (IPv4) or /48 (IPv6) may be
	// connected at once: enough for a company, too few to surround a node.
	maxPerSubnet = 3

	// The connection manager trims down to connsLow once there are connsHigh,
	// configured peers last.
	connsLow, connsHigh = 96, 192
)

// newResourceManager returns fixed limits, the same on every machine: what a
// stranger can make this process spend must not grow with the computer it
// runs on. The limits per IP address (8 connections) are libp2p's; how often
// one may come is a doorkeeper's.
//
// Between a relay and those it serves every circuit is a stream, and between
// partners every guest, so these peers, carriers, may have more; and those that this node serves, guests of
// one provider perhaps, may all call from one address.
func newResourceManager(carriers, guests []peer.ID) (network.ResourceManager, error) {
	base := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&base)
	limits := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: 256, ConnsInbound: 128, ConnsOutbound: 256,
			Streams: 1024, StreamsInbound: 1024, StreamsOutbound: 1024,
			Memory: 128 << 20, FD: 512,
		},
		Transient: rcmgr.ResourceLimits{
			Conns: 32, ConnsInbound: 32, ConnsOutbound: 32,
			Streams: 64, StreamsInbound: 64, StreamsOutbound: 64,
			Memory: 32 << 20, FD: 64,
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
				Streams: 2 * maxCircuits, StreamsInbound: 2 * maxCircuits, StreamsOutbound: 2 * maxCircuits,
				Memory: 16 << 20,
			},
		},
		ServicePeer: map[string]rcmgr.ResourceLimits{
			relay.ServiceName: {
				Streams: 2 * circuitsPerPeer, StreamsInbound: 2 * circuitsPerPeer, StreamsOutbound: 2 * circuitsPerPeer,
				Memory: 1 << 20,
			},
		},
		Peer: make(map[peer.ID]rcmgr.ResourceLimits),
	}
	for _, p := range slices.Concat(carriers, guests) {
		const streams = 32 + 2*circuitsPerPeer // as for others, and a hole punch may come with each circuit
		limits.Peer[p] = rcmgr.ResourceLimits{
			Conns: 4, ConnsInbound: 4, ConnsOutbound: 4,
			Streams: streams, StreamsInbound: streams, StreamsOutbound: streams,
			Memory: 9<<20 + circuitsPerPeer*256<<10, FD: 4,
		}
	}
	perIP := 8 + len(guests)
	manager, err := rcmgr.NewResourceManager(
		rcmgr.NewFixedLimiter(limits.Build(base.Scale(128<<20, 512))),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithConnRateLimiters(new(connrate.Limiter)), // none
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: perIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: perIP}, {PrefixLength: 48, ConnCount: 8 * perIP}},
		),
	)
	if err != nil {
		return nil, err
	}
	return newDoorkeeper(manager, 2*perIP), nil
}

// A limiter holds one token bucket for each peer.
type limiter struct {
	every time.Duration // one token
	burst int

	mu    sync.Mutex
	peers map[peer.ID]*rate.Limiter
}

// maxLimited bounds a limiter. Buckets that are full again are forgotten
// first, which loses nothing; more than this many peers at work within one
// burst are a flood, and its newcomers are refused.
const maxLimited = 4096

func newLimiter(every time.Duration, burst int) *limiter {
	return &limiter{every: every, burst: burst, peers: make(map[peer.ID]*rate.Limiter)}
}

// allow takes one of p's tokens and reports whether there was one.
func (l *limiter) allow(p peer.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, ok := l.peers[p]
	if !ok {
		if len(l.peers) >= maxLimited {
			l.forgetLocked()
		}
		if len(l.peers) >= maxLimited {
			return false
		}
		bucket = rate.NewLimiter(rate.Every(l.every), l.burst)
		l.peers[p] = bucket
	}
	return bucket.Allow()
}

func (l *limiter) forgetLocked() {
	for p, bucket := range l.peers {
		if bucket.Tokens() >= float64(l.burst) {
			delete(l.peers, p)
		}
	}
}

// A counter bounds how many things each peer has going on at the same time.
type counter struct {
	max func(peer.ID) int

	mu sync.Mutex
	n  map[peer.ID]int
}

func newCounter(limit func(peer.ID) int) *counter {
	return &counter{max: limit, n: make(map[peer.ID]int)}
}

// enter reports whether p may have one more; if so, leave must follow.
func (c *counter) enter(p peer.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[p] >= c.max(p) {
		return false
	}
	c.n[p]++
	return true
}

func (c *counter) leave(p peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[p]--; c.n[p] == 0 {
		delete(c.n, p)
	}
}
