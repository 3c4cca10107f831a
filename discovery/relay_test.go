package discovery

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
	"anteroom/discovery/circuits"
	"anteroom/node/polltest"
)

// identity makes a config with a key that others can be told of beforehand.
func identity(t testing.TB, cfg Config) (Config, peer.ID) {
	t.Helper()
	cfg.Identity = newKey(t)
	id, err := peer.IDFromPrivateKey(cfg.Identity)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, id
}

// contact is what a stranger who opened r's record knows.
func (r *running) contact(t testing.TB, reader *Discovery) peer.AddrInfo {
	t.Helper()
	signed, err := r.SignedRecord()
	if err != nil {
		t.Fatal(err)
	}
	info, err := reader.Consume(signed)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// relaysOf are the relays that r's record names.
func (r *running) relaysOf() (relays []peer.ID) {
	for _, a := range r.Addrs() {
		if e, _ := address.Parse(a); e.Relay != "" && !slices.Contains(relays, e.Relay) {
			relays = append(relays, e.Relay)
		}
	}
	return relays
}

// knock opens a stream and exchanges a word, or fails the test.
func knock(t testing.TB, from *running, to peer.AddrInfo) network.Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), findTime)
	defer cancel()
	s, err := from.Open(ctx, to, echoProtocol)
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, s)
	return s
}

func exchange(t testing.TB, s network.Stream) {
	t.Helper()
	if _, err := s.Write([]byte("knock")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
}

// A stranger who has nothing but the record reaches a node that nobody can
// dial, at once, and is called back directly without losing what runs.
func TestHiddenNodeIsReachedThroughItsRelay(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		cfg, id := identity(t, Config{})
		front := s.node(Config{Server: true, RelayFor: []peer.ID{id}})
		cfg.Relays = []PeerInfo{front.info()}
		start := time.Now()
		hidden := s.hidden(cfg)
		hidden.Handle(echoProtocol, echo)
		question := [32]byte{7}
		hidden.SetFinder(func(q [32]byte) bool { return q == question })
		for len(hidden.relaysOf()) == 0 {
			time.Sleep(10 * time.Millisecond) // virtual
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v to get a circuit address", took)
		}

		stranger := s.node(Config{})
		start = time.Now()
		stream := knock(t, stranger.running, hidden.contact(t, stranger.Discovery))
		t.Logf("reached in %v", time.Since(start))
		if took := time.Since(start); took > 1500*time.Millisecond {
			t.Errorf("took %v to reach it", took)
		}
		if !stream.Conn().Stat().Limited {
			t.Error("reached past the firewall")
		}
		s.settle()
		if !stranger.host.IsDirect(hidden.ID()) {
			t.Error("not called back")
		}
		exchange(t, stream) // on the circuit still
		next := knock(t, stranger.running, peer.AddrInfo{ID: hidden.ID()})
		if next.Conn().Stat().Limited {
			t.Error("takes the circuit although there is a direct connection")
		}
		_ = stream.Reset()
		_ = next.Reset()

		gateway := s.node(Config{Peers: []PeerInfo{{ID: hidden.ID(), Addrs: hidden.contact(t, stranger.Discovery).Addrs}}})
		start = time.Now()
		if got, err := gateway.Ask(t.Context(), question); err != nil || got != hidden.ID() {
			t.Errorf("asked: %v, %v", got, err)
		}
		t.Logf("asked in %v", time.Since(start))
	})
}

