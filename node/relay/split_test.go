package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v3"

	"anteroom/node/admit"
	"anteroom/node/polltest"
)

// split runs a Splitter until one of its listeners is closed; ended waits until
// it has ended.
func split(l net.Listener, silent *admit.Backlog) (web, turn net.Listener, ended func()) {
	s := NewSplitter(l, silent)
	ran := make(chan struct{})
	go func() { s.Run(context.Background()); close(ran) }() // ends with l
	return s.Web(), s.Turn(), func() { <-ran }
}

// splitRig is a web server and a relay on one port.
func splitRig(t *testing.T) (*rig, net.Listener) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web, turn, ended := split(tls.NewListener(l, serverTLS()), admit.NewBacklog(DefaultSilent, DefaultSilentOf))
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto, " ", r.TLS != nil && r.TLS.HandshakeComplete)
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(web) }()
	g := start(t, Config{TCP: []net.Listener{turn}}, nil)
	t.Cleanup(func() {
		g.stop()
		srv.Close()
		<-served
		ended()
	})
	g.addr["tls4"] = l.Addr().String()
	return g, web
}

func TestSplit(t *testing.T) {
	g, _ := splitRig(t)
	get := func(want string, alpn []string, h2 bool) {
		t.Helper()
		tr := &http.Transport{TLSClientConfig: insecure(alpn...), ForceAttemptHTTP2: h2}
		defer tr.CloseIdleConnections()
		for range 2 { // on the same connection
			resp, err := (&http.Client{Transport: tr}).Get("https://" + g.addr["tls4"])
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(body) != want || err != nil {
				t.Errorf("%q, %v, want %q", body, err, want)
			}
		}
	}
	get("HTTP/2.0 true", nil, true)
	get("HTTP/1.1 true", []string{"http/1.1"}, false)
	get("HTTP/1.1 true", nil, false)

	a, b := g.pair(t, "tls4", "udp4")
	hears(t, a, b)
	hears(t, b, a)

	t.Run("slowly", func(t *testing.T) { // both kinds, one byte at a time
		s := &seat{t: t}
		for _, c := range []struct{ say, hear string }{
			{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK"},
			{string(s.message(stun.MethodBinding).Raw), "\x01\x01"},
		} {
			conn := g.dial(t, "tls4")
			for i := range len(c.say) {
				conn.Write([]byte{c.say[i]})
			}
			got := make([]byte, len(c.hear))
			conn.SetReadDeadline(time.Now().Add(2 * time.Second))
			if _, err := io.ReadFull(conn, got); string(got) != c.hear {
				t.Errorf("%q, %v", got, err)
			}
		}
	})
	t.Run("garbage", func(t *testing.T) {
		for _, say := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x00\x05hello", "\x00\x01\x00\x00\x21\x12\xa4\x42"} {
			conn, err := net.Dial("tcp", g.addr["tls4"]) // not TLS
			if err != nil {
				t.Fatal(err)
			}
			conn.Write([]byte(say))
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			conn.Close()
		}
		conn := g.dial(t, "tls4") // in TLS: the web server says what it thinks
		conn.Write([]byte("\x00\x01\x00\x00GARBAGE\r\n\r\n"))
		conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		if line, _ := bufio.NewReader(conn).ReadString('\n'); line != "HTTP/1.1 400 Bad Request\r\n" {
			t.Errorf("%q", line)
		}
	})
	t.Run("ALPN of TURN", func(t *testing.T) {
		cfg := serverTLS().Clone()
		cfg.NextProtos = append(cfg.NextProtos, "stun.turn")
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, turn, ended := split(tls.NewListener(l, cfg), admit.NewBacklog(DefaultSilent, DefaultSilentOf))
		defer ended()
		defer turn.Close()
		go func() {
			if c, err := tls.Dial("tcp", l.Addr().String(), insecure("stun.turn")); err == nil {
				c.Close()
			}
		}()
		c, err := turn.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
}

// TestSplitEnds: with clients in all states.
func TestSplitEnds(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent := admit.NewBacklog(DefaultSilent, DefaultSilentOf)
	web, turn, ended := split(tls.NewListener(l, serverTLS()), silent)
	var conns []net.Conn
	for range DefaultSilentOf + 1 {
		c, err := net.Dial("tcp", l.Addr().String()) // says nothing
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	if err := hungUp(conns[0]); err != nil {
		t.Errorf("the first, when there is one more than may wait: %v", err)
	}
	waiting := func() int { all, _ := silent.Size(); return all }
	polltest.Eventually(t, "the others are waited for", func() bool { return waiting() == DefaultSilentOf })
	conns[1].Close()
	polltest.Eventually(t, "one less", func() bool { return waiting() < DefaultSilentOf })
	ready, err := tls.Dial("tcp", l.Addr().String(), insecure("h2")) // nobody accepts it
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()

	if err := turn.Close(); err != nil {
		t.Error(err)
	}
	ended()
	for _, l := range []net.Listener{web, turn} {
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
	}
	web.Close()
	if err := hungUp(conns[2]); err != nil {
		t.Errorf("a silent client: %v", err)
	}
	must(t, "waiting", waiting(), 0)
}

// A dialled listener accepts what a test puts into it.
type dialled struct {
	net.Listener
	conns chan net.Conn
}

func (d *dialled) Accept() (net.Conn, error) {
	conn, ok := <-d.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (d *dialled) Addr() net.Addr { return &net.TCPAddr{} }
func (d *dialled) Close() error   { close(d.conns); return nil }

type cameFrom struct {
	net.Conn
	from netip.Addr
}

func (c *cameFrom) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.from, 5555))
}

// dial connects from an address and returns the client's end.
func (d *dialled) dial(from netip.Addr) net.Conn {
	client, server := net.Pipe()
	d.conns <- &cameFrom{server, from}
	return client
}

// clientHello is what a client says first.
func clientHello(t *testing.T) []byte {
	client, server := net.Pipe()
	go tls.Client(client, insecure("http/1.1")).Handshake() // ends with server
	defer server.Close()
	hello := make([]byte, 4<<10)
	n, err := server.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	return hello[:n]
}

// However many clients say nothing, before, in or after the handshake, from
// however many networks: those who ask for a page get in, also from a network
// that the silent ones are in.
func TestSplitWithSilentClients(t *testing.T) {
	for _, networks := range []int{1, 8, 100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			l := &dialled{conns: make(chan net.Conn)}
			silent := admit.NewBacklog(DefaultSilent, DefaultSilentOf)
			web, _, ended := split(tls.NewListener(l, serverTLS()), silent)
			subnet := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(n / 256), byte(n), 1}) }
			hello := clientHello(t)
			keepSilent := func(i int) {
				conn := l.dial(subnet(i % networks))
				switch i % 8 {
				case 0: // hangs after the handshake
					go io.Copy(io.Discard, tls.Client(conn, insecure("http/1.1"))) // ends with conn
				case 1, 2: // hangs in it
					go conn.Write(hello) // ends with conn
				}
			}
			visit := func(from netip.Addr) {
				t.Helper()
				client := tls.Client(l.dial(from), insecure("http/1.1"))
				go func() { // ends with client
					io.WriteString(client, "GET / HTTP/1.1\r\n\r\n")
					io.Copy(io.Discard, client)
				}()
				conn, err := web.Accept()
				if err != nil {
					t.Fatal(err)
				}
				conn.(*peeked).NetConn().Close()
			}
			for i := range 1500 {
				keepSilent(i)
				if i%20 == 0 {
					visit(subnet(5000))
					visit(subnet(0))
				}
			}
			if all, most := silent.Size(); all > DefaultSilent || most > DefaultSilentOf {
				t.Errorf("%d networks: %d wait, %d of one", networks, all, most)
			}
			web.Close()
			ended()
		})
	}
}

// failing is a listener that fails.
type failing struct{ net.Listener }

func (failing) Accept() (net.Conn, error) { return nil, io.ErrUnexpectedEOF }

func TestSplitFails(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web, turn, ended := split(failing{l}, admit.NewBacklog(DefaultSilent, DefaultSilentOf))
	for _, l := range []net.Listener{web, turn} {
		if _, err := l.Accept(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Accept: %v", err)
		}
	}
	web.Close()
	ended()
}
