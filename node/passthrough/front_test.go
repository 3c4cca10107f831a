package passthrough

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
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

// isOpen reports whether nobody has hung up on conn.
func isOpen(conn net.Conn) bool {
	synctest.Wait()
	conn.SetReadDeadline(time.Now().Add(time.Nanosecond))
	_, err := conn.Read(make([]byte, 1))
	return !errors.Is(err, io.EOF)
}

// subnet is the nth /24.
func subnet(n, host int) string { return fmt.Sprintf("10.%d.%d.%d", n/256, n%256, host) }

// Clients that say nothing are hung up on: those of one network beyond its
// share, and all beyond the whole. Those of others still come in.
func TestSilentClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeListener()
		own := NewFront(nil, map[string]peer.ID{}, slog.New(slog.DiscardHandler)).Listen(l)
		defer own.Close()
		for i := range maxHellosOf {
			if conn := l.dial(subnet(0, i), ""); !isOpen(conn) {
				t.Fatalf("the network's client %d is hung up on", i)
			}
		}
		if isOpen(l.dial(subnet(0, 200), "")) {
			t.Error("a network has more than its share")
		}
		hello := helloTo(t, "front.example")
		l.dial(subnet(1, 1), hello)
		if _, err := own.Accept(); err != nil {
			t.Errorf("a client of another network: %v", err)
		}
		for i := maxHellosOf; i < maxHellos; i++ {
			if conn := l.dial(subnet(i/maxHellosOf, i%maxHellosOf), ""); !isOpen(conn) {
				t.Fatalf("client %d is hung up on", i)
			}
		}
		if isOpen(l.dial(subnet(1000, 1), "")) {
			t.Errorf("client %d is let in", maxHellos+1)
		}
		time.Sleep(helloTime)
		l.dial(subnet(0, 1), hello)
		if _, err := own.Accept(); err != nil {
			t.Errorf("after %v: %v", helloTime, err)
		}
	})
}