// Two nodes behind firewalls meet at a relay and are connected directly soon.
func TestHolePunching(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		cfg, id := identity(t, Config{})
		cfg2, id2 := identity(t, Config{})
		front := s.node(Config{Server: true, RelayFor: []peer.ID{id, id2}})
		cfg.Relays, cfg2.Relays = []PeerInfo{front.info()}, []PeerInfo{front.info()}
		home, gateway := s.hidden(cfg), s.hidden(cfg2)
		home.Handle(echoProtocol, echo)
		time.Sleep(2 * time.Second) // virtual
		stream := knock(t, gateway.running, home.contact(t, gateway.Discovery))
		if !stream.Conn().Stat().Limited {
			t.Error("reached past two firewalls")
		}
		start := time.Now()
		for !gateway.host.IsDirect(home.ID()) && time.Since(start) < time.Minute {
			time.Sleep(10 * time.Millisecond) // virtual
		}
		t.Logf("direct after %v", time.Since(start))
		if !gateway.host.IsDirect(home.ID()) {
			t.Error("no direct connection")
		}
		exchange(t, stream)
		_ = stream.Reset()
	})
}

// Of two relays one is down when the node starts; then the other goes, and
// both come back. The record names those that work, and nobody waits for those
// that do not.
func TestRelaysComeAndGo(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		cfg, id := identity(t, Config{})
		first := s.node(Config{Server: true, RelayFor: []peer.ID{id}})
		second := s.node(Config{Server: true, RelayFor: []peer.ID{id}})
		first.dead.Store(true)
		cfg.Relays = []PeerInfo{first.info(), second.info()}
		hidden := s.hidden(cfg)
		hidden.Handle(echoProtocol, echo)
		changed, stop := hidden.AddressesChanged()
		defer stop()
		// until returns how long it takes until the record names these relays,
		// looking only when told that addresses changed.
		until := func(want ...peer.ID) time.Duration {
			t.Helper()
			slices.Sort(want)
			start := time.Now()
			for {
				got := hidden.relaysOf()
				if slices.Sort(got); slices.Equal(got, want) {
					return time.Since(start)
				}
				select {
				case <-changed:
				case <-time.After(time.Minute): // virtual
					t.Fatalf("record names %v, want %v", got, want)
				}
			}
		}
		expect := func(what string, took, most time.Duration) {
			t.Helper()
			t.Logf("%s: %v", what, took)
			if took > most {
				t.Errorf("%s took %v, want at most %v", what, took, most)
			}
		}
		expect("first circuit with one relay dead", until(second.ID()), time.Second)
		first.dead.Store(false)
		expect("dead relay back", until(first.ID(), second.ID()), 10*time.Second)
		stranger := s.node(Config{})
		stale := hidden.contact(t, stranger.Discovery)
		s.settle()
		second.dead.Store(true)
		start := time.Now()
		_ = knock(t, stranger.running, stale).Reset()
		expect("call with a record that names a dead relay", time.Since(start), 4*time.Second)
		expect("relay lost", until(first.ID()), 10*time.Second)
		first.dead.Store(true)
		expect("last relay lost", until(), 10*time.Second)
		first.dead.Store(false)
		expect("relay regained", until(first.ID()), 10*time.Second)
		second.dead.Store(false)
		expect("both regained", until(first.ID(), second.ID()), 10*time.Second)
	})
}

// A circuit whose relay dies is noticed at both ends, and the next call goes
// another way.
func TestCircuitDiesWithItsRelay(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		cfg, id := identity(t, Config{})
		first := s.node(Config{Server: true, RelayFor: []peer.ID{id}})
		second := s.node(Config{Server: true, RelayFor: []peer.ID{id}})
		cfg.Relays = []PeerInfo{first.info(), second.info()}
		hidden := s.hidden(cfg)
		hidden.Handle(echoProtocol, echo)
		time.Sleep(2 * time.Second) // virtual
		stranger := s.hidden(Config{})
		hidden.apart(stranger)
		stream := knock(t, stranger.running, hidden.contact(t, stranger.Discovery))
		s.settle()
		e, _ := address.Parse(stream.Conn().RemoteMultiaddr())
		for _, relay := range []*simNode{first, second} {
			if relay.ID() == e.Relay {
				relay.dead.Store(true)
			}
		}
		start := time.Now()
		if _, err := io.ReadFull(stream, make([]byte, 1)); err == nil {
			t.Error("read something")
		}
		t.Logf("noticed after %v", time.Since(start))
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v to notice", took)
		}
		start = time.Now()
		_ = knock(t, stranger.running, hidden.contact(t, stranger.Discovery)).Reset()
		t.Logf("reopened in %v", time.Since(start))
		if took := time.Since(start); took > 1500*time.Millisecond {
			t.Errorf("took %v to reopen", took)
		}
	})
}

