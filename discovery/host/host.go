package host

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/fx"

	"anteroom/discovery/address"
	"anteroom/discovery/admission"
	"anteroom/discovery/limit"
)

// userAgent and protocolVersion are what identify tells strangers: the same
// for every node and version.
const (
	userAgent       = "anteroom"
	protocolVersion = "anteroom/1"
)

const (
	// MaxInbound is how many streams of our own protocols one peer may have
	// open here: for a gateway, guests of this node at the same time.
	MaxInbound = 16

	// maxFromPartner is the same for a partner, a relay of this node, or a node
	// that it is a relay for: what they pass on is of many guests.
	maxFromPartner = 96

	// The connection manager trims down to connsLow once there are connsHigh,
	// configured peers never. Below what is let in, so the node's own dials have
	// room.
	connsLow, connsHigh = 96, 192
)

// RelayTime bounds what is asked of a relay, dialling included.
const RelayTime = 2500 * time.Millisecond

const (
	// circuitTime bounds the wait for the node behind a relay.
	circuitTime = 2 * RelayTime

	// circuitDelay is the head start of direct addresses on circuits.
	circuitDelay = 200 * time.Millisecond
)

// A Network is what differs between a real network and a simulated one.
type Network struct {
	Resources network.ResourceManager
	Options   []libp2p.Option
}

// Internet makes the real one, for a node with so many peers, and with carriers
// and clients: relays and partners, and those that it is a relay for.
func Internet(limits admission.Limits, peers int, carriers, clients []peer.ID) (*Network, error) {
	resources, err := admission.NewResources(limits, peers, carriers, clients)
	if err != nil {
		return nil, fmt.Errorf("set limits: %w", err)
	}
	return &Network{resources, []libp2p.Option{
		libp2p.Transport(libp2pquic.NewTransport),
		// Without reuse of ports a port that is taken is an error, not a second
		// daemon that gets every other connection.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
	}}, nil
}

// A Config says what a host is for.
type Config struct {
	Identity    crypto.PrivKey
	Network     *Network
	Gater       *admission.Gater
	Limits      admission.Limits
	Server      bool // others can reach it
	HasRelays   bool // others may come through relays
	Clients     int  // that it is a relay for
	PortMapping bool
	Busy        func(peer.ID) bool                  // is this peer one that passes on what is of many guests?
	Advertise   func([]ma.Multiaddr) []ma.Multiaddr // what to tell others of its addresses
	Log         *slog.Logger
}

// A Host is a libp2p host, the streams of our own protocols, and what it takes to
// tell living connections from dead ones. Its methods may be called
// concurrently, until Close.
type Host struct {
	host.Host
	Gater   *admission.Gater
	log     *slog.Logger
	inbound *limit.Count
	life    context.Context // handlers': ends with Stop
	end     context.CancelFunc

	handlers sync.WaitGroup // inbound streams of our own protocols, and checks

	mu       sync.Mutex
	over     bool            // no further handler may start
	checking map[string]bool // IDs of connections that are being checked
}

// New makes a host that listens nowhere yet. What it leaves out is
// the point: no relay for strangers or at strangers, nothing that asks the
// local network unless the config says so, no metrics in a global registry.
//
// Every node can dial a circuit, since the node that a guest wants may be
// behind one; only a node with relays accepts any.
func New(cfg Config) (*Host, error) {
	cfg.Gater.Manager = admission.NewManager(cfg.Network.Resources, cfg.Gater, cfg.Limits, cfg.Clients)
	manager, err := connmgr.NewConnManager(connsLow, connsHigh)
	if err != nil {
		return nil, fmt.Errorf("make connection manager: %w", err)
	}
	reachability := libp2p.ForceReachabilityPrivate() // forced: nobody is asked about it
	if cfg.Server {
		reachability = libp2p.ForceReachabilityPublic()
	}
	var optional []libp2p.Option
	if cfg.HasRelays {
		optional = append(optional, libp2p.EnableHolePunching())
	}
	if cfg.PortMapping {
		optional = append(optional, libp2p.NATPortMap())
	}
	made, err := libp2p.New(slices.Concat([]libp2p.Option{
		libp2p.Identity(cfg.Identity),
		libp2p.NoListenAddrs,
		libp2p.ConnectionGater(cfg.Gater),
		libp2p.ConnectionManager(manager),
		libp2p.ResourceManager(cfg.Gater.Manager),
		libp2p.AddrsFactory(cfg.Advertise),
		libp2p.UserAgent(userAgent),
		libp2p.ProtocolVersion(protocolVersion),
		libp2p.DisableRelay(), // addCircuits instead
		libp2p.WithFxOption(fx.Invoke(func(h host.Host, u transport.Upgrader) error {
			return addCircuits(h, u, cfg.HasRelays)
		})),
		libp2p.DisableMetrics(),
		libp2p.SwarmOpts(swarm.WithDialRanker(rank)),
		reachability,
		// In a federation of three whose third member is down most dials fail;
		// that does not mean that UDP or IPv6 is broken.
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	}, optional, cfg.Network.Options)...)
	if err != nil {
		return nil, fmt.Errorf("make libp2p host: %w", err)
	}
	h := &Host{Host: made, Gater: cfg.Gater, log: cfg.Log, checking: make(map[string]bool)}
	h.inbound = limit.NewCount(func(p peer.ID) int {
		if cfg.Busy(p) {
			return maxFromPartner
		}
		return MaxInbound
	})
	h.life, h.end = context.WithCancel(context.Background())
	h.Network().Notify(&network.NotifyBundle{ConnectedF: h.Gater.Manager.Connected})
	h.Network().Notify(&network.NotifyBundle{ConnectedF: h.checkOlder})
	return h, nil
}

// Context ends with Stop.
func (h *Host) Context() context.Context { return h.life }

// Stop lets no further handler start, and ends the contexts of those that run. It
// reports whether this is the first time.
func (h *Host) Stop() bool {
	h.mu.Lock()
	first := !h.over
	h.over = true
	h.mu.Unlock()
	h.end()
	return first
}

// Close ends all connections, and returns when every handler has.
func (h *Host) Close() error {
	h.Stop()
	err := h.Host.Close()
	h.handlers.Wait()
	return err
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
	// default. It is a minute for a reservation, too.
	client.DialRelayTimeout = RelayTime
	client.DialTimeout = circuitTime
	client.ReserveTimeout = RelayTime
}
