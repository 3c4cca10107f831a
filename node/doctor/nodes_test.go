package doctor

import (
	"context"
	"crypto/rand"
	"testing"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-msgio/pbio"

	"anteroom/discovery"
	"anteroom/node/polltest"
)

// knowsServer waits until a server of the DHT is known, which takes what it is given.
func knowsServer(t testing.TB, cfg Config) {
	t.Helper()
	polltest.Eventually(t, "a server in the routing table", func() bool { return newRun(t, cfg).dht(t.Context()).status == Pass })
}

func TestDHT(t *testing.T) {
	ctx := t.Context()
	cfg, _ := healthy(t)
	knowsServer(t, cfg)
	expect(t, newRun(t, cfg).dht(ctx), Pass, "One node of the DHT kept a record, and it was found again.", "")

	ended, cancel := context.WithCancel(ctx)
	cancel()
	expect(t, newRun(t, cfg).dht(ended), Warn, "This check did not end in time.", "how busy this computer and its network are")

	// A peer that keeps nothing for others.
	cfg.Discovery = start(t, nil)
	meet(t, cfg.Discovery, start(t, func(c *discovery.Config) { c.Server = false }))
	expect(t, newRun(t, cfg).dht(ctx), Warn, "No node of the DHT answers", "discovery.bootstrap")
}

// One that takes so many records a minute and no more, and one that says that
// it keeps them and does not.
func TestDHTKeepsNothing(t *testing.T) {
	ctx := t.Context()
	with := func(server *discovery.Discovery) Config {
		d := start(t, func(c *discovery.Config) { c.Server = false })
		meet(t, d, server)
		cfg := Config{Running: true, Discovery: d}
		knowsServer(t, cfg)
		return cfg
	}
	full := with(start(t, nil))
	got := newRun(t, full).dht(ctx)
	for n := 0; n < 100 && got.status == Pass; n++ {
		got = newRun(t, full).dht(ctx)
	}
	expect(t, got, Warn, "Of 1 nodes of the DHT only 0 kept a record.", "discovery.bootstrap")

	forgetful := start(t, nil)
	cfg := with(forgetful)
	forgetful.Handle("/anteroom/kad/1.0.0", func(_ context.Context, s network.Stream) {
		defer s.Close()
		in, out := pbio.NewDelimitedReader(s, 1<<16), pbio.NewDelimitedWriter(s)
		for {
			m := new(kadpb.Message)
			if in.ReadMsg(m) != nil {
				return
			}
			if m.GetType() != kadpb.Message_PUT_VALUE { // which is answered with itself
				m = kadpb.NewMessage(m.GetType(), m.GetKey(), 0)
			}
			if out.WriteMsg(m) != nil {
				return
			}
		}
	})
	expect(t, newRun(t, cfg).dht(ctx), Warn, "One node of the DHT kept a record, but it was not found again.", "discovery.bootstrap")
}

func TestPeersAndFronts(t *testing.T) {
	ctx := t.Context()
	cfg, friend := healthy(t)
	expect(t, newRun(t, cfg).peers(ctx), Pass, "The only peer is connected.", "")
	gone := start(t, nil)
	info := infoOf(t, gone, "Valley Practice")
	check(t, gone.Close())
	check(t, cfg.Discovery.AddPeer(info))
	expect(t, newRun(t, cfg).peers(ctx), Warn, "Of 2 peers these are not connected: Valley Practice.", "peer cards")

	cfg.PublicURL, cfg.FrontURL, cfg.Nodes = "", "https://front.example", []peer.ID{friend.ID()}
	expect(t, newRun(t, cfg).front(ctx), Pass, "finds this one for patients at https://front.example.", "")
	check(t, friend.Close())
	polltest.Eventually(t, "that a lost peer shows", func() bool { return !cfg.Discovery.Connected(friend.ID()) })
	expect(t, newRun(t, cfg).front(ctx), Fail, "The node at https://front.example is not connected", "practice.nodes")
}

// A hidden node says how things stand at the public one.
func TestPublicNode(t *testing.T) {
	ctx := t.Context()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	check(t, err)
	id, err := peer.IDFromPrivateKey(key)
	check(t, err)
	hiddenAt := func(public discovery.PeerInfo) Config {
		hidden := start(t, func(c *discovery.Config) {
			c.Identity, c.Server, c.Relays = key, false, []discovery.PeerInfo{public}
		})
		return Config{Running: true, Discovery: hidden, PublicURL: "https://call.example", Fronts: []peer.ID{public.ID}}
	}
	public := start(t, func(c *discovery.Config) { c.RelayFor = []peer.ID{id} })
	cfg := hiddenAt(infoOf(t, public, ""))
	polltest.Eventually(t, "a place at the public node", func() bool { return cfg.Discovery.Reachability().Relays[0].Reserved })
	expect(t, newRun(t, cfg).front(ctx), Pass, "The public node is connected, and passes patients on to this one.", "")
	expect(t, newRun(t, cfg).addresses(ctx), Pass, "through another, which takes calls for it.", "")
	check(t, public.Close())
	polltest.Eventually(t, "that it is gone", func() bool { return !cfg.Discovery.Reachability().Relays[0].Connected })
	expect(t, newRun(t, cfg).front(ctx), Fail, "The public node is not connected.", "See that it runs")
	check(t, cfg.Discovery.Close())

	// One that is no relay at all, as while it has an older configuration.
	other := start(t, nil)
	cfg = hiddenAt(infoOf(t, other, ""))
	polltest.Eventually(t, "a connection", func() bool { return cfg.Discovery.Reachability().Relays[0].Connected })
	expect(t, newRun(t, cfg).front(ctx), Warn, "The public node is connected, but does not take calls from other nodes for this one yet.", "Check again in a minute.")
	check(t, cfg.Discovery.Close())

	refusing := start(t, func(c *discovery.Config) { c.RelayFor = []peer.ID{start(t, nil).ID()} })
	cfg = hiddenAt(infoOf(t, refusing, ""))
	polltest.Eventually(t, "a refusal", func() bool { return cfg.Discovery.Reachability().Relays[0].Refused })
	expect(t, newRun(t, cfg).front(ctx), Fail, "The public node refuses to take calls for this one.", "front.pass_to")
}
