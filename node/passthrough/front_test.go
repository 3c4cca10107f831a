package passthrough

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"anteroom/node/admit"
)

// A fakeListener accepts what a test puts into it: connections and errors.
type fakeListener struct {
	next   chan any
	closed chan struct{}
}

func newFakeListener() *fakeListener {
	return &fakeListener{next: make(chan any), closed: make(chan struct{})}
}

func (l *fakeListener) Accept() (net.Conn, error) {
	select {
	case x := <-l.next:
		if err, failed := x.(error); failed {
			return nil, err
		}
		return x.(net.Conn), nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *fakeListener) Close() error {
	close(l.closed)
	return nil
}

func (l *fakeListener) Addr() net.Addr { return noAddress }

// dial connects from an address, says what is to be said, and returns the
// client's end.
func (l *fakeListener) dial(from, said string) net.Conn {
	client, server := net.Pipe()
	l.next <- &fakeConn{server, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 5555))}
	if said != "" {
		go io.WriteString(client, said) // ends with the connection
	}
	return client
}

type fakeConn struct {
	net.Conn
	from net.Addr
}

func (c *fakeConn) RemoteAddr() net.Addr { return c.from }

// helloTo is what a client says first that wants name.
func helloTo(t *testing.T, name string) string {
	t.Helper()
	client, server := net.Pipe()
	go tls.Client(client, &tls.Config{ServerName: name}).Handshake() // ends with the pipe
	defer client.Close()
	_, whole, err := peek(server)
	if err != nil {
		t.Fatal(err)
	}
	// What follows never comes.
	server.SetReadDeadline(time.Now().Add(time.Millisecond))
	said, _ := io.ReadAll(whole)
	return string(said)
}

// run runs f with one listener, until that is closed.
func run(f *Front, l net.Listener) net.Listener {
	own := f.Listen(l)
	go f.Run(context.Background()) // ends with own
	return own
}

// isOpen reports whether nobody has hung up on conn.
func isOpen(conn net.Conn) bool {
	synctest.Wait()
	conn.SetReadDeadline(time.Now().Add(time.Nanosecond))
	_, err := conn.Read(make([]byte, 1))
	return !errors.Is(err, io.EOF)
}

// subnet is the nth /24.
func subnet(n, host int) string { return fmt.Sprintf("10.%d.%d.%d", n/256, n%256, host) }

// However many clients say nothing, from however many networks, those who say
// what they want come in; and there are never more that wait than may.
func TestSilentClients(t *testing.T) {
	for _, flood := range []struct{ networks, each, wait int }{
		{1, 100, DefaultSilentOf}, {8, 64, 8 * DefaultSilentOf}, {100, 64, DefaultSilent}, {600, 2, DefaultSilent},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newFakeListener()
			silent := admit.NewBacklog(DefaultSilent, DefaultSilentOf)
			own := run(NewFront(nil, map[string]peer.ID{}, silent, DefaultLimits, slog.New(slog.DiscardHandler)), l)
			defer own.Close()
			hello := helloTo(t, "front.example")
			var open []net.Conn
			for n := range flood.each {
				for _, from := range []string{subnet(5000, 1), subnet(0, 250)} {
					l.dial(from, hello)
					if _, err := own.Accept(); err != nil {
						t.Fatalf("a client from %s: %v", from, err)
					}
				}
				for network := range flood.networks {
					open = append(open, l.dial(subnet(network, n), ""))
				}
			}
			waiting := 0
			for _, conn := range open {
				if isOpen(conn) {
					waiting++
				}
			}
			if all, _ := silent.Size(); waiting != all || waiting != flood.wait {
				t.Errorf("%d networks: %d of %d clients are waited for, %d by count, want %d", flood.networks, waiting, len(open), all, flood.wait)
			}
			time.Sleep(helloTime + time.Second)
			synctest.Wait()
			if all, _ := silent.Size(); all != 0 {
				t.Errorf("after %v, %d are waited for", helloTime, all)
			}
		})
	}
}

// A fakeOpener opens streams to hidden nodes that want no address, and say
// nothing more.
type fakeOpener struct{}

func (fakeOpener) Open(context.Context, peer.AddrInfo, protocol.ID) (network.Stream, error) {
	here, there := net.Pipe()
	go func() { // ends with the stream
		there.Write([]byte{wantsNothing})
		io.Copy(io.Discard, there)
		there.Close()
	}()
	return &fakeStream{pipe: here}, nil
}

// A forgetfulOpener opens streams of which the first do not answer, or fails.
type forgetfulOpener struct {
	silent int // so many streams
	fails  bool
	asked  int
}

func (o *forgetfulOpener) Open(ctx context.Context, to peer.AddrInfo, p protocol.ID) (network.Stream, error) {
	o.asked++
	switch {
	case o.fails:
		return nil, errors.New("not there")
	case o.asked <= o.silent:
		here, _ := net.Pipe()
		return &fakeStream{pipe: here}, nil
	}
	return fakeOpener{}.Open(ctx, to, p)
}