// A Relay that was restarted has forgotten whom it takes calls for.
func TestRelayRestarts(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		cfg, id := identity(t, Config{})
		relayCfg, relayID := identity(t, Config{Server: true, RelayFor: []peer.ID{id}})
		ip := net.IPv4(19, 0, 0, 1)
		front := s.nodeAt(ip, relayCfg, nil)
		cfg.Relays = []PeerInfo{front.info()}
		hidden := s.hidden(cfg)
		hidden.Handle(echoProtocol, echo)
		time.Sleep(2 * time.Second) // virtual
		for _, gracefully := range []bool{true, false} {
			front.dead.Store(!gracefully)
			front.stop()
			front = s.nodeAt(ip, relayCfg, nil)
			time.Sleep(8 * time.Second) // virtual
			if got := hidden.relaysOf(); !slices.Equal(got, []peer.ID{relayID}) {
				t.Fatalf("gracefully %v: record names %v", gracefully, got)
			}
			gateway := s.node(Config{})
			_ = knock(t, gateway.running, hidden.contact(t, gateway.Discovery)).Reset()
		}
	})
}

// A node that moves to another network is found there as soon as it has its
// place again, although its relay still believes in the old connection.
func TestHiddenNodeMoves(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		cfg, id := identity(t, Config{})
		front := s.node(Config{Server: true, RelayFor: []peer.ID{id}})
		cfg.Relays = []PeerInfo{front.info()}
		before := s.hidden(cfg)
		before.Handle(echoProtocol, echo)
		stranger := s.hidden(Config{})
		time.Sleep(2 * time.Second) // virtual
		_ = knock(t, stranger.running, before.contact(t, stranger.Discovery)).Reset()
		before.dead.Store(true)
		after := s.hidden(cfg)
		after.Handle(echoProtocol, echo)
		for len(after.relaysOf()) == 0 {
			time.Sleep(10 * time.Millisecond) // virtual
		}
		gateway := s.hidden(Config{})
		start := time.Now()
		_ = knock(t, gateway.running, after.contact(t, gateway.Discovery)).Reset()
		if took := time.Since(start); took > 1500*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

// A Relay serves those on its list, anybody may call them, and nobody may bring
// callers who is not a relay of the one who is called.
func TestRelayServesItsListOnly(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		front := s.node(Config{Server: true, RelayFor: []peer.ID{idOf(t)}})
		plain := s.node(Config{Server: true})
		hidden := s.hidden(Config{Relays: []PeerInfo{front.info(), plain.info()}})
		s.settle()
		if got := hidden.relaysOf(); len(got) != 0 {
			t.Errorf("has a reservation at %v", got)
		}
		for _, b := range hidden.Reachability().Relays {
			if want := b.ID == front.ID(); b.Refused != want {
				t.Errorf("refused: %v, want %v", b.Refused, want)
			}
		}
		stranger := s.node(Config{})
		ctx, cancel := context.WithTimeout(t.Context(), findTime)
		defer cancel()
		through := ma.Join(front.Addrs()[0], ma.StringCast("/p2p/"+front.ID().String()+"/p2p-circuit"))
		start := time.Now()
		if _, err := stranger.Open(ctx, peer.AddrInfo{ID: hidden.ID(), Addrs: []ma.Multiaddr{through}}, echoProtocol); err == nil {
			t.Error("reached it")
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v to be told so", took)
		}
	})
}

