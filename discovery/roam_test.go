package discovery

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
	"anteroom/node/polltest"
)

// roaming runs a node on all addresses of a computer that has those in at, and
// counts how often it looks.
func roaming(t *testing.T, cfg Config, at *atomic.Pointer[[]ma.Multiaddr], looks *atomic.Int32) *running {
	t.Helper()
	env, err := environmentOf(cfg)
	if err != nil {
		t.Fatal(err)
	}
	env.interfaces = func() ([]ma.Multiaddr, error) { looks.Add(1); return slices.Clone(*at.Load()), nil }
	cfg.environment = env
	cfg.Listen = []string{"/ip4/0.0.0.0/tcp/0"}
	return run(t, cfg)
}

func TestAddressesFollowTheComputer(t *testing.T) {
	var at atomic.Pointer[[]ma.Multiaddr]
	here, there := addrs("/ip4/45.1.0.2"), addrs("/ip4/45.1.0.77")
	at.Store(&here)
	d := roaming(t, Config{}, &at, new(atomic.Int32))
	is := func(ip string) func() bool {
		return func() bool {
			own := d.Addrs()
			return len(own) == 1 && strings.HasPrefix(own[0].String(), ip+"/tcp/")
		}
	}
	polltest.Eventually(t, "the first address", is("/ip4/45.1.0.2"))
	changed, stop := d.AddressesChanged()
	defer stop()
	at.Store(&there)
	<-changed
	if !is("/ip4/45.1.0.77")() {
		t.Errorf("after the change others are told %v", d.Addrs())
	}
	at.Store(&here)
	<-changed
	if !is("/ip4/45.1.0.2")() {
		t.Errorf("back where it was others are told %v", d.Addrs())
	}
}

func TestConnectionsFromGoneAddressesEnd(t *testing.T) {
	var at atomic.Pointer[[]ma.Multiaddr]
	here, there := addrs("/ip4/127.0.0.1", "/ip4/45.1.0.2"), addrs("/ip4/45.1.0.2")
	at.Store(&here)
	far := onLoopback(t, Config{})
	cfg := Config{AllowPrivate: true, Peers: []PeerInfo{{ID: far.ID(), Addrs: slices.DeleteFunc(far.Addrs(), func(a ma.Multiaddr) bool {
		e, _ := address.Parse(a)
		return e.QUIC
	})}}}
	var looks atomic.Int32
	d := roaming(t, cfg, &at, &looks)
	polltest.Eventually(t, "the peer", func() bool { return d.Connected(far.ID()) })
	old := d.host.Network().ConnsToPeer(far.ID())[0]
	polltest.Eventually(t, "a first look", func() bool { return looks.Load() > 1 })
	at.Store(&there)
	polltest.Eventually(t, "the end of the connection", old.IsClosed)
	polltest.Eventually(t, "another", func() bool { return d.host.Network().Connectedness(far.ID()) == network.Connected })
}
