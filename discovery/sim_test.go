package discovery

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"

	"anteroom/discovery/host"
)

// A simulation is a network in one synctest bubble: real QUIC, TLS and DHT,
// public addresses, virtual time. Every node is in a /16 of its own, so the
// diversity filter is on and content.
type simulation struct {
	t     testing.TB
	net   *simnet.Simnet
	count int

	// of nodes that are made from now on
	circuit    relay.RelayLimit // of relays; zero: the real one
	interfaces func() ([]ma.Multiaddr, error)
	wall       func() time.Time
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
	dials *dialCount
	dead  *atomic.Bool // nothing comes in or goes out, and nobody is told
	addr  string
	wall  *firewall
}

// apart keeps a node from ever hearing of another without a relay.
func (n *simNode) apart(from *simNode) { n.wall.banned.Store(from.addr, true) }

// node runs a node in a /16 of its own.
func (s *simulation) node(cfg Config) *simNode {
	s.t.Helper()
	s.count++
	return s.nodeAt(net.IPv4(byte(20+s.count/200), byte(s.count%200), 0, 1), cfg, nil)
}

// hidden runs a node behind a firewall: nobody gets in who was not called.
func (s *simulation) hidden(cfg Config) *simNode {
	s.t.Helper()
	s.count++
	return s.nodeAt(net.IPv4(byte(20+s.count/200), byte(s.count%200), 0, 1), cfg, new(firewall))
}

// neighbour runs a node in the same /16 as all other neighbours.
func (s *simulation) neighbour(cfg Config) *simNode {
	s.t.Helper()
	s.count++
	return s.nodeAt(net.IPv4(9, 9, byte(s.count), 1), cfg, nil)
}

// nodeAt runs a simulated node. In-bubble rules: no identify address discovery,
// no resource manager of libp2p's, an address that is bound explicitly.
func (s *simulation) nodeAt(ip net.IP, cfg Config, wall *firewall) *simNode {
	s.t.Helper()
	dead := new(atomic.Bool)
	link := simnet.NodeBiDiLinkSettings{
		Downlink: simnet.LinkSettings{BitsPerSecond: 100 * simnet.Mibps},
		Uplink:   simnet.LinkSettings{BitsPerSecond: 100 * simnet.Mibps},
	}
	ports := new(atomic.Int32)
	ports.Store(50000)
	cfg.Listen = []string{fmt.Sprintf("/ip4/%s/udp/4001/quic-v1", ip)}
	dials := &dialCount{ResourceManager: &network.NullResourceManager{}}
	cfg.environment = &environment{circuit: s.circuit, interfaces: s.interfaces, wall: s.wall, Network: &host.Network{Resources: dials, Options: []libp2p.Option{
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
				if a.Port == 0 { // of a node that listens nowhere
					a = &net.UDPAddr{IP: ip, Port: int(ports.Add(1))}
				}
				return &cable{s.net.NewEndpoint(a, link), dead, wall}, nil
			}),
		),
	}}}
	return &simNode{run(s.t, cfg), dials, dead, fmt.Sprintf("%s:4001", ip), wall}
}

// A dialCount counts the connections that a node dials.
type dialCount struct {
	network.ResourceManager
	n atomic.Int64
}

func (d *dialCount) OpenConnection(dir network.Direction, usefd bool, far ma.Multiaddr) (network.ConnManagementScope, error) {
	if dir == network.DirOutbound {
		d.n.Add(1)
	}
	return d.ResourceManager.OpenConnection(dir, usefd, far)
}

type sourceIP net.IP

func (ip sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return net.IP(ip), nil
}

// A cable is a node's end of the network, until it is dead.
type cable struct {
	*simnet.SimConn
	dead *atomic.Bool
	wall *firewall // nil: none
}

// A firewall lets in who was called a minute ago at most.
type firewall struct {
	called sync.Map // when, by address
	banned sync.Map // addresses that never get in
}

func (f *firewall) passes(from net.Addr) bool {
	if _, banned := f.banned.Load(from.String()); banned {
		return false
	}
	when, ok := f.called.Load(from.String())
	return ok && time.Since(when.(time.Time)) < time.Minute
}

func (c *cable) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.wall != nil {
		c.wall.called.Store(to.String(), time.Now())
	}
	if c.dead.Load() {
		return len(b), nil
	}
	return c.SimConn.WriteTo(b, to)
}

func (c *cable) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.SimConn.ReadFrom(b)
		if err != nil || !c.dead.Load() && (c.wall == nil || c.wall.passes(from)) {
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