// A circuit ends when it has carried what it may, and is opened again.
func TestCircuitCarriesSoMuchAndNoMore(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		cfg, id := identity(t, Config{})
		s.circuit = relay.RelayLimit{Duration: time.Minute, Data: 64 << 10}
		front := s.node(Config{Server: true, RelayFor: []peer.ID{id}})
		cfg.Relays = []PeerInfo{front.info()}
		hidden := s.hidden(cfg)
		hidden.Handle(echoProtocol, echo)
		time.Sleep(2 * time.Second) // virtual
		stranger := s.hidden(Config{})
		hidden.apart(stranger)
		to := hidden.contact(t, stranger.Discovery)
		stream := knock(t, stranger.running, to)
		_ = stream.SetDeadline(time.Now().Add(time.Minute))
		var carried int
		block := make([]byte, 4<<10)
		for {
			if _, err := stream.Write(block); err != nil {
				break
			}
			n, err := io.ReadFull(stream, block)
			if carried += n; err != nil {
				break
			}
		}
		if carried < 32<<10 || carried > 64<<10 {
			t.Errorf("carried %d bytes", carried)
		}
		stream = knock(t, stranger.running, to)
		start := time.Now()
		_, _ = stream.Read(block)
		if took := time.Since(start); took < 50*time.Second || took > 70*time.Second {
			t.Errorf("circuit of a minute lasted %v", took)
		}
		_ = knock(t, stranger.running, to).Reset()
	})
}

// A peer that serves the DHT tells which addresses work; strangers are neither
// asked nor served.
func TestReachability(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		home, homeID := identity(t, Config{})
		behind, behindID := identity(t, Config{})
		front := s.node(Config{Server: true, RelayFor: []peer.ID{behindID}, Peers: []PeerInfo{{ID: homeID}}})
		home.Peers = []PeerInfo{front.info()}
		behind.Relays = home.Peers
		open, hidden := s.node(home), s.hidden(behind)
		stranger := s.node(Config{Server: true})
		if err := open.host.Connect(t.Context(), stranger.addrInfo()); err != nil {
			t.Fatal(err)
		}
		alone := s.node(Config{Bootstrap: []PeerInfo{stranger.info()}})
		s.settle()
		for what, r := range map[string]Reachability{"open": open.Reachability(), "hidden": hidden.Reachability(), "alone": alone.Reachability()} {
			want := map[string][3]int{"open": {1, 0, 0}, "hidden": {0, 1, 0}, "alone": {0, 0, 1}}[what]
			if got := [3]int{len(r.Reached), len(r.Unreached), len(r.Untried)}; got != want {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		got := hidden.Reachability().Relays
		if len(got) != 1 || got[0].ID != front.ID() || !got[0].Connected || !got[0].Reserved || got[0].Refused || time.Until(got[0].Until) < 50*time.Minute {
			t.Errorf("relays: %+v", got)
		}
		if stranger.host.Network().Connectedness(open.ID()) != network.Connected {
			t.Fatal("stranger gone")
		}
	})
}

// What the relay service is told.
func TestCircuitLimits(t *testing.T) {
	if want := (relay.RelayLimit{Duration: 4 * time.Hour, Data: 8 << 20}); circuits.DefaultLimit != want {
		t.Errorf("circuits carry %+v, want %+v", circuits.DefaultLimit, want)
	}
	cfg, id := identity(t, Config{AllowPrivate: true})
	front := onLoopback(t, Config{RelayFor: []peer.ID{id}})
	cfg.Peers = []PeerInfo{front.info()}
	guest := run(t, cfg)
	polltest.Eventually(t, "connection", func() bool { return guest.host.IsDirect(front.ID()) })
	r, err := client.Reserve(t.Context(), guest.host, front.addrInfo())
	if err != nil {
		t.Fatal(err)
	}
	if r.LimitDuration != circuits.DefaultLimit.Duration || r.LimitData != uint64(circuits.DefaultLimit.Data) || len(r.Addrs) == 0 {
		t.Errorf("got %+v", r)
	}
	if _, err := client.Reserve(t.Context(), onLoopback(t, Config{}).host, front.addrInfo()); !errors.As(err, new(client.ReservationError)) {
		t.Errorf("stranger: %v", err)
	}
	plain := onLoopback(t, Config{})
	if _, err := client.Reserve(t.Context(), guest.host, plain.addrInfo()); err == nil {
		t.Error("a node that is no relay relays")
	}
}

