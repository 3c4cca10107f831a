package discovery

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"
)

// A simulation is a network in one synctest bubble: real QUIC, TLS and DHT,
// public addresses, virtual time. Every node is in a /16 of its own, so the
// diversity filter is on and content.
type simulation struct {
	t     testing.TB
	net   *simnet.Simnet
	count int
}

// simRTT is the round trip between any two simulated nodes.
const simRTT = 40 * time.Millisecond

// simulate runs f in a bubble; a goroutine that outlives it fails the test.
func simulate(t *testing.T, f func(*testing.T, *simulation)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &simulation{t: t, net: &simnet.Simnet{
			LatencyFunc: simnet.StaticLatency(simRTT / 2),
			Logger:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		}}
		s.net.Start()
		t.Cleanup(s.net.Close) // after the nodes, which are cleaned up first
		f(t, s)
	})
}

// A simNode is a node whose network cable can be pulled.
type simNode struct {
	*running
	dead *atomic.Bool // nothing comes in or goes out, and nobody is told
}

// node runs a node in a /16 of its own.
func (s *simulation) node(cfg Config) *simNode {
	s.t.Helper()
	s.count++
	return s.nodeAt(net.IPv4(byte(20+s.count/200), byte(s.count%200), 0, 1), cfg)
}

// neighbour runs a node in the same /16 as all other neighbours.
func (s *simulation) neighbour(cfg Config) *simNode {
	s.t.Helper()
	s.count++
	return s.nodeAt(net.IPv4(9, 9, byte(s.count), 1), cfg)
}

// nodeAt runs a simulated node. In-bubble rules: no identify address discovery,
// no resource manager of libp2p's, an address that is bound explicitly.
func (s *simulation) nodeAt(ip net.IP, cfg Config) *simNode {
	s.t.Helper()
	dead := new(atomic.Bool)
	link := simnet.NodeBiDiLinkSettings{
		Downlink: simnet.LinkSettings{BitsPerSecond: 100 * simnet.Mibps},
		Uplink:   simnet.LinkSettings{BitsPerSecond: 100 * simnet.Mibps},
	}
	cfg.Listen = []string{fmt.Sprintf("/ip4/%s/udp/4001/quic-v1", ip)}
	cfg.environment = &environment{limits: &network.NullResourceManager{}, options: []libp2p.Option{
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.QUICReuse(
			func(l fx.Lifecycle, reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (*quicreuse.ConnManager, error) {
				manager, err := quicreuse.NewConnManager(reset, token, opts...)
				if err == nil {
					l.Append(fx.StopHook(manager.Close))
				}
				return manager, err
			},
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return sourceIP(ip), nil }),
			quicreuse.OverrideListenUDP(func(_ string, a *net.UDPAddr) (net.PacketConn, error) {
				return &cable{s.net.NewEndpoint(a, link), dead}, nil
			}),
		),
	}}
	return &simNode{run(s.t, cfg), dead}
}

type sourceIP net.IP

func (ip sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return net.IP(ip), nil
}

// A cable is a node's end of the network, until it is dead.
type cable struct {
	*simnet.SimConn
	dead *atomic.Bool
}

func (c *cable) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.dead.Load() {
		return len(b), nil
	}
	return c.SimConn.WriteTo(b, to)
}

func (c *cable) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.SimConn.ReadFrom(b)
		if err != nil || !c.dead.Load() {
			return n, from, err
		}
	}
}

// swarm runs n servers that have all heard of each other.
func (s *simulation) swarm(n int) []*simNode {
	nodes := []*simNode{s.node(Config{Server: true})}
	for len(nodes) < n {
		nodes = append(nodes, s.node(Config{Server: true, Bootstrap: []PeerInfo{nodes[0].info()}}))
	}
	s.settle()
	return nodes
}

// settle lets the network come to rest.
func (s *simulation) settle() {
	time.Sleep(30 * time.Second) // virtual
	synctest.Wait()
}