// A hidden node that does not answer is called again, for as long as somebody
// would wait for a page, and one that cannot be called is not there.
func TestHiddenNodeIsCalledAgain(t *testing.T) {
	for _, of := range []struct {
		opener *forgetfulOpener
		open   bool          // in the end
		hungUp time.Duration // by then, if not
		asked  int
	}{
		{&forgetfulOpener{}, true, 0, 1},
		{&forgetfulOpener{silent: 1}, true, 0, 2},
		{&forgetfulOpener{silent: 100}, false, openTime, 3},
		{&forgetfulOpener{fails: true}, false, 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newFakeListener()
			own := run(NewFront(of.opener, map[string]peer.ID{oneName: "1"}, admit.NewBacklog(DefaultSilent, DefaultSilentOf), DefaultLimits, slog.New(slog.DiscardHandler)), l)
			defer own.Close()
			conn := l.dial(subnet(0, 1), helloTo(t, oneName))
			start := time.Now()
			for isOpen(conn) && time.Since(start) < openTime+time.Second {
				time.Sleep(100 * time.Millisecond) // virtual
			}
			if got := isOpen(conn); got != of.open || of.opener.asked != of.asked {
				t.Errorf("%+v: open: %v", of.opener, got)
			}
			if took := time.Since(start); !of.open && took > of.hungUp+200*time.Millisecond {
				t.Errorf("%+v: hung up after %v", of.opener, took)
			}
		})
	}
}

type fakeStream struct {
	pipe           net.Conn
	network.Stream // has the rest, which nobody asks for
}

func (s *fakeStream) Read(b []byte) (int, error)         { return s.pipe.Read(b) }
func (s *fakeStream) Write(b []byte) (int, error)        { return s.pipe.Write(b) }
func (s *fakeStream) Close() error                       { return s.pipe.Close() }
func (s *fakeStream) CloseWrite() error                  { return s.pipe.Close() }
func (s *fakeStream) Reset() error                       { return s.pipe.Close() }
func (s *fakeStream) SetDeadline(t time.Time) error      { return s.pipe.SetDeadline(t) }
func (s *fakeStream) SetReadDeadline(t time.Time) error  { return s.pipe.SetReadDeadline(t) }
func (s *fakeStream) SetWriteDeadline(t time.Time) error { return s.pipe.SetWriteDeadline(t) }

// oneName has a hidden node.
const oneName = "one.example"

// A connection stays as long as it carries something, and ends idleTime after.
func TestIdleConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeListener()
		own := run(NewFront(fakeOpener{}, map[string]peer.ID{oneName: "1"}, admit.NewBacklog(DefaultSilent, DefaultSilentOf), DefaultLimits, slog.New(slog.DiscardHandler)), l)
		defer own.Close()
		conn := l.dial(subnet(0, 1), helloTo(t, oneName))
		for range 3 {
			time.Sleep(idleTime - time.Second)
			if _, err := io.WriteString(conn, "x"); err != nil {
				t.Fatalf("a connection that carries something: %v", err)
			}
		}
		time.Sleep(idleTime - time.Second)
		if !isOpen(conn) {
			t.Error("it ends too early")
		}
		time.Sleep(2 * time.Second)
		if isOpen(conn) {
			t.Error("it does not end")
		}
	})
}

// Each of two listeners can be closed while the other goes on.
func TestListenersCloseByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		front := NewFront(nil, map[string]peer.ID{}, admit.NewBacklog(DefaultSilent, DefaultSilentOf), DefaultLimits, slog.New(slog.DiscardHandler))
		one, other := newFakeListener(), newFakeListener()
		ownOne, ownOther := front.Listen(one), front.Listen(other)
		go front.Run(context.Background()) // ends with both
		if err := ownOne.Close(); err != nil {
			t.Error(err)
		}
		other.dial(subnet(0, 1), helloTo(t, "front.example"))
		if _, err := ownOther.Accept(); err != nil {
			t.Errorf("with the other closed: %v", err)
		}
		if err := ownOther.Close(); err != nil {
			t.Error(err)
		}
	})
}

// After an error that passes, such as too many open files, it goes on; after
// another it says so.
func TestErrorsOfTheListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeListener()
		own := run(NewFront(nil, map[string]peer.ID{}, admit.NewBacklog(DefaultSilent, DefaultSilentOf), DefaultLimits, slog.New(slog.DiscardHandler)), l)
		defer own.Close()
		for range 3 {
			l.next <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		}
		l.dial(subnet(0, 1), helloTo(t, "front.example"))
		if _, err := own.Accept(); err != nil {
			t.Errorf("after an error that passes: %v", err)
		}
		broken := errors.New("broken")
		l.next <- broken
		if _, err := own.Accept(); err != broken {
			t.Errorf("got %v, want %v", err, broken)
		}
	})
}