// One caller cannot take all places at a relay.
func TestCallersAreLimited(t *testing.T) {
	const circuitsPerCaller = 16
	simulate(t, func(t *testing.T, s *simulation) {
		var guests []Config
		var ids []peer.ID
		for range circuitsPerCaller + 2 {
			cfg, id := identity(t, Config{})
			guests, ids = append(guests, cfg), append(ids, id)
		}
		front := s.node(Config{Server: true, RelayFor: ids})
		greedy, modest := s.hidden(Config{}), s.hidden(Config{})
		var hidden []*simNode
		for _, cfg := range guests {
			cfg.Relays = []PeerInfo{front.info()}
			n := s.hidden(cfg)
			n.Handle(echoProtocol, echo)
			n.apart(greedy)
			hidden = append(hidden, n)
		}
		time.Sleep(2 * time.Second) // virtual
		for i, n := range hidden {
			to := n.contact(t, greedy.Discovery)
			stream, err := greedy.Open(t.Context(), to, echoProtocol)
			if got, want := err == nil, i < circuitsPerCaller; got != want {
				t.Errorf("circuit %d: %v", i, err)
			}
			if err == nil {
				exchange(t, stream)
			} else {
				_ = knock(t, modest.running, to).Reset()
			}
		}
		_ = greedy.host.Network().ClosePeer(hidden[0].ID())
		time.Sleep(time.Second) // virtual
		_ = knock(t, greedy.running, hidden[circuitsPerCaller].contact(t, greedy.Discovery)).Reset()
	})
}

// Twenty gateways, each with a guest, reach one node through one relay.
func TestManyThroughOneRelay(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		cfg, id := identity(t, Config{})
		front := s.node(Config{Server: true, RelayFor: []peer.ID{id}})
		cfg.Relays = []PeerInfo{front.info()}
		hidden := s.hidden(cfg)
		hidden.Handle(echoProtocol, echo)
		time.Sleep(2 * time.Second) // virtual
		var streams []network.Stream
		for range 20 {
			stranger := s.hidden(Config{})
			hidden.apart(stranger)
			streams = append(streams, knock(t, stranger.running, hidden.contact(t, stranger.Discovery)))
		}
		synctest.Wait()
		for i, stream := range streams {
			if !stream.Conn().Stat().Limited {
				t.Errorf("guest %d is not on a circuit", i)
			}
			exchange(t, stream)
			_ = stream.Reset()
		}
	})
}

// The same with real sockets and limits, over either transport.
func TestManyThroughOneRelayOnLoopback(t *testing.T) {
	for _, transport := range []string{"/udp/0/quic-v1", "/tcp/0"} {
		cfg, id := identity(t, Config{AllowPrivate: true})
		listen := []string{"/ip4/127.0.0.1" + transport}
		front := run(t, Config{AllowPrivate: true, Listen: listen, RelayFor: []peer.ID{id}})
		cfg.Relays = []PeerInfo{front.info()}
		hidden := run(t, cfg) // listens nowhere
		hidden.Handle(echoProtocol, echo)
		polltest.Eventually(t, "reservation", func() bool { return len(hidden.Addrs()) > 0 })
		for range 20 {
			stranger := run(t, Config{AllowPrivate: true})
			s := knock(t, stranger, hidden.contact(t, stranger.Discovery))
			if !s.Conn().Stat().Limited {
				t.Error("not on a circuit")
			}
			t.Cleanup(func() { _ = s.Reset() })
		}
		front.stop()
		polltest.Eventually(t, "address gone", func() bool { _, err := hidden.SignedRecord(); return errors.Is(err, ErrNoAddress) })
	}
}
