package admission

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// doorOf makes a doorkeeper with the real limits of libp2p behind it.
func doorOf(limits Limits, guests int) (*Manager, error) {
	m, err := NewResources(limits, 64, nil, make([]peer.ID, guests))
	return NewManager(m, &Gater{
		Trusted: func(p peer.ID) bool { return p == "friend" },
		InTable: func(p peer.ID) bool { return p == "server" },
	}, limits, guests), err
}

// opened opens and closes so many connections and returns how many it was let.
func opened(m network.ResourceManager, dir network.Direction, far string, times int) (n int) {
	for range times {
		if scope, err := m.OpenConnection(dir, false, ma.StringCast(far)); err == nil {
			n++
			scope.Done()
		}
	}
	return n
}

// A node that has no network for a while tries its relay again and again, at
// all of its addresses, and must not have used up its dials when it has one.
func TestDialsAreNotPaced(t *testing.T) {
	m, err := doorOf(DefaultLimits, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	for _, far := range []string{"/ip4/45.1.0.2/udp/1/quic-v1", "/ip4/45.1.0.2/tcp/1", "/ip6/2600:1::2/tcp/1"} {
		if n := opened(m, network.DirOutbound, far, 200); n != 200 {
			t.Errorf("%s: %d of 200 dials", far, n)
		}
	}
}

func TestComersArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, guests := range []int{0, 5} {
			m, err := doorOf(DefaultLimits, guests)
			if err != nil {
				t.Fatal(err)
			}
			burst := 2 * (8 + guests)
			for _, far := range []string{"/ip4/45.1.0.2/udp/1/quic-v1", "/ip6/2600:1::2/tcp/1"} {
				if n := opened(m, network.DirInbound, far, 200); n != burst {
					t.Errorf("%s: %d at once, want %d", far, n, burst)
				}
			}
			if n := opened(m, network.DirInbound, "/ip4/45.1.0.3/tcp/1", 1); n != 1 {
				t.Error("one address counts against another")
			}
			if n := opened(m, network.DirOutbound, "/ip4/45.1.0.2/tcp/1", 1); n != 1 {
				t.Error("who comes too often cannot be dialled")
			}
			time.Sleep(5 * time.Second) // virtual
			if n := opened(m, network.DirInbound, "/ip4/45.1.0.2/tcp/1", 200); n != 5 {
				t.Errorf("%d more after five seconds, want 5", n)
			}
			_ = m.Close()
		}
	})
}

// All circuits through one relay come from its address.
func TestCircuitsDoNotCountAsTheirRelays(t *testing.T) {
	m, err := doorOf(DefaultLimits, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	through := "/ip4/45.1.0.2/tcp/1/p2p/" + newID(t).String() + "/p2p-circuit"
	for _, dir := range []network.Direction{network.DirInbound, network.DirOutbound} {
		for i := range 32 {
			scope, err := m.OpenConnection(dir, false, ma.StringCast(through))
			if err != nil {
				t.Fatalf("circuit %d: %v", i, err)
			}
			t.Cleanup(scope.Done)
			_ = scope.SetPeer(newID(t))
		}
	}
	scope, err := m.OpenConnection(network.DirInbound, false, ma.StringCast("/ip4/45.1.0.2/tcp/1"))
	if err != nil {
		t.Fatalf("the relay itself: %v", err)
	}
	scope.Done()
}

// A hall is a door through which somebody comes now and then.
type hall struct {
	*Manager
	t      *testing.T
	closed []string // by closeEvicted
}

func newHall(t *testing.T, limits Limits, guests int) *hall {
	t.Helper()
	k, err := doorOf(limits, guests)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.ResourceManager.Close() })
	return &hall{Manager: k, t: t}
}

// knocks comes from an address, and does not say who it is.
func (h *hall) knocks(name, addr string) *connScope {
	h.t.Helper()
	c := &rawConn{far: ma.StringCast(addr)}
	if !h.accept(c) {
		h.t.Errorf("%s is not accepted", name)
	}
	scope, err := h.OpenConnection(network.DirInbound, false, c.far)
	if err != nil {
		h.t.Errorf("%s is turned away: %v", name, err)
		return nil
	}
	c.close = func() { h.closed = append(h.closed, name); scope.Done() }
	time.Sleep(time.Millisecond) // virtual, or that of the clock
	return scope.(*connScope)
}

// A rawConn is a connection that can be closed.
type rawConn struct {
	manet.Conn
	far   ma.Multiaddr
	close func()
}

func (c *rawConn) RemoteMultiaddr() ma.Multiaddr { return c.far }
func (c *rawConn) Close() error                  { c.close(); return nil }

// comes is also who it says.
func (h *hall) comes(name, addr string) error {
	h.t.Helper()
	v := h.knocks(name, addr)
	if v == nil {
		return errFull
	}
	err := v.SetPeer(peer.ID(name))
	if err != nil {
		v.Done()
	}
	return err
}

