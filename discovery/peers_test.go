package discovery

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery/contacts"
	"anteroom/discovery/records"
	"anteroom/node/polltest"
)

// A peer added while the node runs is connected, asked, listed and kept.
func TestAddPeerTakesEffectAtOnce(t *testing.T) {
	home := onLoopback(t, Config{Server: true})
	home.SetFinder(func([32]byte) bool { return true })
	file := filepath.Join(t.TempDir(), "peers.json")
	key := newKey(t)
	d := onLoopback(t, Config{Identity: key, PeersFile: file})

	card, err := home.Card("Practice A")
	if err != nil {
		t.Fatal(err)
	}
	p, err := contacts.ParseCard(card)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.AddPeer(p); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Ask(t.Context(), [32]byte{}); err != nil || got != home.ID() {
		t.Errorf("not asked: %v, %v", got, err)
	}
	polltest.Eventually(t, "connection and DHT", func() bool { return d.Connected(home.ID()) && d.tableSize() == 1 })
	list := d.ListPeers()
	if len(list) != 1 || list[0].ID != home.ID() || list[0].Name != "Practice A" || !list[0].Added || !list[0].Connected || list[0].Bootstrap {
		t.Errorf("listed %+v", list)
	}
	d.stop()

	again := onLoopback(t, Config{Identity: key, PeersFile: file})
	polltest.Eventually(t, "connection after restart", func() bool { return again.Connected(home.ID()) })
}

func TestAddPeerRefuses(t *testing.T) {
	configured := PeerInfo{ID: idOf(t), Addrs: addrs("/ip4/9.9.9.9/tcp/1")}
	d := run(t, Config{Peers: []PeerInfo{configured}})
	if err := d.AddPeer(PeerInfo{ID: idOf(t), Addrs: addrs("/ip4/10.0.0.1/tcp/1")}); !errors.Is(err, ErrPrivatePeer) {
		t.Errorf("private: %v", err)
	}
	if err := d.AddPeer(PeerInfo{ID: d.ID()}); err == nil {
		t.Error("itself")
	}
	if err := d.AddPeer(PeerInfo{}); err == nil {
		t.Error("nobody")
	}
	if err := d.AddPeer(PeerInfo{ID: idOf(t), Name: "two\nlines"}); err == nil {
		t.Error("a name of two lines")
	}
	for range contacts.MaxPeers - 1 {
		if err := d.AddPeer(PeerInfo{ID: idOf(t)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.AddPeer(PeerInfo{ID: idOf(t)}); err == nil {
		t.Errorf("more than %d", contacts.MaxPeers)
	}
}

func idOf(t testing.TB) peer.ID {
	t.Helper()
	id, err := peer.IDFromPrivateKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A node that has neither listener nor address is asked over the connection
// that it made: a laptop behind NAT and its front node.
func TestPeerWithoutAddressIsAskedWhileConnected(t *testing.T) {
	key := newKey(t)
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	front := onLoopback(t, Config{Peers: []PeerInfo{{ID: id}}})
	if _, err := front.Ask(t.Context(), [32]byte{}); !errors.Is(err, records.ErrNotFound) {
		t.Errorf("before it called: %v", err)
	}
	laptop := run(t, Config{Identity: key, AllowPrivate: true, Peers: []PeerInfo{front.info()}})
	laptop.SetFinder(func([32]byte) bool { return true })
	polltest.Eventually(t, "call from the laptop", func() bool { return front.Connected(id) })
	if got, err := front.Ask(t.Context(), [32]byte{}); err != nil || got != id {
		t.Errorf("got %v, %v", got, err)
	}
}

// A peer that comes back is found again within the longest backoff, and dialled
// ever more seldom while it is away.
func TestPeerThatComesBack(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		home := s.node(Config{})
		d := s.node(Config{Peers: []PeerInfo{home.info()}})
		s.settle()
		if !d.Connected(home.ID()) {
			t.Fatal("not connected")
		}
		if err := home.host.Network().ClosePeer(d.ID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(simRTT) // virtual
		if d.Connected(home.ID()) {
			t.Fatal("connected after the connection was closed")
		}
		time.Sleep(2 * time.Second) // virtual
		if !d.Connected(home.ID()) {
			t.Error("a lost connection is not made again at once")
		}
		home.dead.Store(true)
		time.Sleep(time.Hour) // virtual
		if d.Connected(home.ID()) {
			t.Fatal("connected to a dead node")
		}
		dials := d.dials.n.Load()
		time.Sleep(time.Hour) // virtual
		if n := d.dials.n.Load() - dials; n < 20 || n > 40 {
			t.Errorf("dialled %d times in an hour, want about 30", n)
		}
		home.dead.Store(false)
		time.Sleep(2*time.Minute*6/5 + contactTime) // virtual
		if !d.Connected(home.ID()) {
			t.Error("not connected although it is back")
		}
	})
}

// The addresses in the config are stale, but the node has been there before.
func TestLastKnownGoodAddresses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "peers.json")
	home, key := onLoopback(t, Config{}), newKey(t)
	d := onLoopback(t, Config{Identity: key, PeersFile: file, Peers: []PeerInfo{home.info()}})
	polltest.Eventually(t, "connection", func() bool { return d.Connected(home.ID()) })
	d.stop()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("peers file: %v, %v", info, err)
	}
	stale := []PeerInfo{{ID: home.ID(), Addrs: addrs("/ip4/127.0.0.1/tcp/1")}}
	again := onLoopback(t, Config{Identity: key, PeersFile: file, Peers: stale})
	polltest.Eventually(t, "connection with stale config", func() bool { return again.Connected(home.ID()) })
}

