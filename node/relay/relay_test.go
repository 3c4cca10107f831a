package relay

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	"github.com/pion/turn/v5"

	"anteroom/node/polltest"
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
	polltest.Eventually(t, "all are counted", func() bool { return g.Stats().Packets == 8*400 })
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
	m := &stun.Message{Raw: b.read(wait)}
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
		for range 200 {
			a.write(channelData(0x4000, c.payload))
		}
		n := b.tally(c.want)
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
		n := s.tally(1)
		if most := 20 + int(20*time.Since(began).Seconds()) + 1; n == 0 || n > most {
			t.Errorf("%s: %d answers, want some and at most %d", name, n, most)
		}
	}
	// The same for requests with a signature, which is wrong.
	began := time.Now()
	for range 500 {
		nobody.write(nobody.message(stun.MethodAllocate, overUDP).Raw)
	}
	n := nobody.tally(0)
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
