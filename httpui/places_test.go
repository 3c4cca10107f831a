package httpui

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"anteroom/rendezvous/wire"
)

// ended reports whether a socket that is kept reading has ended.
func ended(end <-chan error) bool {
	select {
	case <-end:
		return true
	default:
		return false
	}
}

// stranger opens a guest's socket from an address and says nothing.
func (ts *testServer) stranger(from string) <-chan error {
	ts.t.Helper()
	b := ts.browser()
	b.from = from
	return keepReading(b.socket("/ws/guest"))
}

// guest opens a guest's socket from an address, and is answered as somebody is
// who has proved that they hold a link.
func (ts *testServer) guest(from string) <-chan error {
	ts.t.Helper()
	b := ts.browser()
	b.from = from
	c := b.socket("/ws/guest")
	for range guestFrames + 1 { // the node sends back what it gets
		if err := c.Send([]byte{1}); err != nil {
			ts.t.Fatal(err)
		}
		if _, err := c.Recv(); err != nil {
			ts.t.Fatal(err)
		}
	}
	return keepReading(c)
}

// TestSilentSocketsKeepNobodyOut: more sockets than there are places, each from
// a network of its own, say nothing. Guests come in meanwhile, and stay.
func TestSilentSocketsKeepNobodyOut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		silent := func(n int, begun bool) {
			for i := range n {
				from := fmt.Sprintf("198.%d.%d.1:5000", 18+i/256, i%256)
				if begun {
					b := ts.browser()
					b.from = from
					c := b.socket("/ws/guest")
					if err := c.Send([]byte{1}); err != nil { // a key frame, and no more
						t.Fatal(err)
					}
					keepReading(c)
				} else {
					ts.stranger(from)
				}
			}
			pass(0)
		}
		silent(600, false)
		lee := ts.signedIn()
		desk := keepReading(lee.openDesk())
		var guests []<-chan error
		for i := range 55 {
			guests = append(guests, ts.guest(fmt.Sprintf("203.0.%d.7:5000", i)))
		}
		silent(600, false)
		silent(600, true)
		for i, end := range guests {
			if ended(end) {
				t.Errorf("guest %d lost the socket to strangers", i)
			}
		}
		if ended(desk) {
			t.Error("the practitioner lost the diary to strangers")
		}
	})
}

// Who is in the middle of a handshake does not give way to those who say
// nothing, however slowly it goes and however many they are.
func TestSilentSocketsGiveWayBeforeTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		b := ts.browser()
		b.from = "203.0.113.7:5000"
		slow := b.socket("/ws/guest")
		if err := slow.Send([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := slow.Recv(); err != nil {
			t.Fatal(err)
		}
		end := keepReading(slow)
		for i := range 1200 {
			ts.stranger(fmt.Sprintf("198.%d.%d.1:5000", 18+i/256, i%256))
		}
		pass(0)
		if ended(end) {
			t.Error("a guest who had begun lost the socket to those who say nothing")
		}
	})
}

// The stranger who has waited longest gives way to the next, within a network
// that has enough of them, and among all if these are too many.
func TestOldestStrangerGivesWay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t, func(c *Config) { c.Sockets = Cap{Total: 6, PerPrefix: 2, Loopback: 3} })
		var all []<-chan error
		come := func(from string, gone ...int) {
			t.Helper()
			all = append(all, ts.stranger(from))
			pass(0)
			want := map[int]bool{}
			for _, i := range gone {
				want[i] = true
			}
			for i, end := range all {
				if end == nil {
					continue
				}
				if ended(end) != want[i] {
					t.Errorf("after %s: socket %d has gone: %v, want %v", from, i, !want[i], want[i])
				}
				if want[i] {
					all[i] = nil
				}
			}
		}
		come("203.0.113.1:5000")
		come("203.0.113.2:5000")
		come("198.51.100.1:5000")
		come("[::ffff:203.0.113.3]:5000", 0) // of their network
		come("127.0.0.1:5000")
		come("[::1]:5000")
		come("127.0.0.2:5000")
		come("127.0.0.1:5000", 4)
		come("[2001:db8:0:1::1]:5000", 1) // of all
		come("[2001:db8:0:2::1]:5000", 2)
		come("[2001:db8:0:ff::1]:5000", 8) // the same /56
		come("[2001:db8:0:100::1]:5000", 3)
	})
}

// A socket that had to go is told to come again.
func TestWhoGivesWayIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t, func(c *Config) { c.Sockets = Cap{Total: 1, PerPrefix: 1, Loopback: 1} })
		first := ts.browser().socket("/ws/guest")
		pass(0) // it has its place
		ts.stranger("203.0.113.1:5000")
		expectEnd(t, first, wire.ErrTooMany)
	})
}

