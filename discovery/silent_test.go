package discovery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"
	"github.com/quic-go/quic-go"

	"anteroom/node/polltest"
)

// A stranger is a node that says nothing of its own accord, at an address of its
// own.
type stranger struct {
	t    testing.TB
	from net.IP
	key  crypto.PrivKey
	id   peer.ID
}

// strangerAt is in the network 127.0.subnet.0/24.
func strangerAt(t testing.TB, subnet, host int) *stranger {
	t.Helper()
	key := newKey(t)
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &stranger{t, net.IPv4(127, 0, byte(subnet), byte(host)), key, id}
}

// facing runs a node that treats loopback like the internet.
func facing(t testing.TB, cfg Config) *running {
	t.Helper()
	cfg.Listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}
	return run(t, cfg)
}

func (r *running) listens(t testing.TB, code int) ma.Multiaddr {
	t.Helper()
	for _, a := range r.host.Network().ListenAddresses() {
		if _, err := a.ValueForProtocol(code); err == nil {
			return a
		}
	}
	t.Fatal("it does not listen")
	return nil
}

// knock connects to to by TCP, or by QUIC, and says nothing: not who it is.
func (s *stranger) knock(to ma.Multiaddr) net.Conn {
	s.t.Helper()
	if _, err := to.ValueForProtocol(ma.P_QUIC_V1); err == nil {
		return s.knockQUIC(to)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: s.from}}
	c, err := d.DialContext(s.t.Context(), "tcp4", hostPort(s.t, to))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// knockQUIC sends a first packet and takes no notice of the answer.
func (s *stranger) knockQUIC(to ma.Multiaddr) net.Conn {
	s.t.Helper()
	s.t.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: s.from})
	if err != nil {
		s.t.Fatal(err)
	}
	far, err := net.ResolveUDPAddr("udp4", hostPort(s.t, to))
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	identity, err := libp2ptls.NewIdentity(s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	conf, _ := identity.ConfigForPeer("")
	conf.NextProtos = []string{"libp2p"}
	go func() { // ends with ctx
		defer close(done)
		_, _ = quic.Dial(ctx, deaf{udp}, far, conf, &quic.Config{HandshakeIdleTimeout: time.Minute})
	}()
	s.t.Cleanup(func() { cancel(); _ = udp.Close(); <-done })
	return nil
}

// deaf hears nothing.
type deaf struct{ net.PacketConn }

func (d deaf) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		if _, a, err := d.PacketConn.ReadFrom(b); err != nil {
			return 0, a, err
		}
	}
}

func hostPort(t testing.TB, a ma.Multiaddr) string {
	t.Helper()
	ip, err := a.ValueForProtocol(ma.P_IP4)
	if err != nil {
		t.Fatal(err)
	}
	port, err := a.ValueForProtocol(ma.P_TCP)
	if err != nil {
		port, err = a.ValueForProtocol(ma.P_UDP)
	}
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(ip, port)
}

