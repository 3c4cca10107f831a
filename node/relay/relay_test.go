package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	"github.com/pion/turn/v5"
)

func TestRelayed(t *testing.T) {
	g := start(t, Config{}, nil)
	const v4, v6 = turn.RequestedAddressFamilyIPv4, turn.RequestedAddressFamilyIPv6
	for _, c := range []struct {
		one, other string
		family     turn.RequestedAddressFamily
	}{
		{"udp4", "udp4", v4},
		{"udp4", "udp4", v6},
		{"udp6", "udp4", v4},
		{"udp6", "udp6", v6},
		{"tcp4", "udp4", v4},
		{"tcp6", "tls4", v4},
		{"tls4", "tls4", v6},
		{"udp6", "tls4", v4},
	} {
		t.Run(fmt.Sprint(c.one, " ", c.other, " ", c.family), func(t *testing.T) {
			ca, a := g.library(t, c.one, c.family, g.newSeat("call", later()))
			cb, b := g.library(t, c.other, c.family, g.newSeat("call", later()))
			if err := ca.CreatePermission(b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			if err := cb.CreatePermission(a.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			for i := range 200 { // first by indications, then by channels
				for _, way := range []struct{ from, to net.PacketConn }{{a, b}, {b, a}} {
					want := bytes.Repeat([]byte{byte(i)}, 8+i*6) // the client waits after shorter ones
					if _, err := way.from.WriteTo(want, way.to.LocalAddr()); err != nil {
						t.Fatal(err)
					}
					got := make([]byte, 2048)
					way.to.SetReadDeadline(time.Now().Add(2 * time.Second))
					n, from, err := way.to.ReadFrom(got)
					if err != nil {
						t.Fatalf("packet %d: %v", i, err)
					}
					if !bytes.Equal(got[:n], want) || from.String() != way.from.LocalAddr().String() {
						t.Fatalf("packet %d: %d bytes from %v, want %d from %v", i, n, from, len(want), way.from.LocalAddr())
					}
				}
			}
			a.Close()
			b.Close()
		})
	}
	eventually(t, "all are counted", func() bool { return g.Stats().Packets == 8*400 })
	if d := g.Stats().Dropped; d != (Dropped{}) {
		t.Errorf("%+v", d)
	}
}

func TestBinding(t *testing.T) {
	g := start(t, Config{}, nil)
	for _, transport := range []string{"udp4", "udp6", "tcp4", "tls4"} {
		s := &seat{t: t, conn: g.dial(t, transport), datagrams: transport[:3] == "udp"}
		var mapped stun.XORMappedAddress
		m := s.do(stun.MethodBinding)
		if m == nil || mapped.GetFrom(m) != nil || mapped.String() != s.conn.LocalAddr().String() {
			t.Errorf("%s: %v is not %v", transport, mapped, s.conn.LocalAddr())
		}
	}
}

func TestQuotas(t *testing.T) {
	g := start(t, Config{Limits: Limits{Allocations: 20, PerSeat: 2, PerCall: 16, Replies: 10_000}, idle: time.Second}, nil)

	t.Run("seat", func(t *testing.T) {
		again := func() Credentials { return g.Grant("one", "seat", later()) } // each handshake gets others
		a, b, c := g.seat(t, "udp4", again()), g.seat(t, "tcp4", again()), g.seat(t, "udp6", again())
		must(t, "first", a.allocate(), 0)
		must(t, "second", b.allocate(), 0)
		must(t, "third", c.allocate(), 486)
		must(t, "of one seat", g.Stats().Allocations, 2)
		other := g.seat(t, "udp4", g.Grant("one", "another seat", later()))
		must(t, "another seat", other.allocate(), 0)
		must(t, "bind", a.bind(0x4000, other.relayed), 0)
		must(t, "bind", other.bind(0x4000, a.relayed), 0)
		for range 4 {
			time.Sleep(g.idle / 2)
			hears(t, a, other)
		}
		must(t, "third", c.allocate(), 0)
		must(t, "of two seats", g.Stats().Allocations, 3)
		eventually(t, "the second, which was not used, is gone", func() bool { return b.refresh(60) == 437 })
		hears(t, other, a)
		for _, s := range []*seat{a, c, other} {
			must(t, "end", s.refresh(0), 0)
		}
	})
	t.Run("call and node", func(t *testing.T) {
		must(t, "before", g.Stats().Allocations, 0)
		race := func(n int, call func(i int) string) (granted int) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			for i := range n {
				s := g.seat(t, []string{"udp4", "udp6", "tcp4", "tcp6"}[i%4], g.newSeat(call(i), later()))
				wg.Go(func() {
					if s.allocate() == 0 {
						mu.Lock()
						granted++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			return granted
		}
		must(t, "of one call", race(40, func(int) string { return "same" }), 16)
		must(t, "of all", race(40, func(i int) string { return fmt.Sprint(i) }), 4)
		must(t, "after", g.Stats().Allocations, 20)
	})
}

func TestCredentials(t *testing.T) {
	g := start(t, Config{Secret: []byte("kept from before"), Limits: Limits{Replies: 10_000}}, nil)

	t.Run("wrong", func(t *testing.T) {
		good := g.newSeat("call", later())
		for name, cred := range map[string]Credentials{
			"password": {good.Username, Password{func() string { return "wrong" }}},
			"another":  {g.newSeat("call", later()).Username, good.Password},
			"later":    {"9" + good.Username, good.Password},
			"no name":  {"", good.Password},
			"expired":  g.newSeat("call", time.Now().Add(-time.Second)),
		} {
			must(t, name, g.seat(t, "udp4", cred).allocate(), 400)
		}
		if n := g.Stats().Refused.Credentials; n != 5 {
			t.Errorf("%d counted", n)
		}
		must(t, "allocations", g.Stats().Allocations, 0)
	})
	t.Run("of a relay before", func(t *testing.T) {
		before, err := New(Config{Secret: []byte("kept from before"), UDP: []net.PacketConn{listening(t)}})
		if err != nil {
			t.Fatal(err)
		}
		s := g.seat(t, "udp4", before.newSeat("call", later()))
		must(t, "allocate", s.allocate(), 0)
		s.refresh(0)
	})
	t.Run("expire", func(t *testing.T) {
		until := time.Now().Add(2 * time.Second) // less a part of a second
		s := g.seat(t, "udp4", g.newSeat("call", until))
		must(t, "allocate", s.allocate(), 0)
		time.Sleep(time.Until(until))
		must(t, "refresh", s.refresh(600), 400)
		must(t, "permit", s.permit(s.relayed), 400)
		must(t, "allocations", g.Stats().Allocations, 1)
	})
	t.Run("end soon after", func(t *testing.T) {
		user := g.newSeat("call", time.Now().Add(time.Second-lifetime)).Username
		a, err := g.newAllocation(g.fronts[0], user, false)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-a.closed:
		case <-time.After(3 * time.Second):
			t.Error("still there")
			a.Close()
		}
	})
	for what, revoke := range map[string]func(){
		"seat": func() { g.RevokeSeat("a's seat") },
		"call": func() { g.RevokeCall("a's call") },
	} {
		t.Run("revoke a "+what, func(t *testing.T) {
			a := g.seat(t, "udp4", g.Grant("a's call", "a's seat", later()))
			other := g.seat(t, "tcp4", g.Grant("a's call", "a's seat", later())) // of another handshake
			b := g.seat(t, "tcp4", g.newSeat("another call", later()))
			for _, s := range []*seat{a, other, b} {
				must(t, "allocate", s.allocate(), 0)
			}
			must(t, "bind", a.bind(0x4000, b.relayed), 0)
			must(t, "bind", b.bind(0x4000, a.relayed), 0)
			hears(t, a, b)
			hears(t, b, a)
			live := g.Stats().Allocations
			revoke()
			must(t, "allocations", g.Stats().Allocations, live-2)
			a.write(channelData(0x4000, []byte("gone")))
			b.write(channelData(0x4000, []byte("gone")))
			if p := b.read(100 * time.Millisecond); p != nil {
				t.Errorf("received %q", p)
			}
			if p := a.read(100 * time.Millisecond); p != nil {
				t.Errorf("received %q", p)
			}
			must(t, "allocate", a.allocate(), 400)
			must(t, "what was granted to another", b.refresh(0), 0)
			again := g.seat(t, "udp4", g.Grant("a's call", "a's seat", later()))
			must(t, "what was granted afterwards", again.allocate(), 0)
			must(t, "end", again.refresh(0), 0)
		})
	}
	t.Run("forget", func(t *testing.T) {
		r := &Relay{}
		r.table.init(DefaultLimits)
		r.Grant("call", "seat", time.Now().Add(time.Millisecond))
		for _, seat := range []string{"seat", "another"} {
			time.Sleep(2 * time.Millisecond)
			r.RevokeSeat(seat)
		}
		must(t, "revocations", len(r.table.revoked), 1)
	})
}

func TestCredentialsSayNothing(t *testing.T) {
	r, err := New(Config{UDP: []net.PacketConn{listening(t)}})
	if err != nil {
		t.Fatal(err)
	}
	a, b := r.Grant("CANARY", "CANARY seat", later()), r.Grant("CANARY", "CANARY seat", later())
	if a.Username == b.Username || a.Password.Reveal() == b.Password.Reveal() {
		t.Error("two seats have the same credentials")
	}
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("", "cred", a, "password", a.Password)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("", "cred", a, "password", a.Password)
	js, _ := json.Marshal(a)
	fmt.Fprintf(&out, "%s %v %+v %#v %q %x", js, a, a, a, a.Password, a)
	for _, secret := range []string{"CANARY", a.Password.Reveal()} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in %s", secret, out.String())
		}
	}
	if n := strings.Count(out.String(), redacted); n != 10 {
		t.Errorf("redacted %d times: %s", n, out.String())
	}
}

// listening returns a socket for a relay that does not run.
func listening(t *testing.T) net.PacketConn {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestOnlyUDP(t *testing.T) {
	g := start(t, Config{Limits: Limits{Replies: 10_000}}, nil)
	s := g.seat(t, "tcp4", g.newSeat("call", later()))
	transport := func(n byte) attr { return attr{kind: stun.AttrRequestedTransport, value: []byte{n, 0, 0, 0}} }
	try := func(attrs ...stun.Setter) int { return code(s.do(stun.MethodAllocate, attrs...)) }
	must(t, "no transport", try(), 400)
	must(t, "SCTP", try(transport(132)), 442)
	must(t, "TCP", try(transport(6)), 508)
	must(t, "even port", try(overUDP, attr{kind: stun.AttrEvenPort, value: []byte{0}}), 508)
	must(t, "port after", try(overUDP, attr{kind: stun.AttrEvenPort, value: []byte{0x80}}), 508)
	must(t, "reserved", try(overUDP, attr{kind: stun.AttrReservationToken, value: make([]byte, 8)}), 508)
	must(t, "no such family", try(overUDP, attr{kind: stun.AttrRequestedAddressFamily, value: []byte{9, 0, 0, 0}}), 440)
	must(t, "allocations", g.Stats().Allocations, 0)

	must(t, "allocate", s.allocate(), 0)
	must(t, "connect", code(s.do(stun.MethodConnect, peerAttr(s.relayed))), 447)
	must(t, "connect elsewhere", code(s.do(stun.MethodConnect, peerAttr(netip.MustParseAddrPort("127.0.0.1:80")))), 403)
	must(t, "bind", code(s.do(stun.MethodConnectionBind, attr{kind: stun.AttrConnectionID, value: make([]byte, 4)})), 400)
	for channel := uint16(minChannel); ; channel++ { // as many to one address as one likes
		if c := s.bind(channel, netip.AddrPortFrom(s.relayed.Addr(), channel)); c != 0 {
			must(t, "channels", int(channel-minChannel), maxChannels)
			must(t, "one more", c, 401)
			must(t, "the first again", s.bind(minChannel, netip.AddrPortFrom(s.relayed.Addr(), minChannel)), 0)
			must(t, "the last again", s.bind(channel-1, netip.AddrPortFrom(s.relayed.Addr(), channel-1)), 0)
			must(t, "another for the last", s.bind(channel-1, netip.AddrPortFrom(s.relayed.Addr(), channel)), 401)
			must(t, "the permission again", s.permit(s.relayed), 0)
			break
		}
	}
}

// TestPermissions: being an allocation of the relay is not enough, both sides
// must want it.
func TestPermissions(t *testing.T) {
	g := start(t, Config{Limits: Limits{Replies: 10_000}}, nil)
	a, b := g.seat(t, "udp4", g.newSeat("call", later())), g.seat(t, "udp4", g.newSeat("call", later()))
	must(t, "allocate", a.allocate(), 0)
	must(t, "allocate", b.allocate(), 0)
	silent := func(why string) {
		t.Helper()
		a.send(b.relayed, []byte("hello"))
		if p := b.read(50 * time.Millisecond); p != nil {
			t.Errorf("%s: received %q", why, p)
		}
	}
	silent("nobody wants it")
	must(t, "permit", a.permit(b.relayed), 0)
	silent("only the sender wants it")
	must(t, "permit", b.permit(a.relayed), 0)
	a.send(b.relayed, []byte("hello"))
	m := &stun.Message{Raw: b.read(time.Second)}
	if err := m.Decode(); err != nil || text(m, stun.AttrData) != "hello" || m.Type != stun.NewType(stun.MethodData, stun.ClassIndication) {
		t.Errorf("received %v, %v", m, err)
	}
	a.write(channelData(0x4001, []byte("no such channel")))
	if p := b.read(50 * time.Millisecond); p != nil {
		t.Errorf("received %q", p)
	}
	other := g.seat(t, "udp4", g.newSeat("another call", later()))
	must(t, "allocate", other.allocate(), 0)
	if other.relayed.Addr() == b.relayed.Addr() {
		t.Error("a permission for one call is for another, too")
	}
	must(t, "end", other.refresh(0), 0)
	must(t, "permission for a call that has ended", b.permit(other.relayed), 403)
}

func TestRates(t *testing.T) {
	flood := func(a, b *seat, payload []byte) (n int) {
		for range 200 {
			a.write(channelData(0x4000, payload))
		}
		for b.read(200*time.Millisecond) != nil {
			n++
		}
		return n
	}
	for what, c := range map[string]struct {
		limits  Limits
		payload []byte
		want    int
	}{
		"packets":     {Limits{Packets: 50}, []byte("short"), 50},
		"bits":        {Limits{Bits: 80_000}, make([]byte, 1000), 10},
		"bits of all": {Limits{TotalBits: 80_000}, make([]byte, 1000), 10},
	} {
		g := start(t, Config{Limits: c.limits}, nil)
		a, b := g.pair(t, "udp4", "udp4")
		began := time.Now()
		n := flood(a, b, c.payload)
		if most := float64(c.want) * (1 + time.Since(began).Seconds()); n < c.want || float64(n) > most {
			t.Errorf("%s: %d, want %d and no more than %f", what, n, c.want, most)
		}
		g.stop()
	}
}

// TestNoReflector: what anyone can ask for, they get twenty times a second.
func TestNoReflector(t *testing.T) {
	g := start(t, Config{}, nil)
	a, b := g.pair(t, "udp4", "tcp4") // has spent a few of these twenty
	nobody := g.seat(t, "udp6", Credentials{"", Password{func() string { return "" }}})
	for name, method := range map[string]stun.Method{"udp4": stun.MethodBinding, "udp6": stun.MethodAllocate} {
		began := time.Now()
		s := &seat{t: t, conn: g.dial(t, name), datagrams: true}
		for range 500 {
			s.write(s.message(method).Raw)
		}
		n := 0
		for s.read(300*time.Millisecond) != nil {
			n++
		}
		if most := 20 + int(20*time.Since(began).Seconds()) + 1; n == 0 || n > most {
			t.Errorf("%s: %d answers, want some and at most %d", name, n, most)
		}
	}
	// The same for requests with a signature, which is wrong.
	began, n := time.Now(), 0
	for range 500 {
		nobody.write(nobody.message(stun.MethodAllocate, overUDP).Raw)
	}
	for nobody.read(300*time.Millisecond) != nil {
		n++
	}
	if most := 20 + int(20*time.Since(began).Seconds()) + 1; n > most {
		t.Errorf("%d answers, want at most %d", n, most)
	}
	// Who has credentials notices nothing.
	hears(t, a, b)
	hears(t, b, a)
	must(t, "refresh", a.refresh(600), 0)
	if d := g.Stats().Dropped; d.Unanswered == 0 || d.Unanswered+d.Overflow < 1000 {
		t.Errorf("%+v", d)
	}
}

// TestStreamsDoNotPayForPackets: a flood of packets, from whatever address it
// says, keeps nobody from the relay who has made a connection.
func TestStreamsDoNotPayForPackets(t *testing.T) {
	g := start(t, Config{}, nil)
	flood := g.dial(t, "udp4")
	ask := func() { flood.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw) }
	for range 100 {
		ask()
	}
	eventually(t, "answers are spent", func() bool { ask(); return g.Stats().Dropped.Unanswered > 0 })
	for _, transport := range []string{"tcp4", "tls4"} {
		s := &seat{t: t, conn: g.dial(t, transport)}
		n := 0
		for range 200 {
			ask()
			s.write(s.message(stun.MethodBinding).Raw)
		}
		began := time.Now()
		for s.read(300*time.Millisecond) != nil {
			n++
		}
		if most := 20 + int(20*time.Since(began).Seconds()) + 1; n < 20 || n > most {
			t.Errorf("%s: %d answers, want 20 and at most %d", transport, n, most)
		}
	}
}

func TestStreams(t *testing.T) {
	g := start(t, Config{Limits: Limits{Streams: 5, StreamsPerPrefix: 3}}, nil)
	a, b := g.pair(t, "tcp4", "tcp4")

	t.Run("limits", func(t *testing.T) {
		one := g.dial(t, "tcp4")
		eventually(t, "three streams", func() bool { return g.Stats().Streams == 3 })
		if err := hungUp(g.dial(t, "tcp4")); err != nil {
			t.Errorf("a fourth stream: %v", err)
		}
		one.Close()
		eventually(t, "two streams", func() bool { return g.Stats().Streams == 2 })
	})
	t.Run("malformed", func(t *testing.T) {
		for _, s := range []string{
			"GET / HTTP/1.1\r\n\r\n",
			"\x00\x01\xff\xec\x21\x12\xa4\x42aaaaaaaaaaaa", // adds up to nothing in 16 bits
			"\x00\x01\x00\x03\x21\x12\xa4\x42aaaaaaaaaaaa",
			"\x40\x00\xff\xff",
			"\x80\x00\x00\x04aaaa",
		} {
			c := g.dial(t, "tcp4")
			c.Write([]byte(s))
			if err := hungUp(c); err != nil {
				t.Errorf("%q: %v", s, err)
			}
			c.Close()
			eventually(t, "two streams", func() bool { return g.Stats().Streams == 2 })
		}
	})
	t.Run("silent", func(t *testing.T) {
		g := start(t, Config{patience: 500 * time.Millisecond}, nil)
		if err := hungUp(g.dial(t, "tcp4")); err != nil {
			t.Error(err)
		}
		a, b := g.pair(t, "tcp4", "tcp4")
		time.Sleep(1100 * time.Millisecond)
		hears(t, a, b)
		must(t, "end", a.refresh(0), 0)
		if err := hungUp(a.conn); err != nil {
			t.Error(err)
		}
	})
	t.Run("end", func(t *testing.T) {
		hears(t, a, b)
		a.conn.Close()
		eventually(t, "one allocation", func() bool { return g.Stats().Allocations == 1 })
		eventually(t, "one stream", func() bool { return g.Stats().Streams == 1 })
	})
	t.Run("slow", func(t *testing.T) { // a client that does not read stops nobody
		a, b := g.pair(t, "udp4", "tcp4")
		g.table.mu.RLock()
		to := g.table.atLocked(b.relayed).stream
		g.table.mu.RUnlock()
		for range 4 * queueLen {
			to.send(make([]byte, maxPacket))
		}
		eventually(t, "overflow", func() bool {
			to.send(make([]byte, maxPacket))
			return g.Stats().Dropped.Overflow > 0
		})
		must(t, "refresh", a.refresh(600), 0)
	})
	for _, transport := range []string{"tcp4", "tls4"} {
		t.Run("late "+transport, func(t *testing.T) { // a client on a slow line hears what is new
			a, b := g.pair(t, "udp4", transport)
			for i := range 4000 {
				a.write(channelData(0x4000, make([]byte, 1000)))
				if i%50 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			time.Sleep(2 * stale)
			newest := channelData(0x4000, []byte("the newest"))
			a.write(newest)
			old := 0
			for {
				p := b.read(2 * time.Second)
				if p == nil {
					t.Fatal("it did not come")
				}
				if bytes.HasPrefix(p, newest) {
					break
				}
				old += len(p)
			}
			if old > 256<<10 { // what both systems have in their buffers
				t.Errorf("%d bytes came before it", old)
			}
		})
	}
}

func TestRunEnds(t *testing.T) {
	for _, transport := range []string{"udp4", "tcp4", "tls4"} {
		g := start(t, Config{}, nil)
		g.pair(t, transport, "udp4")
		g.dial(t, transport) // says nothing
		began := time.Now()
		g.stop()
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("%s: took %v", transport, d)
		}
		must(t, "allocations", g.Stats().Allocations, 0)
	}
	t.Run("because a socket failed", func(t *testing.T) {
		c := listening(t)
		r, err := New(Config{UDP: []net.PacketConn{c}})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(50*time.Millisecond, func() { c.Close() })
		if err := r.Run(context.Background()); err == nil {
			t.Error("no error")
		}
	})
}

func TestListen(t *testing.T) {
	conns, err := ListenUDP(t.Context(), loopback["4"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	taken := conns[0].LocalAddr().(*net.UDPAddr).AddrPort()
	if _, err := ListenUDP(t.Context(), taken); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("port %d is in use", taken.Port())) {
		t.Errorf("taken: %v", err)
	}
	if _, err := ListenTCP(t.Context(), netip.MustParseAddrPort("192.0.2.1:1")); err == nil || !strings.HasPrefix(err.Error(), "192.0.2.1 is not an address of this computer") {
		t.Errorf("foreign: %v", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a relay without sockets")
	}
	if _, err := New(Config{UDP: conns, Limits: Limits{Allocations: maxAllocations + 1}}); err == nil {
		t.Error("a relay with too many allocations")
	}
}

// TestEveryAddressAnswers: browsers take nothing from an address that they have
// not asked, nor do sockets that are connected.
func TestEveryAddressAnswers(t *testing.T) {
	for family, hosts := range map[string][]string{"4": {"127.0.0.1", "127.0.0.2", "127.1.2.3"}, "6": {"::1"}} {
		any := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		if family == "6" {
			any = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
		conns, err := ListenUDP(t.Context(), any)
		if err != nil {
			t.Fatal(err)
		}
		port := addrPort(conns[0].LocalAddr()).Port()
		r, err := New(Config{UDP: conns})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }() // ends with ctx
		for _, host := range hosts {
			where := "udp" + family
			g := &rig{Relay: r, addr: map[string]string{where: netip.AddrPortFrom(netip.MustParseAddr(host), port).String()}}
			a, b := g.pair(t, where, where)
			hears(t, a, b)
			hears(t, b, a)
			must(t, host, a.permit(b.relayed), 0)
			must(t, host, b.permit(a.relayed), 0)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestAddresses: allocations differ in their ports and calls in their IP
// addresses, and what has become free rests.
func TestAddresses(t *testing.T) {
	r, err := New(Config{UDP: []net.PacketConn{listening(t)}})
	if err != nil {
		t.Fatal(err)
	}
	var all []*allocation
	ports := make(map[uint16]bool)
	owner := make(map[netip.Addr]string)
	allocate := func(user string, v6 bool) bool {
		a, err := r.newAllocation(r.fronts[0], user, v6)
		if err != nil {
			return false
		}
		all = append(all, a)
		ip, port := a.addr.Addr(), a.addr.Port()
		if was, ok := owner[ip]; ok && was != a.grant.call {
			t.Errorf("%v is of two calls", ip)
		}
		if ports[port] || port < minPort {
			t.Errorf("port %d", port)
		}
		ports[port], owner[ip] = true, a.grant.call
		r.table.mu.RLock()
		defer r.table.mu.RUnlock()
		if r.table.atLocked(a.addr) != a || !r.table.hasLocked(ip) {
			t.Errorf("%v is not found", a.addr)
		}
		return true
	}
	for i := range maxAllocations {
		if !allocate(r.newSeat(fmt.Sprint("call ", i%200), later()).Username, i%400 < 200) {
			t.Fatalf("no allocation %d", i)
		}
	}
	must(t, "allocations", r.Stats().Allocations, 1024)
	must(t, "addresses", len(owner), 2*200)
	if allocate(r.newSeat("call 0", later()).Username, false) {
		t.Error("one too many")
	}
	rested := all[0].addr
	for _, a := range slices.Backward(all) {
		a.Close()
		a.Close()
	}
	must(t, "allocations", r.Stats().Allocations, 0)
	must(t, "owners", len(r.table.owners)+len(r.table.calls), 0)
	if r.table.hasLocked(rested.Addr()) || r.table.atLocked(rested) != nil {
		t.Errorf("%v is still there", rested)
	}

	all, owner, ports = nil, make(map[netip.Addr]string), make(map[uint16]bool)
	for i := range maxCalls {
		if !allocate(r.newSeat(fmt.Sprint("new call ", i), later()).Username, false) {
			t.Fatalf("no call %d", i)
		}
	}
	must(t, "addresses", len(owner), maxCalls)
	if allocate(r.newSeat("another", later()).Username, false) {
		t.Error("one call too many")
	}
	for _, a := range all {
		a.Close()
	}
}