// One frame of the home node, which strangers get as well, proves nothing.
func TestHelloProvesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t, func(c *Config) { c.Sockets = Cap{Total: 1, PerPrefix: 1, Loopback: 1} })
		c := ts.browser().socket("/ws/guest")
		if err := c.Send([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Recv(); err != nil {
			t.Fatal(err)
		}
		ts.stranger("203.0.113.1:5000")
		expectEnd(t, c, wire.ErrTooMany)
	})
}

func TestPlaces(t *testing.T) {
	ps := newPlaces(Cap{Total: 3, PerPrefix: 2, Loopback: 1}, Cap{})
	gone := map[string]int{}
	take := func(name, network string, known bool) *place {
		return ps.take(netip.MustParsePrefix(network), known, func() { gone[name]++ })
	}
	expectGone := func(want ...string) {
		t.Helper()
		if len(gone) != len(want) {
			t.Fatalf("gone %v, want %v", gone, want)
		}
		for _, name := range want {
			if gone[name] != 1 {
				t.Fatalf("gone %v, want %v", gone, want)
			}
		}
		clear(gone)
	}
	const one, two, three = "203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24"

	// The known have places of their own, as many as strangers.
	a := take("a", one, true)
	take("b", two, true)
	take("c", three, true)
	take("d", one, false)
	e := take("e", two, false)
	take("f", three, false)
	expectGone()
	// Beyond these they are strangers; nobody known ever goes.
	g := take("g", one, true)
	expectGone("d")
	ps.prove(g)
	take("h", two, false)
	expectGone("e")
	ps.give(e) // has gone already
	ps.give(a)
	ps.prove(g) // now there is room
	take("i", one, false)
	take("j", one, false)
	expectGone("f")

	// Who is being answered goes last.
	ps = newPlaces(Cap{Total: 2, PerPrefix: 2, Loopback: 1}, Cap{})
	k := take("k", one, false)
	done := ps.answering(k)
	take("l", two, false)
	take("m", three, false)
	expectGone("l")
	done()
	take("n", one, false)
	expectGone("m") // k was busy after it came
	x := ps.answering(take("o", two, false))
	expectGone("k")
	defer x()

	// Everybody at a known proxy is one network, which may have all places.
	ps = newPlaces(Cap{Total: 3, PerPrefix: 1, Loopback: 1}, Cap{})
	for range 3 {
		ps.take(trusted, false, func() { t.Error("a proxy's connection had to go") })
	}
}

// TestFill: the keys of the configuration, and no network's name.
func TestFill(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		for i := range 3 {
			ts.stranger(fmt.Sprintf("203.0.113.%d:5000", i))
		}
		ts.guest("127.0.0.1:5000")
		pass(0)
		got := fmt.Sprint(ts.Limits()[:4])
		want := "[{http.limits.sockets 1 500} {http.limits.sockets (strangers) 3 500} {http.limits.sockets_per_network 3 100} {http.limits.sockets_loopback 1 500}]"
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// TestConnectionsGiveWay: connections that carry no request, and those that
// have been answered, make room for new ones.
func TestConnectionsGiveWay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t, func(c *Config) { c.Connections = Cap{Total: 4, PerPrefix: 2, Loopback: 3} })
		open := func(from string) net.Conn {
			t.Helper()
			conn, err := ts.listener.dial(from)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			pass(0)
			return conn
		}
		closed := func(conn net.Conn) bool {
			conn.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := io.Copy(io.Discard, conn)
			return err == nil
		}
		first := open("203.0.113.1:5000")
		second := open("203.0.113.2:5000")
		third := open("203.0.113.3:5000") // a network's third
		if !closed(first) || closed(second) || closed(third) {
			t.Error("the wrong one of a network gave way")
		}
		// What has been answered is still for longer than what comes after.
		io.WriteString(second, "GET /j HTTP/1.1\r\nHost: "+local+"\r\n\r\n")
		pass(0)
		open("198.51.100.1:5000")
		open("192.0.2.1:5000")
		last := open("192.0.2.2:5000") // that is one too many
		if !closed(third) || closed(second) || closed(last) {
			t.Error("the wrong one of all gave way")
		}
	})
}

// A connection that carries a session is not one of the strangers'.
func TestConnectionOfASessionStays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t, func(c *Config) { c.Connections = Cap{Total: 2, PerPrefix: 2, Loopback: 2} })
		lee := ts.signedIn()
		conn, err := ts.listener.dial("127.0.0.1:5000")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ask := func() error {
			fmt.Fprintf(conn, "GET /api/desk HTTP/1.1\r\nHost: %s\r\nCookie: %s=%s\r\n%s: %s\r\n\r\n", local, lee.cookie.Name, lee.cookie.Value, tabHeader, lee.tab)
			pass(0)
			conn.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := conn.Read(make([]byte, 4<<10))
			return err
		}
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			c, err := ts.listener.dial(fmt.Sprintf("203.0.%d.1:5000", i))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			pass(0)
		}
		if err := ask(); err != nil {
			t.Errorf("strangers took the practitioner's connection: %v", err)
		}
	})
}