func (h *hall) gone(want ...string) {
	h.t.Helper()
	if !slices.Equal(h.closed, want) {
		h.t.Errorf("hung up on %v, want %v", h.closed, want)
	}
	h.closed = nil
}

// Three strangers of one /24 or /48 are here at a time; who has been silent for
// longest gives way. Elsewhere and configured peers are another matter.
func TestStrangersOfOneNetworkAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, DefaultLimits, 0)
		for _, c := range []struct {
			name, addr string
			gone       []string
		}{
			{"0", "/ip4/9.9.9.1/tcp/1", nil},
			{"1", "/ip4/9.9.9.2/udp/1/quic-v1", nil},
			{"2", "/ip4/9.9.9.3/tcp/1", nil},
			{"1", "/ip4/9.9.9.2/tcp/2", nil}, // its second connection
			{"x", "/ip4/9.9.9.200/udp/1/quic-v1", []string{"0"}},
			{"y", "/ip6/::ffff:9.9.9.201/tcp/1", []string{"1", "1"}},
			{"z", "/ip4/9.9.8.200/tcp/1", nil},
			{"friend", "/ip4/9.9.9.201/tcp/1", nil},
			{"a", "/ip6/2a00:1:2:3::1/tcp/1", nil},
			{"b", "/ip6/2a00:1:2:4::1/tcp/1", nil},
			{"c", "/ip6/2a00:1:2:5::1/tcp/1", nil},
			{"d", "/ip6/2a00:1:2:6::1/tcp/1", []string{"a"}},
			{"e", "/ip6/2a00:1:3:6::1/tcp/1", nil},
		} {
			if err := h.comes(c.name, c.addr); err != nil {
				t.Errorf("%s from %s: %v", c.name, c.addr, err)
			}
			h.gone(c.gone...)
		}
		if _, err := h.OpenConnection(network.DirInbound, true, ma.StringCast("/dns4/example.org/tcp/1")); err == nil {
			t.Error("let in from nowhere")
		}
	})
}

// Of all strangers one of the network with most of them gives way, the longest
// silent; one in the routing table after all others; one that is recordtest.Name, never.
func TestWhoGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, Limits{Handshakes: 8, HandshakesPerNetwork: 4, Strangers: 6, StrangersPerNetwork: 3}, 0)
		come := func(names ...string) {
			t.Helper()
			for _, name := range names {
				addr := fmt.Sprintf("/ip4/9.%d.%d.1/tcp/1", name[0], name[len(name)-1])
				if name[0] == 'x' { // these are of one network
					addr = "/ip4/9.9.9." + name[1:] + "/tcp/1"
				}
				if err := h.comes(name, addr); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		come("friend", "server", "a", "b", "x1", "x2", "x3")
		h.gone()
		come("c1", "c2", "c3")
		h.gone("x1", "x2", "a")
		if s, err := h.OpenStream("b", network.DirInbound); err != nil {
			t.Error(err)
		} else {
			s.Done()
		}
		time.Sleep(time.Millisecond) // virtual
		come("d1", "d2", "d3", "d4", "d5", "d6", "d7")
		h.gone("x3", "c1", "c2", "c3", "b", "d1", "d2")
	})
}

// A stranger with a stream of ours gives way after those without, and not at all
// when it has had it for so long that it must have proved something. Those have
// places of their own.
func TestWhoSpeaksStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, Limits{Handshakes: 8, HandshakesPerNetwork: 4, Strangers: 3, StrangersPerNetwork: 1}, 0)
		h.Serve("/ours", ProofTime)
		come := func(i int, proto protocol.ID) error {
			t.Helper()
			name := fmt.Sprint("n", i)
			err := h.comes(name, fmt.Sprintf("/ip4/9.9.%d.1/tcp/1", i))
			if err == nil {
				h.Connected(nil, conn{peer: peer.ID(name), scope: h.conns[len(h.conns)-1], streams: []network.Stream{
					stream{proto: proto, stat: network.Stats{Opened: time.Now()}},
				}})
			}
			return err
		}
		for i, proto := range []protocol.ID{"/ours", "/ours", "/theirs", "/theirs"} {
			if err := come(i, proto); err != nil {
				t.Error(err)
			}
		}
		h.gone("n2")
		_ = come(4, "/ours")
		h.gone("n3")
		_ = come(5, "/ours") // all speak
		h.gone("n0")
		time.Sleep(ProofTime)
		for i := range 3 { // beside the three that have proved something
			if err := come(10+i, "/theirs"); err != nil {
				t.Error(err)
			}
		}
		h.gone()
		if err := h.comes("neighbour", "/ip4/9.9.1.7/tcp/1"); err == nil {
			t.Error("a stranger takes the place of one of its network that has proved something")
		}
		_ = come(20, "/ours")
		h.gone("n10")
		time.Sleep(ProofTime) // n1, n4, n5 and n20
		_ = come(21, "/ours")
		_ = come(22, "/ours")
		h.gone("n11", "n12")
		time.Sleep(ProofTime)
		if err := come(23, "/ours"); err == nil {
			t.Error("a stranger takes the place of one that has proved something")
		}
		if err := h.comes("friend", "/ip4/9.9.1.8/tcp/1"); err != nil {
			t.Errorf("a configured peer: %v", err)
		}
		h.gone()
	})
}

