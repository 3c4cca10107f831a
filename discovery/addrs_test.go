package discovery

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	ma "github.com/multiformats/go-multiaddr"
)

func addrs(list ...string) (out []ma.Multiaddr) {
	for _, s := range list {
		out = append(out, ma.StringCast(s))
	}
	return out
}

const relayID = "12D3KooWKYBwEFenARawxbK6hpUQTK1GK4i1bSDLy72nj7nsTJp9"

func TestReach(t *testing.T) {
	tests := map[reach][]string{
		public: {
			"/ip4/9.9.9.9/tcp/1", "/ip4/100.63.255.255/tcp/1", "/ip4/172.32.0.1/tcp/1", "/ip6/2a00:1450::1/tcp/1", "/ip6/2606:4700::1/udp/1/quic-v1",
			"/dns4/node.example.org/tcp/1", "/dns/node.example.org/udp/1/quic-v1", "/dns6/node.example.org/tcp/1",
			"/ip4/9.9.9.9/tcp/1/p2p/" + relayID + "/p2p-circuit", "/dns/a.example.org/udp/1/quic-v1/p2p/" + relayID + "/p2p-circuit/p2p/" + relayID,
		},
		private: {
			"/ip4/10.0.0.1/tcp/1", "/ip4/172.16.0.1/tcp/1", "/ip4/192.168.1.1/tcp/1", "/ip4/169.254.169.254/tcp/1", "/ip4/100.64.0.1/tcp/1",
			"/ip4/192.0.0.8/tcp/1", "/ip4/192.0.2.1/tcp/1", "/ip4/198.18.0.1/tcp/1", "/ip4/198.51.100.1/tcp/1", "/ip4/203.0.113.1/tcp/1",
			"/ip4/240.0.0.1/tcp/1", "/ip4/0.1.2.3/tcp/1", "/ip4/192.88.99.1/tcp/1",
			"/ip6/fc00::1/tcp/1", "/ip6/fd12::1/tcp/1", "/ip6/fe80::1/tcp/1", "/ip6/fec0::1/tcp/1", "/ip6/100::1/tcp/1", "/ip6/2001:db8::1/tcp/1",
			"/ip6/2002:7f00:1::1/tcp/1", "/ip6/2001::1/tcp/1", "/ip6/64:ff9b::7f00:1/tcp/1", "/ip6/::7f00:1/tcp/1", "/ip6/3fff::1/tcp/1",
			"/ip6/::ffff:10.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1/p2p/" + relayID + "/p2p-circuit",
		},
		loopback: {"/ip4/127.0.0.1/tcp/1", "/ip4/127.9.9.9/udp/1/quic-v1", "/ip6/::1/tcp/1", "/ip6/::ffff:127.0.0.1/tcp/1"},
		nowhere: {
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
			if got := reachable(ma.StringCast(s)); got != want {
				t.Errorf("%s: got %d, want %d", s, got, want)
			}
		}
	}
	if reachable(nil) != nowhere {
		t.Error("an empty multiaddr leads somewhere")
	}
}

func TestPickAddrs(t *testing.T) {
	given := addrs("/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1", "/ip4/0.0.0.0/tcp/1",
		"/ip4/9.9.9.9/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1", "/dns4/a.example.org/udp/1/quic-v1")
	before := fmt.Sprint(given)
	tests := []struct {
		private bool
		limit   int
		want    []ma.Multiaddr
	}{
		{true, 9, addrs("/ip4/9.9.9.9/udp/1/quic-v1", "/dns4/a.example.org/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/127.0.0.1/tcp/1")},
		{true, 2, addrs("/ip4/9.9.9.9/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1")},
		{false, 9, addrs("/ip4/9.9.9.9/udp/1/quic-v1", "/dns4/a.example.org/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1")},
		{false, 0, nil},
	}
	for _, test := range tests {
		got := pickAddrs(given, test.private, test.limit)
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
		direct = append(direct, addrs(fmt.Sprintf("/ip4/9.9.9.%d/tcp/1", i))...)
		circuits = append(circuits, addrs(fmt.Sprintf("/ip4/9.9.8.%d/udp/1/quic-v1/p2p/%s/p2p-circuit", i, relayID))...)
	}
	for _, test := range []struct{ direct, circuits, limit, wantDirect, wantCircuits int }{
		{6, 6, 6, 3, 3}, {6, 1, 6, 5, 1}, {1, 6, 6, 1, 5}, {6, 0, 6, 6, 0}, {0, 6, 6, 0, 6}, {2, 2, 6, 2, 2}, {6, 6, 1, 1, 0}, {0, 6, 1, 0, 1}, {2, 3, 4, 2, 2},
	} {
		got := pickAddrs(slices.Concat(circuits[:test.circuits], direct[:test.direct]), false, test.limit)
		want := slices.Concat(direct[:test.wantDirect], circuits[:test.wantCircuits])
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v: got %v", test, got)
		}
	}
}

