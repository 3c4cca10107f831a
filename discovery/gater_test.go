package discovery

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/admission"
)

// A Public node never dials into a private network, whoever names the address.
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
// a node into its own network by way of one.
func TestCircuitsAreJudgedByTheirRelay(t *testing.T) {
	relay, self := idOf(t), idOf(t)
	g := &admission.Gater{Self: self}
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
		{circuit("/ip4/9.9.9.9/tcp/1", self), false, false},
		{circuit("/ip4/9.9.9.9/tcp/1", home), false, false}, // through itself
		{circuit("/ip4/9.9.9.9/tcp/1/p2p/"+relay.String()+"/p2p-circuit", relay), false, false},
	} {
		g.AllowPrivate = false
		if got := g.InterceptAddrDial(home, test.a); got != test.want {
			t.Errorf("%s: got %v, want %v", test.a, got, test.want)
		}
		g.AllowPrivate = true
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
	if len(list) != 1 || !list[0].LAN || len(list[0].Addrs) != 1 || d.book.Has(id) {
		t.Errorf("got %+v, trusted: %v", list, d.book.Has(id))
	}
	for range 2 * maxLAN {
		d.found(peer.AddrInfo{ID: idOf(t), Addrs: file})
	}
	if got := len(d.ListPeers()); got != maxLAN {
		t.Errorf("remembers %d neighbours, want %d", got, maxLAN)
	}
	d.found(peer.AddrInfo{ID: d.ID(), Addrs: file})
	if err := d.AddPeer(PeerInfo{ID: id, Addrs: addrs("/ip4/9.9.9.9/tcp/1")}); err != nil || !d.book.Has(id) {
		t.Errorf("operator names a neighbour: %v", err)
	}
}

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