// Of those who do not say who they are so many are let in; for another one the
// longest-standing gives way of its network, if that has its share, or else of
// the network that most come from. QUIC handshakes go on for a while.
func TestWhoKnocksGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, Limits{Handshakes: 5, HandshakesPerNetwork: 3, Strangers: 3, StrangersPerNetwork: 1}, 0)
		for _, c := range []struct {
			name, addr string
			gone       []string
		}{
			{"a", "/ip4/9.9.1.1/tcp/1", nil}, {"b1", "/ip4/9.9.2.1/tcp/1", nil}, {"b2", "/ip4/9.9.2.2/tcp/1", nil}, {"b3", "/ip4/9.9.2.3/tcp/1", nil},
			{"b4", "/ip4/9.9.2.4/tcp/1", []string{"b1"}},
			{"c", "/ip4/9.9.3.1/tcp/1", nil},
			{"d", "/ip4/9.9.4.1/tcp/1", []string{"b2"}},
			{"e", "/ip4/9.9.5.1/tcp/1", []string{"b3"}},
			{"f", "/ip4/9.9.6.1/tcp/1", []string{"a"}},
		} {
			h.knocks(c.name, c.addr)
			h.gone(c.gone...)
		}
		if n := pendingOf(t, h); n != 5 {
			t.Errorf("%d handshakes count", n)
		}
		twice := ma.StringCast("/ip4/9.9.7.1/tcp/1")
		if !h.accept(&rawConn{far: twice}) || h.accept(&rawConn{far: twice}) {
			t.Error("one of two connections from one port could not be hung up on")
		}
	})
}

// When it gets crowded, who comes by QUIC has to show that it is where it says:
// nobody sends others away from an address that is not its own.
func TestCrowdedDoorVerifiesAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, Limits{Handshakes: 8, HandshakesPerNetwork: 4, Strangers: 3, StrangersPerNetwork: 1}, 0)
		for i := range 5 {
			if got, want := h.VerifySourceAddress(&net.UDPAddr{IP: net.IPv4(9, 9, 100, byte(i)), Port: 1}), i == 4; got != want {
				t.Errorf("with %d at the door: %v", i, got)
			}
			h.knocks(fmt.Sprint(i), fmt.Sprintf("/ip4/9.9.%d.1/tcp/1", i))
		}
	})
}

// Only so many QUIC handshakes go on after they gave way, so few of one network,
// and those who come by TCP are let in.
func TestHandshakesDoNotPileUp(t *testing.T) {
	limits := Limits{Handshakes: 20, HandshakesPerNetwork: 10, Strangers: 3, StrangersPerNetwork: 1}
	h := newHall(t, limits, 0)
	var all []network.ConnManagementScope
	come := func(addr string) bool {
		scope, err := h.OpenConnection(network.DirInbound, false, ma.StringCast(addr))
		if err == nil {
			all = append(all, scope)
		}
		return err == nil
	}
	most := func(addr func(i int) string, want int) {
		t.Helper()
		n := 0
		for i := range 1000 {
			if come(addr(i)) {
				n++
			}
		}
		if n != want {
			t.Errorf("%d handshakes, want %d", n, want)
		}
	}
	most(func(i int) string { return fmt.Sprintf("/ip4/9.9.9.%d/udp/1/quic-v1", i%250) }, 20)
	most(func(i int) string { return fmt.Sprintf("/ip4/9.%d.%d.1/udp/1/quic-v1", i/200, i%200) }, maxLingering)
	h.knocks("tcp", "/ip4/9.9.10.1/tcp/1")
	for _, scope := range all {
		scope.Done()
	}
	if len(h.lingering) != 0 || pendingOf(t, h) > 1 {
		t.Errorf("%d linger, %d count", len(h.lingering), pendingOf(t, h))
	}
	if !come("/ip4/9.9.9.1/udp/1/quic-v1") {
		t.Error("turned away after all have ended")
	}
}

func pendingOf(t *testing.T, m network.ResourceManager) (n int) {
	t.Helper()
	if err := m.ViewTransient(func(s network.ResourceScope) error {
		n = s.Stat().NumConnsInbound
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}
