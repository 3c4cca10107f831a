package relay

import (
	"net"
	"net/netip"
	"testing"

	"github.com/pion/stun/v3"
)

// networks is a listener whose clients come from wherever it is told, one after
// the other.
type networks struct {
	net.Listener
	from chan netip.AddrPort
}

// A distant connection comes from elsewhere than it seems.
type distant struct {
	net.Conn
	from net.Addr
}

func (d distant) RemoteAddr() net.Addr { return d.from }

func (n *networks) Accept() (net.Conn, error) {
	conn, err := n.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return distant{conn, net.TCPAddrFromAddrPort(<-n.from)}, nil
}

// TestStreamsOfSeveralNetworks: who has to go for a newcomer is the oldest
// without an allocation: of the newcomer's network if that has its share, and of
// whichever network it is if there is no room at all.
func TestStreamsOfSeveralNetworks(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	from := &networks{l, make(chan netip.AddrPort, 1)}
	g := start(t, Config{TCP: []net.Listener{from}, Limits: Limits{Streams: 6, StreamsPerPrefix: 3, Replies: 10_000}}, nil)
	come := func(addr string) *seat {
		t.Helper()
		conn, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		from.from <- netip.MustParseAddrPort(addr)
		granted := g.newSeat("call", later())
		s := &seat{t: t, conn: conn, user: granted.Username}
		s.sign(granted.Password.Reveal()) // so it has been let in
		return s
	}
	goes := func(s *seat, who string) {
		t.Helper()
		if err := hungUp(s.conn); err != nil {
			t.Errorf("%s: %v", who, err)
		}
	}
	stay := func(all ...*seat) {
		t.Helper()
		for _, s := range all {
			if s.do(stun.MethodBinding) == nil {
				t.Errorf("%v has gone", s.conn.LocalAddr())
			}
		}
	}

	elder := come("192.0.2.1:1000") // older than all others
	busy := come("198.51.100.1:1000")
	must(t, "allocate", busy.allocate(), 0)
	second, third := come("198.51.100.2:1000"), come("198.51.100.254:1000")

	fourth := come("198.51.100.3:1000") // whose network has three
	goes(second, "the oldest of that network without an allocation")
	stay(elder, busy, third, fourth)

	distant := come("[2001:db8:0:100::1]:1000")
	neighbour := come("[2001:db8:0:1ff:ffff::1]:1000")
	stay(elder, distant, neighbour) // six
	newcomer := come("[2001:db8:0:200::1]:1000")
	goes(elder, "the oldest of all, where no network has its share")
	stay(busy, third, fourth, distant, neighbour, newcomer)

	must(t, "allocate", third.allocate(), 0)
	another := come("203.0.113.1:1000")
	goes(fourth, "the oldest of all without an allocation")
	stay(busy, third, distant, neighbour, newcomer, another)
	must(t, "streams", g.Stats().Streams, 6)
}
