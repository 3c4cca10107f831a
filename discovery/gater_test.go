package discovery

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// A public node never dials into a private network, whoever names the address.
func TestPrivateAddressesAreNotDialled(t *testing.T) {
	inside := onLoopback(t, Config{})
	strict := run(t, Config{})
	if err := strict.AddPeer(inside.info()); err == nil {
		t.Error("took a peer that it may not dial")
	}
	if _, err := strict.Open(t.Context(), inside.addrInfo(), findProtocol); err == nil {
		t.Error("opened a stream")
	}
	if err := strict.host.Connect(t.Context(), inside.addrInfo()); err == nil {
		t.Error("dialled behind our back")
	}
	if inside.Connected(strict.ID()) {
		t.Error("connected")
	}
}

// A circuit is as good as the address of its relay: a signed record cannot send
// a node into its own network by way of one, nor to whom it blocks.
func TestCircuitsAreJudgedByTheirRelay(t *testing.T) {
	relay, other, self := idOf(t), idOf(t), idOf(t)
	g := &gater{self: self, blocked: map[peer.ID]bool{other: true}}
	circuit := func(host string, through peer.ID) ma.Multiaddr {
		return ma.StringCast(host + "/p2p/" + through.String() + "/p2p-circuit")
	}
	home := idOf(t)
	for _, test := range []struct {
		a               ma.Multiaddr
		want, onPrivate bool
	}{
		{circuit("/ip4/9.9.9.9/udp/1/quic-v1", relay), true, true},
		{circuit("/ip4/10.0.0.1/udp/1/quic-v1", relay), false, true},
		{circuit("/ip4/10.0.0.1/udp/1/quic-v1", relay).Encapsulate(ma.StringCast("/p2p/" + home.String())), false, true},
		{circuit("/ip4/127.0.0.1/tcp/1", relay), false, true},
		{circuit("/ip6/::ffff:192.168.0.1/tcp/1", relay), false, true},
		{circuit("/ip4/169.254.169.254/tcp/80", relay), false, true},
		{circuit("/ip4/9.9.9.9/tcp/1", other), false, false}, // blocked
		{circuit("/ip4/9.9.9.9/tcp/1", self), false, false},
		{circuit("/ip4/9.9.9.9/tcp/1", home), false, false}, // through itself
		{circuit("/ip4/9.9.9.9/tcp/1/p2p/"+relay.String()+"/p2p-circuit", relay), false, false},
	} {
		g.allowPrivate = false
		if got := g.InterceptAddrDial(home, test.a); got != test.want {
			t.Errorf("%s: got %v, want %v", test.a, got, test.want)
		}
		g.allowPrivate = true
		if got := g.InterceptAddrDial(home, test.a); got != test.onPrivate {
			t.Errorf("%s, private allowed: got %v, want %v", test.a, got, test.onPrivate)
		}
	}

	strict := run(t, Config{})
	inside := onLoopback(t, Config{})
	through := circuit(inside.Addrs()[0].String(), inside.ID())
	if _, err := strict.Open(t.Context(), peer.AddrInfo{ID: home, Addrs: []ma.Multiaddr{through}}, findProtocol); err == nil {
		t.Error("opened a stream")
	}
	strict.host.Peerstore().AddAddr(home, through, time.Minute)
	if err := strict.host.Connect(t.Context(), peer.AddrInfo{ID: home}); err == nil {
		t.Error("dialled behind our back")
	}
	if inside.Connected(strict.ID()) {
		t.Error("connected to a relay inside")
	}
}

// Callers come through this node's own relays, however many, and through no
// other node.
func TestCallersComeThroughOwnRelaysOnly(t *testing.T) {
	relay, other := idOf(t), idOf(t)
	var present []network.Conn
	g := &gater{
		blocked: map[peer.ID]bool{},
		relays:  map[peer.ID]bool{relay: true},
		trusted: func(peer.ID) bool { return false },
		conns:   func() []network.Conn { return present },
	}
	through := func(p peer.ID) ma.Multiaddr {
		return ma.StringCast("/ip4/9.9.9.9/udp/1/quic-v1/p2p/" + p.String() + "/p2p-circuit")
	}
	for i := range 4 * maxPerSubnet {
		c := conn{peer: peer.ID(fmt.Sprint(i)), addr: through(relay)}
		if !g.InterceptSecured(network.DirInbound, c.peer, c) {
			t.Errorf("caller %d refused", i)
		}
		present = append(present, c)
	}
	if c := (conn{peer: "x", addr: through(other)}); g.InterceptSecured(network.DirInbound, c.peer, c) {
		t.Error("a caller through another node got in")
	}
	if c := (conn{peer: "y", addr: ma.StringCast("/ip4/9.9.9.10/tcp/1")}); !g.InterceptSecured(network.DirInbound, c.peer, c) {
		t.Error("callers through the relay count as its neighbours")
	}
}

