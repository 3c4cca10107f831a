package discovery

import (
	"context"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/host"
)

// lookEvery is how often a node looks at its addresses.
const lookEvery = time.Second

// within returns how long it takes until cond, in virtual time.
func within(t *testing.T, most time.Duration, what string, cond func() bool) {
	t.Helper()
	start := time.Now()
	for !cond() {
		if time.Since(start) > most {
			t.Fatalf("not within %v: %s", most, what)
		}
		time.Sleep(10 * time.Millisecond) // virtual
	}
	t.Logf("%s after %v", what, time.Since(start))
}

// A peer that comes again, from where it is now, is not looked for where it was,
// although the connection from there has the streams of all who wait.
func TestPeerMoves(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		front := s.node(Config{Server: true})
		cfg, id := identity(t, Config{Peers: []PeerInfo{front.info()}})
		before := s.hidden(cfg)
		before.Handle(echoProtocol, echo)
		within(t, time.Minute, "a connection", func() bool { return front.Connected(id) })
		waiting := knock(t, front.running, peer.AddrInfo{ID: id})
		old := waiting.Conn()
		before.dead.Store(true)
		after := s.hidden(cfg)
		after.Handle(echoProtocol, echo)
		within(t, time.Minute, "another", func() bool { return len(front.host.DirectConns(id)) == 2 })
		within(t, host.QuickCheckTime+100*time.Millisecond, "the end of the old one", old.IsClosed)
		_ = knock(t, front.running, peer.AddrInfo{ID: id}).Reset()
	})
}

// A connection whose pulse is felt goes on if it has one.
func TestLivingConnectionsStay(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		front, home := s.node(Config{Server: true}), s.node(Config{})
		home.Handle(echoProtocol, echo)
		stream := knock(t, front.running, home.addrInfo())
		conns := front.host.Network().ConnsToPeer(home.ID())
		for range 3 {
			front.host.CheckSoon(host.QuickCheckTime, conns...)
		}
		s.settle()
		exchange(t, stream)
		_ = stream.Reset()
		home.dead.Store(true)
		front.host.CheckSoon(host.QuickCheckTime, conns...)
		time.Sleep(host.QuickCheckTime + 100*time.Millisecond) // virtual
		if !conns[0].IsClosed() {
			t.Error("its pulse is felt once and never again")
		}
	})
}

// Whoever opens a stream on a dead connection, of which nobody else knows, is
// told soon, and the next one goes another way.
func TestOpenOnDeadConnection(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		front, home := s.node(Config{Server: true}), s.node(Config{})
		home.Handle(echoProtocol, echo)
		_ = knock(t, front.running, home.addrInfo()).Reset()
		home.dead.Store(true)
		start := time.Now()
		stream, err := front.Open(t.Context(), home.addrInfo(), echoProtocol)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Write([]byte("knock"))
		if _, err := io.ReadFull(stream, make([]byte, 1)); err == nil {
			t.Error("read something")
		}
		if took := time.Since(start); took > host.CheckTime+100*time.Millisecond {
			t.Errorf("told after %v", took)
		}
		home.dead.Store(false)
		_ = knock(t, front.running, home.addrInfo()).Reset()
	})
}

// A dial that began where there was no network does not hold up the next one.
func TestDialsAreGivenUpOnMoving(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		cfg, id := identity(t, Config{})
		front := s.node(Config{Server: true, RelayFor: []peer.ID{id}})
		front.dead.Store(true)
		cfg.Relays = []PeerInfo{front.info()}
		here, there := addrs("/ip4/45.1.0.2"), addrs("/ip4/45.1.0.77")
		var at atomic.Pointer[[]ma.Multiaddr]
		at.Store(&here)
		s.interfaces = func() ([]ma.Multiaddr, error) { return slices.Clone(*at.Load()), nil }
		home := s.hidden(cfg)
		time.Sleep(3200 * time.Millisecond) // virtual; the handshake's next try is three seconds away
		front.dead.Store(false)
		at.Store(&there)
		within(t, lookEvery+300*time.Millisecond, "a reservation", func() bool { return len(home.relaysOf()) == 1 })
	})
}

// After sleep the connection of before is one that the other end has given up.
func TestWaking(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		cfg, id := identity(t, Config{})
		front := s.node(Config{Server: true, RelayFor: []peer.ID{id}})
		cfg.Relays = []PeerInfo{front.info()}
		var asleep atomic.Int64
		s.interfaces = func() ([]ma.Multiaddr, error) { return addrs("/ip4/45.1.0.2"), nil }
		s.wall = func() time.Time { return time.Now().Add(time.Duration(asleep.Load())) }
		home := s.hidden(cfg)
		within(t, time.Minute, "a reservation", func() bool { return len(home.relaysOf()) == 1 })
		stayed := home.host.Network().ConnsToPeer(front.ID())[0]
		asleep.Add(int64(time.Hour)) // and nothing has changed meanwhile
		s.settle()
		if stayed.IsClosed() {
			t.Error("a connection that lives was closed")
		}
		time.Sleep(100 * time.Millisecond) // virtual; a pulse has just been felt
		front.dead.Store(true)
		asleep.Add(int64(time.Hour))
		within(t, lookEvery+host.QuickCheckTime+100*time.Millisecond, "the end of the connection", stayed.IsClosed)
	})
}

// A peer whose old connection is dead keeps the new one.
func TestFeelPulseClosesDeadOnly(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		front := s.node(Config{Server: true})
		cfg, id := identity(t, Config{Peers: []PeerInfo{front.info()}})
		before := s.hidden(cfg)
		within(t, time.Minute, "a connection", func() bool { return front.Connected(id) })
		old := front.host.Network().ConnsToPeer(id)[0]
		before.dead.Store(true)
		s.hidden(cfg)
		within(t, time.Minute, "another", func() bool { return len(front.host.DirectConns(id)) == 2 })
		front.host.CheckPeer(context.Background(), id, host.QuickCheckTime)
		within(t, 100*time.Millisecond, "the end of the old one", old.IsClosed)
		if n := len(front.host.DirectConns(id)); n != 1 {
			t.Errorf("%d connections left, want 1", n)
		}
	})
}