// With its only peer gone, the DHT is entered through a node of old.
func TestNodesOfOldLeadIntoTheDHT(t *testing.T) {
	file := filepath.Join(t.TempDir(), "peers.json")
	servers, key := federation(t, 2), newKey(t)
	cfg := Config{Identity: key, PeersFile: file, Peers: []PeerInfo{servers[0].info()}}
	d := onLoopback(t, cfg)
	d.know(t, len(servers))
	d.stop()
	servers[0].stop()
	again := onLoopback(t, cfg)
	polltest.Eventually(t, "connection to a node of old", func() bool { return again.Connected(servers[1].ID()) })
}

// TestDamagedPeersFile: the node starts with what can be read, keeps the file as
// it was, and says so until somebody has dealt with it.
func TestDamagedPeersFile(t *testing.T) {
	good, err := json.Marshal(PeerInfo{ID: idOf(t), Addrs: addrs("/ip4/9.9.9.9/tcp/1"), Name: "Kept"})
	if err != nil {
		t.Fatal(err)
	}
	file := func(added, seen string) string {
		return `{"version":1,"added":[` + added + `],"seen":[` + seen + `]}`
	}
	one := string(good)
	key := newKey(t)
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	own, err := json.Marshal(PeerInfo{ID: self})
	if err != nil {
		t.Fatal(err)
	}
	for bad, kept := range map[string]int{
		"": 0, "{": 0, "\x00\x00\x00": 0, "[]": 0, "null": 0, `{"version":1}`: 0, `{"version":1,"added":null,"seen":[]}`: 0,
		`{"version":2,"added":[],"seen":[]}`:                     0,
		`{"version":1,"added":[],"seen":[],"more":1}`:            0,
		`{"version":1,"added":{},"seen":[]}`:                     0,
		`{"version":"1","added":[` + one + `],"seen":[]}`:        1,
		file(`{"id":"x","addrs":[]}`, ""):                        0,
		file(one+`,{"id":"x","addrs":[]}`, ""):                   1,
		file(`7,`+one, ""):                                       1,
		file(`{"id":"x"},`+one, one):                             1,
		file(strings.Replace(one, "Kept", "two\\nlines", 1), ""): 0,
		file(string(own)+","+one, ""):                            1,
		file(one, `"seen"`):                                      1,
		file(one, "") + "]":                                      1,
		file(one, "") + " {}":                                    1,
		strings.Repeat(" ", 1<<20) + file(one, ""):               0,
	} {
		path, readable := filepath.Join(t.TempDir(), "peers.json"), kept == 1
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := contacts.CheckFile(path); err == nil && !strings.Contains(bad, string(own)) { // it does not know who this node is
			t.Errorf("%.80q: nothing to say before the start", bad)
		}
		for range 2 { // the second start finds what the first one left
			d := run(t, Config{Identity: key, PeersFile: path})
			list := d.ListPeers()
			named := slices.ContainsFunc(list, func(p Peer) bool { return p.Name == "Kept" && p.Added })
			if len(list) != kept || named != readable {
				t.Errorf("%.80q: started with %+v", bad, list)
			}
			if err := d.AddPeer(PeerInfo{ID: idOf(t)}); err != nil {
				t.Errorf("%.80q: %v", bad, err)
			}
			kept++
			d.stop()
		}
		aside, err := filepath.Glob(path + ".damaged-*")
		if err != nil || len(aside) != 1 {
			t.Fatalf("%.80q: kept aside: %q, %v", bad, aside, err)
		}
		if after, _ := os.ReadFile(aside[0]); string(after) != bad {
			t.Errorf("%.80q: changed", bad)
		}
		if err := contacts.CheckFile(path); err == nil || !strings.Contains(err.Error(), aside[0]) {
			t.Errorf("%.80q: %v does not name the file", bad, err)
		}
		if err := os.Remove(aside[0]); err != nil {
			t.Fatal(err)
		}
		if err := contacts.CheckFile(path); err != nil {
			t.Errorf("%.80q: dealt with, and yet %v", bad, err)
		}
	}
}