// A node found on the LAN may be dialled where it was found, and nowhere else
// inside.
func TestNeighboursAreDialledWhereTheyWereFound(t *testing.T) {
	d := run(t, Config{})
	id, file := idOf(t), addrs("/ip4/192.168.0.9/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip4/9.9.9.9/tcp/1")
	d.found(peer.AddrInfo{ID: id, Addrs: file})
	for a, want := range map[string]bool{
		"/ip4/192.168.0.9/tcp/1": true, "/ip4/192.168.0.9/tcp/2": false, "/ip4/192.168.0.8/tcp/1": false, "/ip4/127.0.0.1/tcp/1": false,
	} {
		if got := d.gater.InterceptAddrDial(id, ma.StringCast(a)); got != want {
			t.Errorf("%s: got %v, want %v", a, got, want)
		}
	}
	if d.gater.InterceptAddrDial(idOf(t), file[0]) {
		t.Error("another node may be dialled there")
	}
	list := d.ListPeers()
	if len(list) != 1 || !list[0].LAN || len(list[0].Addrs) != 1 || d.book.has(id) {
		t.Errorf("got %+v, trusted: %v", list, d.book.has(id))
	}
	for range 2 * maxLAN {
		d.found(peer.AddrInfo{ID: idOf(t), Addrs: file})
	}
	if got := len(d.ListPeers()); got != maxLAN {
		t.Errorf("remembers %d neighbours, want %d", got, maxLAN)
	}
	d.found(peer.AddrInfo{ID: d.ID(), Addrs: file})
	if err := d.AddPeer(PeerInfo{ID: id, Addrs: addrs("/ip4/9.9.9.9/tcp/1")}); err != nil || !d.book.has(id) {
		t.Errorf("operator names a neighbour: %v", err)
	}
}

func TestBlockedPeers(t *testing.T) {
	outcast := onLoopback(t, Config{})
	d := onLoopback(t, Config{Blocked: []peer.ID{outcast.ID()}})
	if _, err := d.Open(t.Context(), outcast.addrInfo(), findProtocol); err == nil {
		t.Error("reached a blocked peer")
	}
	if d.gater.InterceptPeerDial(outcast.ID()) {
		t.Error("dials a blocked peer")
	}
	if _, err := outcast.Open(t.Context(), d.addrInfo(), findProtocol); err == nil {
		t.Error("a blocked peer got in")
	}
}

// Three strangers of one /24 may be here at a time; elsewhere and configured
// peers are another matter.
func TestStrangersOfOneSubnetAreLimited(t *testing.T) {
	friend := peer.ID("friend")
	var present []network.Conn
	g := &gater{
		blocked: map[peer.ID]bool{},
		trusted: func(p peer.ID) bool { return p == friend },
		conns:   func() []network.Conn { return present },
	}
	from := func(dir network.Direction, p, addr string) bool {
		c := conn{peer: peer.ID(p), addr: ma.StringCast(addr)}
		ok := g.InterceptSecured(dir, c.peer, c)
		if ok {
			present = append(present, c)
		}
		return ok
	}
	for i := range maxPerSubnet {
		if !from(network.DirInbound, fmt.Sprint(i), fmt.Sprintf("/ip4/9.9.9.%d/tcp/1", i)) {
			t.Errorf("stranger %d refused", i)
		}
	}
	tests := []struct {
		dir        network.Direction
		peer, addr string
		want       bool
	}{
		{network.DirInbound, "x", "/ip4/9.9.9.200/udp/1/quic-v1", false},
		{network.DirInbound, "x", "/ip6/::ffff:9.9.9.200/tcp/1", false},
		{network.DirInbound, "1", "/ip4/9.9.9.1/tcp/2", true}, // its second connection
		{network.DirInbound, "x", "/ip4/9.9.8.200/tcp/1", true},
		{network.DirInbound, "friend", "/ip4/9.9.9.201/tcp/1", true},
		{network.DirOutbound, "y", "/ip4/9.9.9.202/tcp/1", true},
		{network.DirInbound, "a", "/ip6/2a00:1:2:3::1/tcp/1", true},
		{network.DirInbound, "b", "/ip6/2a00:1:2:4::1/tcp/1", true},
		{network.DirInbound, "c", "/ip6/2a00:1:2:5::1/tcp/1", true},
		{network.DirInbound, "d", "/ip6/2a00:1:2:6::1/tcp/1", false},
		{network.DirInbound, "d", "/ip6/2a00:1:3:6::1/tcp/1", true},
		{network.DirInbound, "e", "/dns4/example.org/tcp/1", false},
	}
	for _, test := range tests {
		if got := from(test.dir, test.peer, test.addr); got != test.want {
			t.Errorf("%s from %s: got %v, want %v", test.peer, test.addr, got, test.want)
		}
	}
	g.allowPrivate = true
	if !from(network.DirInbound, "z", "/ip4/9.9.9.210/tcp/1") {
		t.Error("limited on a LAN")
	}
}

// conn is as much of a connection as the gater looks at.
type conn struct {
	network.Conn
	peer peer.ID
	addr ma.Multiaddr
}

func (c conn) RemotePeer() peer.ID           { return c.peer }
func (c conn) RemoteMultiaddr() ma.Multiaddr { return c.addr }

// The diversity filter: many nodes of one /16 do not fill the routing table.
func TestOneProviderDoesNotFillTheTable(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		d := s.node(Config{Server: true})
		for range 8 {
			crowd := s.neighbour(Config{Server: true})
			if err := crowd.host.Connect(context.Background(), d.addrInfo()); err != nil {
				t.Logf("crowd member refused: %v", err)
			}
		}
		for range 5 {
			if err := s.node(Config{Server: true}).host.Connect(context.Background(), d.addrInfo()); err != nil {
				t.Fatal(err)
			}
		}
		s.settle()
		if got, most := d.tableSize(), 5+3; got < 5 || got > most {
			t.Errorf("%d nodes in the table, want 5 to %d", got, most)
		}
	})
}