// connect makes a connection that is complete, and opens no stream on it.
func (s *stranger) connect(to ma.Multiaddr, id peer.ID) (transport.CapableConn, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	c, err := s.transport(to).Dial(ctx, to, id)
	if err == nil {
		s.t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

func (s *stranger) transport(to ma.Multiaddr) transport.Transport {
	s.t.Helper()
	if _, err := to.ValueForProtocol(ma.P_QUIC_V1); err == nil {
		manager, err := quicreuse.NewConnManager(quic.StatelessResetKey{}, quic.TokenGeneratorKey{},
			quicreuse.OverrideListenUDP(func(string, *net.UDPAddr) (net.PacketConn, error) {
				return net.ListenUDP("udp4", &net.UDPAddr{IP: s.from})
			}))
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = manager.Close() })
		t, err := libp2pquic.NewTransport(s.key, manager, nil, nil, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		return t
	}
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	secure, err := libp2ptls.New(libp2ptls.ID, s.key, muxers)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := upgrader.New([]sec.SecureTransport{secure}, muxers, nil, nil, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	t, err := tcp.NewTCPTransport(u, nil, nil, tcp.DisableReuseport(), tcp.WithDialerForAddr(func(ma.Multiaddr) (tcp.ContextDialer, error) {
		return &net.Dialer{LocalAddr: &net.TCPAddr{IP: s.from}}, nil
	}))
	if err != nil {
		s.t.Fatal(err)
	}
	return t
}

// enters connects and asks a question, which is answered.
func (s *stranger) enters(r *running, a ma.Multiaddr) (transport.CapableConn, error) {
	s.t.Helper()
	c, err := s.connect(a, r.ID())
	if err != nil {
		return nil, err
	}
	return c, ask1(s.t, c)
}

// ask1 asks one question on a connection.
func ask1(t testing.TB, c transport.CapableConn) error {
	t.Helper()
	s, err := speak(t, c, findProtocol)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Write(append([]byte{findVersion}, make([]byte, 32)...)); err != nil {
		return err
	}
	var reply [1]byte
	if _, err := s.Read(reply[:]); err != nil && reply[0] != 0 {
		return err
	}
	return nil
}

// speak opens a stream of a protocol.
func speak(t testing.TB, c transport.CapableConn, proto protocol.ID) (network.MuxedStream, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := c.OpenStream(ctx)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	_ = s.SetDeadline(time.Now().Add(10 * time.Second))
	if err := multistream.SelectProtoOrFail(proto, s); err != nil {
		return nil, fmt.Errorf("select protocol: %w", err)
	}
	return s, nil
}

// selects is what a dialler says to speak a protocol.
func selects(t testing.TB, proto protocol.ID) []byte {
	t.Helper()
	var said bytes.Buffer
	for _, line := range []protocol.ID{"/multistream/1.0.0", proto} {
		_, _ = said.Write(append([]byte{byte(len(line) + 1)}, line+"\n"...)) // never fails
	}
	return said.Bytes()
}

// both are the ways in.
var both = map[string]int{"TCP": ma.P_TCP, "QUIC": ma.P_QUIC_V1}

// Those who wait at the door and do not say who they are keep nobody out.
func TestHandshakesGiveWay(t *testing.T) {
	for name, code := range both {
		t.Run(name, func(t *testing.T) {
			friend := strangerAt(t, 200, 1)
			d := facing(t, Config{Server: true, Peers: []PeerInfo{{ID: friend.id, Addrs: addrs("/ip4/9.9.9.9/tcp/1")}}})
			door := d.listens(t, code)
			for subnet := range 4 {
				for host := range 32 {
					strangerAt(t, subnet+1, host+1).knock(door)
				}
			}
			polltest.Eventually(t, "all knock", func() bool { return handshakesOf(t, d.host.Network().ResourceManager()) >= 32 })
			if _, err := friend.enters(d, door); err != nil {
				t.Errorf("a configured peer: %v", err)
			}
			if _, err := strangerAt(t, 201, 1).enters(d, door); err != nil {
				t.Errorf("another node: %v", err)
			}
		})
	}
}

// Those who are connected and say nothing keep nobody out, however many
// networks they come from.
func TestSilentStrangersGiveWay(t *testing.T) {
	for name, code := range both {
		t.Run(name, func(t *testing.T) {
			friend := strangerAt(t, 200, 1)
			d := facing(t, Config{Server: true, Peers: []PeerInfo{{ID: friend.id, Addrs: addrs("/ip4/9.9.9.9/tcp/1")}}})
			door := d.listens(t, code)
			crowd(t, d, door, 11)
			if _, err := friend.enters(d, door); err != nil {
				t.Errorf("a configured peer: %v", err)
			}
			if _, err := strangerAt(t, 201, 1).enters(d, door); err != nil {
				t.Errorf("another node: %v", err)
			}
		})
	}
}

// crowd fills d with as many as may come from so many networks: three nodes of
// each, and four connections of each node.
func crowd(t testing.TB, d *running, door ma.Multiaddr, networks int) {
	t.Helper()
	for subnet := range networks {
		for host := range 3 {
			s := strangerAt(t, subnet+1, host+1)
			for range 4 {
				_, _ = s.connect(door, d.ID())
			}
		}
	}
}

// Streams that say nothing, not even what they are for, keep nobody from being
// heard; nor do those of protocols that anybody may use.
func TestSilentStreamsGiveWay(t *testing.T) {
	for name, code := range both {
		for kind, proto := range map[string]protocol.ID{"unnamed": "", "DHT": kadProtocol} {
			t.Run(name+" "+kind, func(t *testing.T) {
				friend := strangerAt(t, 200, 1)
				d := facing(t, Config{Server: true, Peers: []PeerInfo{{ID: friend.id, Addrs: addrs("/ip4/9.9.9.9/tcp/1")}}})
				door := d.listens(t, code)
				for subnet := range 36 {
					c, err := strangerAt(t, subnet+1, 1).connect(door, d.ID())
					if err != nil {
						t.Fatal(err)
					}
					for range 32 {
						s, err := c.OpenStream(t.Context())
						if err != nil {
							break
						}
						said := []byte{19} // the other end sees a stream with its first byte
						if proto != "" {
							said = selects(t, proto)
						}
						if _, err := s.Write(said); err != nil {
							break
						}
					}
				}
				if _, err := friend.enters(d, door); err != nil {
					t.Errorf("a configured peer: %v", err)
				}
				newcomer := strangerAt(t, 201, 1) // perhaps the last of the others are still coming
				polltest.Eventually(t, "another node is answered", func() bool { _, err := newcomer.enters(d, door); return err == nil })
			})
		}
	}
}

// mostUnnamed is how many of them there may be at a time.
const mostUnnamed = 32

// When the places of streams that have not said what they are for are taken, one
// more is heard at once, and the one that goes is the oldest of the node that has
// most of them: nobody waits until libp2p gives them up, after ten seconds.
func TestUnnamedStreamsGiveWay(t *testing.T) {
	for name, code := range both {
		t.Run(name, func(t *testing.T) {
			d := facing(t, Config{Server: true})
			door := d.listens(t, code)
			open := func(s *stranger, n int) (streams []network.MuxedStream) {
				t.Helper()
				c, err := s.connect(door, d.ID())
				if err != nil {
					t.Fatal(err)
				}
				before := transientStreamsOf(t, d.host.Network().ResourceManager())
				for i := range n {
					stream, err := c.OpenStream(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if _, err := stream.Write([]byte{19}); err != nil { // the other end sees a stream with its first byte
						t.Fatal(err)
					}
					polltest.Eventually(t, "the stream to have come", func() bool {
						return transientStreamsOf(t, d.host.Network().ResourceManager()) >= min(before+i+1, mostUnnamed)
					})
					streams = append(streams, stream)
				}
				return streams
			}
			few := open(strangerAt(t, 1, 1), 2)
			most := open(strangerAt(t, 2, 1), mostUnnamed-len(few))
			if _, err := strangerAt(t, 201, 1).enters(d, door); err != nil {
				t.Errorf("another node: %v", err)
			}
			for _, c := range []struct {
				what   string
				stream network.MuxedStream
				goes   bool
				wait   time.Duration
			}{
				{"the oldest of the node with most", most[0], true, 5 * time.Second},
				{"its newest", most[len(most)-1], false, 100 * time.Millisecond},
				{"the oldest of all", few[0], false, 100 * time.Millisecond},
			} {
				_ = c.stream.SetReadDeadline(time.Now().Add(c.wait))
				_, err := io.ReadAll(c.stream)
				if got := errors.Is(err, network.ErrReset); got != c.goes {
					t.Errorf("%s: reset: %v (%v)", c.what, got, err)
				}
			}
		})
	}
}

func transientStreamsOf(t *testing.T, m network.ResourceManager) (n int) {
	t.Helper()
	if err := m.ViewTransient(func(s network.ResourceScope) error {
		n = s.Stat().NumStreamsInbound
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// A flood from many networks, one connection from each, sends away silent
// strangers only: not who has a guest here, and no server of the DHT.
func TestFloodSparesNeighbours(t *testing.T) {
	var servers []*stranger
	for i := range 4 {
		servers = append(servers, strangerAt(t, 210+i, 1))
	}
	d := facing(t, Config{Server: true, Limits: Limits{Handshakes: 64, HandshakesPerNetwork: 16, Strangers: 20, StrangersPerNetwork: 3}})
	d.gater.InTable = func(p peer.ID) bool {
		return slices.ContainsFunc(servers, func(s *stranger) bool { return s.id == p })
	}
	d.Fill() // its lock lets whoever comes see this
	door := d.listens(t, ma.P_TCP)
	serving := make(chan struct{})
	d.Handle("/test/guests", func(ctx context.Context, s network.Stream) { // until the test ends
		close(serving)
		<-ctx.Done()
		_ = s.Reset()
	})
	foreign := strangerAt(t, 200, 1)
	gateway, err := foreign.connect(door, d.ID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := speak(t, gateway, "/test/guests"); err != nil {
		t.Fatal(err)
	}
	<-serving
	if !d.host.ConnManager().IsProtected(foreign.id, "") {
		t.Error("who has a guest here may be trimmed")
	}
	for _, s := range servers {
		if _, err := s.connect(door, d.ID()); err != nil {
			t.Fatal(err)
		}
	}
	for subnet := range 60 {
		if _, err := strangerAt(t, subnet+1, 1).connect(door, d.ID()); err != nil {
			t.Errorf("one of many: %v", err)
		}
	}
	for _, s := range servers {
		if !d.Connected(s.id) {
			t.Error("a server of the DHT gave way")
		}
	}
	if gateway.IsClosed() {
		t.Error("who has a guest here gave way")
	}
	if n := d.Fill()[2]; n.Name != "discovery.limits.strangers" || n.Used != 20 || n.Max != 20 {
		t.Errorf("got %+v", n)
	}
}

func handshakesOf(t *testing.T, m network.ResourceManager) (n int) {
	t.Helper()
	if err := m.ViewTransient(func(s network.ResourceScope) error {
		n = s.Stat().NumConnsInbound
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}