// A Peers file need not be one at all.
func TestPeersFileThatIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "[a] peers?.json")
	if err := os.MkdirAll(filepath.Join(path, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := run(t, Config{PeersFile: path})
	if err := d.AddPeer(PeerInfo{ID: idOf(t)}); err != nil {
		t.Error(err)
	}
	d.stop()
	err := contacts.CheckFile(path)
	damaged, ok := errors.AsType[contacts.Damaged](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(damaged.Path, "inside")); err != nil {
		t.Errorf("not kept: %v", err)
	}
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	taken := run(t, Config{AllowPrivate: true, Listen: []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}})
	busy := taken.host.Network().ListenAddresses()
	tests := []struct {
		name string
		cfg  Config
		want []string
	}{
		{"no identity", Config{}, []string{"identity"}},
		{
			"listen and announce",
			Config{Identity: newKey(t), Listen: []string{"localhost:4001", "/ip4/1.1.1.1/udp/1"}, Announce: []string{"/ip4/10.0.0.1/tcp/1", "x"}},
			[]string{`"localhost:4001"`, `"/ip4/1.1.1.1/udp/1"`, `"/ip4/10.0.0.1/tcp/1"`, `"x"`},
		},
		{"TCP port in use", Config{Identity: newKey(t), Listen: []string{busy[0].String()}}, []string{busy[0].String(), "address already in use"}},
		{"UDP port in use", Config{Identity: newKey(t), Listen: []string{"/ip4/127.0.0.1/tcp/0", busy[1].String()}}, []string{busy[1].String(), "address already in use"}},
		{"peer is itself", Config{Identity: taken.key, Peers: []PeerInfo{{ID: taken.ID()}}}, []string{"this node itself"}},
	}
	for _, test := range tests {
		d, err := New(test.cfg)
		if err == nil {
			_ = d.Close()
			t.Errorf("%s: accepted", test.name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %s", test.name, err, want)
			}
		}
	}
}

// What the config says of peers may change while the node runs.
func TestSetPeers(t *testing.T) {
	a, b, added := onLoopback(t, Config{}), onLoopback(t, Config{}), onLoopback(t, Config{})
	d := onLoopback(t, Config{Peers: []PeerInfo{a.info()}, Bootstrap: []PeerInfo{a.info()}})
	if err := d.AddPeer(added.info()); err != nil {
		t.Fatal(err)
	}
	polltest.Eventually(t, "connection to the first", func() bool { return d.Connected(a.ID()) && d.Connected(added.ID()) })
	if err := d.SetPeers([]PeerInfo{b.info(), added.info()}); err != nil {
		t.Fatal(err)
	}
	polltest.Eventually(t, "connection to the second", func() bool { return d.Connected(b.ID()) })
	for _, p := range d.ListPeers() {
		if p.Bootstrap != (p.ID == a.ID()) || p.Added != (p.ID == added.ID()) {
			t.Errorf("%+v", p)
		}
	}
	if err := d.SetPeers(nil); err != nil {
		t.Fatal(err)
	}
	polltest.Eventually(t, "the second to be let go", func() bool { return !d.Connected(b.ID()) })
	if list := d.ListPeers(); len(list) != 2 || !d.Connected(added.ID()) {
		t.Errorf("the way in and the added one are left: %+v", list)
	}

	before := d.ListPeers()
	crowd := make([]PeerInfo, contacts.MaxPeers-1)
	for i := range crowd {
		crowd[i].ID = idOf(t)
	}
	for name, bad := range map[string][]PeerInfo{"nobody": {b.info(), {}}, "itself": {b.info(), {ID: d.ID()}}, "too many": crowd} {
		if err := d.SetPeers(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if after := d.ListPeers(); len(after) != len(before) {
		t.Errorf("a refusal changed something: %+v", after)
	}
}
