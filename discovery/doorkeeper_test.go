package discovery

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

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
	m, err := newResourceManager(nil, nil)
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
			m, err := newResourceManager(nil, make([]peer.ID, guests))
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
	m, err := newResourceManager(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	through := "/ip4/45.1.0.2/tcp/1/p2p/" + idOf(t).String() + "/p2p-circuit"
	for _, dir := range []network.Direction{network.DirInbound, network.DirOutbound} {
		for i := range 32 {
			scope, err := m.OpenConnection(dir, false, ma.StringCast(through))
			if err != nil {
				t.Fatalf("circuit %d: %v", i, err)
			}
			t.Cleanup(scope.Done)
			_ = scope.SetPeer(idOf(t))
		}
	}
	scope, err := m.OpenConnection(network.DirInbound, false, ma.StringCast("/ip4/45.1.0.2/tcp/1"))
	if err != nil {
		t.Fatalf("the relay itself: %v", err)
	}
	scope.Done()
}
