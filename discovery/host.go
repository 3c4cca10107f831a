package discovery

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/fx"

	"anteroom/discovery/address"
	"anteroom/discovery/admission"
	"anteroom/discovery/contacts"
)

// userAgent and protocolVersion are what identify tells strangers: the same
// for every node and version.
const (
	userAgent       = "anteroom"
	protocolVersion = "anteroom/1"
)

const (
	// maxInbound is how many streams of our own protocols one peer may have
	// open here: for a gateway, guests of this node at the same time.
	maxInbound = 16

	// maxFromPartner is the same for a partner, a relay of this node, or a node
	// that it is a relay for: what they pass on is of many guests.
	maxFromPartner = 96

	// The connection manager trims down to connsLow once there are connsHigh,
	// configured peers never. Below what is let in, so the node's own dials have
	// room.
	connsLow, connsHigh = 96, 192
)

// environment is what differs between a real network and a simulated one.
type environment struct {
	limits  network.ResourceManager
	options []libp2p.Option
	circuit relay.RelayLimit // of those that this node relays; zero: circuitLimit

	interfaces func() ([]ma.Multiaddr, error) // nil: they never change
	wall       func() time.Time               // nil: the computer's clock
}

func realEnvironment(cfg Config) (*environment, error) {
	limits, err := admission.NewResources(cmp.Or(cfg.Limits, DefaultLimits), contacts.MaxPeers, slices.Concat(idsOf(cfg.Relays), cfg.Partners), cfg.RelayFor)
	if err != nil {
		return nil, fmt.Errorf("set limits: %w", err)
	}
	return &environment{limits: limits, options: []libp2p.Option{
		libp2p.Transport(libp2pquic.NewTransport),
		// Without reuse of ports a port that is taken is an error, not a second
		// daemon that gets every other connection.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
	}}, nil
}

// newHost makes a libp2p host that listens nowhere yet. What it leaves out is
// the point: no relay for strangers or at strangers, nothing that asks the
// local network unless the config says so, no metrics in a global registry.
//
// Every node can dial a circuit, since the node that a guest wants may be
// behind one; only a node with relays accepts any.
func newHost(cfg Config, gater *admission.Gater, advertise func([]ma.Multiaddr) []ma.Multiaddr) (h host.Host, err error) {
	env := cfg.environment
	if env == nil {
		if env, err = realEnvironment(cfg); err != nil {
			return nil, err
		}
	}
	gater.Manager = admission.NewManager(env.limits, gater, cmp.Or(cfg.Limits, DefaultLimits), len(cfg.RelayFor))
	manager, err := connmgr.NewConnManager(connsLow, connsHigh)
	if err != nil {
		return nil, fmt.Errorf("make connection manager: %w", err)
	}
	reachability := libp2p.ForceReachabilityPrivate() // forced: nobody is asked about it
	if cfg.Server {
		reachability = libp2p.ForceReachabilityPublic()
	}
	var optional []libp2p.Option
	if len(cfg.Relays) > 0 {
		optional = append(optional, libp2p.EnableHolePunching())
	}
	if cfg.PortMapping {
		optional = append(optional, libp2p.NATPortMap())
	}
	h, err = libp2p.New(slices.Concat([]libp2p.Option{
		libp2p.Identity(cfg.Identity),
		libp2p.NoListenAddrs,
		libp2p.ConnectionGater(gater),
		libp2p.ConnectionManager(manager),
		libp2p.ResourceManager(gater.Manager),
		libp2p.AddrsFactory(advertise),
		libp2p.UserAgent(userAgent),
		libp2p.ProtocolVersion(protocolVersion),
		libp2p.DisableRelay(), // addCircuits instead
		libp2p.WithFxOption(fx.Invoke(func(h host.Host, u transport.Upgrader) error {
			return addCircuits(h, u, len(cfg.Relays) > 0)
		})),
		libp2p.DisableMetrics(),
		libp2p.SwarmOpts(swarm.WithDialRanker(rank)),
		reachability,
		// In a federation of three whose third member is down most dials fail;
		// that does not mean that UDP or IPv6 is broken.
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	}, optional, env.options)...)
	if err != nil {
		return nil, fmt.Errorf("make libp2p host: %w", err)
	}
	return h, nil
}

// rank says when each address of a peer is dialled: circuits not long after
// the direct ones. libp2p gives those half a second, which guests of a node
// behind a firewall would always wait; one who got a circuit too soon is
// called back.
func rank(addrs []ma.Multiaddr) []network.AddrDelay {
	direct := address.Direct(addrs)
	ranked := swarm.DefaultDialRanker(direct)
	for _, r := range swarm.DefaultDialRanker(slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool { return !address.IsCircuit(a) })) {
		if len(direct) > 0 {
			r.Delay += circuitDelay
		}
		ranked = append(ranked, r)
	}
	return ranked
}

// addCircuits makes h able to dial circuits, and to accept them if it has
// relays.
func addCircuits(h host.Host, u transport.Upgrader, accept bool) error {
	if accept {
		return client.AddTransport(h, u)
	}
	circuits, err := client.New(h, u)
	if err != nil {
		return fmt.Errorf("make circuit transport: %w", err)
	}
	return h.Network().(transport.TransportNetwork).AddTransport(circuits)
}

func init() {
	// Circuits to one peer are dialled one after the other, so a relay that is
	// gone, or has lost the peer, holds up the next: for 5 s and a minute by
	// default. It is a minute for a berth, too.
	client.DialRelayTimeout = relayTime
	client.DialTimeout = circuitTime
	client.ReserveTimeout = relayTime
}
