package discovery

import (
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

// userAgent and protocolVersion are what identify tells strangers: the same
// for every node and version.
const (
	userAgent       = "anteroom"
	protocolVersion = "anteroom/1"
)

// environment is what differs between a real network and a simulated one.
type environment struct {
	limits  network.ResourceManager
	options []libp2p.Option
}

func realEnvironment() (*environment, error) {
	limits, err := newResourceManager()
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
// the point: no mDNS, no relay in either role, no port mapping, no AutoNAT, no
// metrics in a global registry.
func newHost(cfg Config, gater *gater, advertise func([]ma.Multiaddr) []ma.Multiaddr) (h host.Host, err error) {
	env := cfg.environment
	if env == nil {
		if env, err = realEnvironment(); err != nil {
			return nil, err
		}
	}
	manager, err := connmgr.NewConnManager(connsLow, connsHigh)
	if err != nil {
		return nil, fmt.Errorf("make connection manager: %w", err)
	}
	reachability := libp2p.ForceReachabilityPrivate() // forced: nobody is asked about it
	if cfg.Server {
		reachability = libp2p.ForceReachabilityPublic()
	}
	h, err = libp2p.New(append([]libp2p.Option{
		libp2p.Identity(cfg.Identity),
		libp2p.NoListenAddrs,
		libp2p.ConnectionGater(gater),
		libp2p.ConnectionManager(manager),
		libp2p.ResourceManager(env.limits),
		libp2p.AddrsFactory(advertise),
		libp2p.UserAgent(userAgent),
		libp2p.ProtocolVersion(protocolVersion),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		reachability,
		// In a federation of three whose third member is down most dials fail;
		// that does not mean that UDP or IPv6 is broken.
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	}, env.options...)...)
	if err != nil {
		return nil, fmt.Errorf("make libp2p host: %w", err)
	}
	return h, nil
}