func TestSignedRecordFits(t *testing.T) {
	long := "/dns4/" + strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + ".example.org/udp/4001/quic-v1"
	announce := []string{long, long + "1", "/ip4/9.9.9.9/tcp/4001", "/ip6/2a00::1/udp/4001/quic-v1"}
	announce[1] = strings.Replace(long, "/udp/4001/quic-v1", "/tcp/4001", 1)
	d := run(t, Config{Announce: announce})
	signed, err := d.SignedRecord()
	if err != nil {
		t.Fatal(err)
	}
	if len(signed) > MaxSignedRecord {
		t.Errorf("%d bytes, more than %d", len(signed), MaxSignedRecord)
	}
	info, err := d.Consume(signed)
	if err != nil || info.ID != d.ID() || len(info.Addrs) < 3 {
		t.Fatalf("got %v, %v", info, err)
	}
	if !info.Addrs[0].Equal(ma.StringCast(long)) {
		t.Errorf("first address is %v", info.Addrs[0])
	}

	many := make([]string, 20)
	for i := range many {
		many[i] = fmt.Sprintf("/ip4/9.9.9.%d/udp/4001/quic-v1", i)
	}
	d = run(t, Config{Announce: many})
	if signed, err = d.SignedRecord(); err != nil {
		t.Fatal(err)
	}
	if info, err = d.Consume(signed); err != nil || len(info.Addrs) != maxAddrs {
		t.Errorf("got %d addresses, %v, want %d", len(info.Addrs), err, maxAddrs)
	}
}

func TestSignedRecordWithoutAddress(t *testing.T) {
	hidden := run(t, Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}}) // private addresses not allowed
	if _, err := hidden.SignedRecord(); !errors.Is(err, ErrNoAddress) {
		t.Errorf("got %v, want ErrNoAddress", err)
	}
	for _, a := range hidden.host.Addrs() {
		t.Errorf("tells others of %s", a)
	}
}

func TestConsume(t *testing.T) {
	strict, lan := run(t, Config{}), onLoopback(t, Config{})
	key := newKey(t)
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	mixed := addrs("/ip4/127.0.0.1/tcp/1", "/ip4/9.9.9.9/udp/1/quic-v1", "/ip4/192.168.0.1/tcp/1", "/ip4/0.0.0.0/tcp/1")
	good, err := sealAddrs(key, mixed, MaxSignedRecord)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := strict.Consume(good); err != nil || info.ID != id || len(info.Addrs) != 1 {
		t.Errorf("public only: got %v, %v", info, err)
	}
	if info, err := lan.Consume(good); err != nil || len(info.Addrs) != 3 {
		t.Errorf("private allowed: got %v, %v", info, err)
	}

	seal := func(signer crypto.PrivKey, id peer.ID) []byte {
		envelope, err := record.Seal(peer.PeerRecordFromAddrInfo(peer.AddrInfo{ID: id, Addrs: mixed}), signer)
		if err != nil {
			t.Fatal(err)
		}
		data, err := envelope.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	other, _, err := crypto.GenerateECDSAKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherID, err := peer.IDFromPrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{
		"empty": nil, "garbage": []byte("garbage"), "cut": good[:len(good)-1], "oversized": append(slices.Clone(good), make([]byte, MaxSignedRecord)...),
		"of another node": seal(newKey(t), id), "with a key of another kind": seal(other, otherID),
	}
	for what, data := range bad {
		if _, err := strict.Consume(data); !errors.Is(err, errBadPeerRecord) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	for i := range good {
		flipped := slices.Clone(good)
		flipped[i] ^= 1
		if info, err := strict.Consume(flipped); err == nil {
			t.Errorf("byte %d flipped: accepted as %v", i, info)
		}
	}
}
