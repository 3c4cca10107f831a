package address

import (
	"fmt"
	"slices"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

const relayID = "12D3KooWKYBwEFenARawxbK6hpUQTK1GK4i1bSDLy72nj7nsTJp9"

func TestReach(t *testing.T) {
	tests := map[Reach][]string{
		Public: {
			"/ip4/9.9.9.9/tcp/1", "/ip4/100.63.255.255/tcp/1", "/ip4/172.32.0.1/tcp/1", "/ip6/2a00:1450::1/tcp/1", "/ip6/2606:4700::1/udp/1/quic-v1",
			"/dns4/node.example.org/tcp/1", "/dns/node.example.org/udp/1/quic-v1", "/dns6/node.example.org/tcp/1",
			"/ip4/9.9.9.9/tcp/1/p2p/" + relayID + "/p2p-circuit", "/dns/a.example.org/udp/1/quic-v1/p2p/" + relayID + "/p2p-circuit/p2p/" + relayID,
		},
		Private: {
			"/ip4/10.0.0.1/tcp/1", "/ip4/172.16.0.1/tcp/1", "/ip4/192.168.1.1/tcp/1", "/ip4/169.254.169.254/tcp/1", "/ip4/100.64.0.1/tcp/1",
			"/ip4/192.0.0.8/tcp/1", "/ip4/192.0.2.1/tcp/1", "/ip4/198.18.0.1/tcp/1", "/ip4/198.51.100.1/tcp/1", "/ip4/203.0.113.1/tcp/1",
			"/ip4/240.0.0.1/tcp/1", "/ip4/0.1.2.3/tcp/1", "/ip4/192.88.99.1/tcp/1",
			"/ip6/fc00::1/tcp/1", "/ip6/fd12::1/tcp/1", "/ip6/fe80::1/tcp/1", "/ip6/fec0::1/tcp/1", "/ip6/100::1/tcp/1", "/ip6/2001:db8::1/tcp/1",
			"/ip6/2002:7f00:1::1/tcp/1", "/ip6/2001::1/tcp/1", "/ip6/64:ff9b::7f00:1/tcp/1", "/ip6/::7f00:1/tcp/1", "/ip6/3fff::1/tcp/1",
			"/ip6/::ffff:10.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1/p2p/" + relayID + "/p2p-circuit",
		},
		Loopback: {"/ip4/127.0.0.1/tcp/1", "/ip4/127.9.9.9/udp/1/quic-v1", "/ip6/::1/tcp/1", "/ip6/::ffff:127.0.0.1/tcp/1"},
		Nowhere: {
			"/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/1", "/ip4/224.0.0.1/udp/1/quic-v1", "/ip4/255.255.255.255/tcp/1", "/ip6/ff02::1/tcp/1", "/ip6/::ffff:0.0.0.0/tcp/1",
			"/ip4/9.9.9.9/udp/1", "/ip4/9.9.9.9/tcp/1/ws", "/ip4/9.9.9.9/udp/1/quic-v1/webtransport", "/ip4/9.9.9.9", "/unix/run/x",
			"/dnsaddr/node.example.org/tcp/1", "/ip6zone/eth0/ip6/fe80::1/tcp/1",
			"/p2p-circuit", "/ip4/9.9.9.9/tcp/1/p2p-circuit", "/p2p/" + relayID + "/p2p-circuit", "/ip4/9.9.9.9/tcp/1/p2p/" + relayID,
			"/ip4/0.0.0.0/tcp/1/p2p/" + relayID + "/p2p-circuit", "/ip4/9.9.9.9/udp/1/p2p/" + relayID + "/p2p-circuit",
			"/dnsaddr/node.example.org/p2p/" + relayID + "/p2p-circuit", "/ip4/9.9.9.9/tcp/1/p2p/" + relayID + "/p2p-circuit/tcp/1",
			"/ip4/9.9.9.9/tcp/1/p2p/" + relayID + "/p2p-circuit/p2p/" + relayID + "/p2p-circuit",
		},
	}
	for want, list := range tests {
		for _, s := range list {
			if got := ReachOf(ma.StringCast(s)); got != want {
				t.Errorf("%s: got %d, want %d", s, got, want)
			}
		}
	}
	if ReachOf(nil) != Nowhere {
		t.Error("an empty multiaddr leads somewhere")
	}
}

func TestPickAddrs(t *testing.T) {
	given := multiaddrs("/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1", "/ip4/0.0.0.0/tcp/1",
		"/ip4/9.9.9.9/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1", "/dns4/a.example.org/udp/1/quic-v1")
	before := fmt.Sprint(given)
	tests := []struct {
		private bool
		limit   int
		want    []ma.Multiaddr
	}{
		{true, 9, multiaddrs("/ip4/9.9.9.9/udp/1/quic-v1", "/dns4/a.example.org/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/127.0.0.1/tcp/1")},
		{true, 2, multiaddrs("/ip4/9.9.9.9/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1")},
		{false, 9, multiaddrs("/ip4/9.9.9.9/udp/1/quic-v1", "/dns4/a.example.org/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1")},
		{false, 0, nil},
	}
	for _, test := range tests {
		got := Pick(given, test.private, test.limit)
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("private %v, limit %d: got %v, want %v", test.private, test.limit, got, test.want)
		}
	}
	if fmt.Sprint(given) != before {
		t.Error("changed its input")
	}
}

// Circuits come last and are not crowded out, nor do they crowd others out.
func TestPickAddrsKeepsCircuits(t *testing.T) {
	var direct, circuits []ma.Multiaddr
	for i := range 6 {
		direct = append(direct, multiaddrs(fmt.Sprintf("/ip4/9.9.9.%d/tcp/1", i))...)
		circuits = append(circuits, multiaddrs(fmt.Sprintf("/ip4/9.9.8.%d/udp/1/quic-v1/p2p/%s/p2p-circuit", i, relayID))...)
	}
	for _, test := range []struct{ direct, circuits, limit, wantDirect, wantCircuits int }{
		{6, 6, 6, 3, 3}, {6, 1, 6, 5, 1}, {1, 6, 6, 1, 5}, {6, 0, 6, 6, 0}, {0, 6, 6, 0, 6}, {2, 2, 6, 2, 2}, {6, 6, 1, 1, 0}, {0, 6, 1, 0, 1}, {2, 3, 4, 2, 2},
	} {
		got := Pick(slices.Concat(circuits[:test.circuits], direct[:test.direct]), false, test.limit)
		want := slices.Concat(direct[:test.wantDirect], circuits[:test.wantCircuits])
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v: got %v", test, got)
		}
	}
}

func multiaddrs(list ...string) (out []ma.Multiaddr) {
	for _, s := range list {
		out = append(out, ma.StringCast(s))
	}
	return out
}
