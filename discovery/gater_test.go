package discovery

import (
	"context"
	"fmt"
	"testing"

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
	if inside.isConnected(strict.ID()) {
		t.Error("connected")
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
