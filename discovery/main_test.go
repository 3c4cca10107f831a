package discovery

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"

	"github.com/ipfs/go-datastore/query"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"anteroom/node/polltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newKey makes an identity.
func newKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// AllAddrs reads multiaddrs.
func addrs(list ...string) (out []ma.Multiaddr) {
	for _, s := range list {
		out = append(out, ma.StringCast(s))
	}
	return out
}

// running is a Discovery whose Run runs until the test ends.
type running struct {
	*Discovery
	stop func() // ends Run and returns when it has
}

func run(t testing.TB, cfg Config) *running {
	t.Helper()
	if cfg.Identity == nil {
		cfg.Identity = newKey(t)
	}
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }() // ends with stop
	r := &running{Discovery: d, stop: sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})}
	t.Cleanup(r.stop)
	return r
}

// onLoopback runs a node that listens on 127.0.0.1, with QUIC and TCP.
func onLoopback(t testing.TB, cfg Config) *running {
	t.Helper()
	cfg.Listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}
	cfg.AllowPrivate = true
	return run(t, cfg)
}

// info is how another node's config would name r.
func (r *running) info() PeerInfo { return PeerInfo{ID: r.ID(), Addrs: r.Addrs()} }

func (r *running) addrInfo() peer.AddrInfo { return peer.AddrInfo{ID: r.ID(), Addrs: r.Addrs()} }

// tableSize is how many nodes r's DHT knows.
func (r *running) tableSize() int { return r.dht.RoutingTable().Size() }

// know waits until r's DHT knows n nodes, looking around as often as it takes.
func (r *running) know(t testing.TB, n int) {
	t.Helper()
	polltest.Eventually(t, "first node in the routing table", func() bool { return r.tableSize() > 0 })
	polltest.Eventually(t, "all nodes in the routing table", func() bool {
		<-r.dht.ForceRefresh()
		return r.tableSize() >= n
	})
}

// federation runs n DHT servers on loopback that all know each other.
func federation(t testing.TB, n int) []*running {
	t.Helper()
	seed := onLoopback(t, Config{Server: true})
	servers := []*running{seed}
	for len(servers) < n {
		servers = append(servers, onLoopback(t, Config{Server: true, Bootstrap: []PeerInfo{seed.info()}}))
	}
	for _, s := range servers {
		s.know(t, n-1)
	}
	return servers
}

// kadProtocol is how nodes of the DHT speak.
const kadProtocol protocol.ID = "/anteroom/kad/1.0.0"

// stored is how many records r keeps for others.
func (r *running) stored(t testing.TB) int {
	t.Helper()
	results, err := r.store.Query(t.Context(), query.Query{KeysOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := results.Rest()
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
