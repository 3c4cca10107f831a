package passthrough_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/pion/turn/v5"
	"go.uber.org/goleak"

	"anteroom/discovery"
	"anteroom/discovery/contacts"
	"anteroom/node/admit"
	"anteroom/node/passthrough"
	"anteroom/node/polltest"
	"anteroom/node/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hiddenName, frontName = "hidden.example", "front.example"

// A world is a public node and a hidden one that keeps connected to it.
type world struct {
	addr   string // of the public node
	roots  *x509.CertPool
	own    net.Listener
	back   net.Listener
	hidden *discovery.Discovery
}

func newKey(t *testing.T) (crypto.PrivKey, peer.ID) {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must(t, err)
	id, err := peer.IDFromPrivateKey(key)
	must(t, err)
	return key, id
}

func node(t *testing.T, key crypto.PrivKey, relays []discovery.PeerInfo, relayFor ...peer.ID) (*discovery.Discovery, discovery.PeerInfo) {
	t.Helper()
	d, err := discovery.New(discovery.Config{
		Identity: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Relays: relays, RelayFor: relayFor, AllowPrivate: true, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	card, err := d.Card("")
	must(t, err)
	info, err := contacts.ParseCard(card)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }() // ends with the test
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return d, info
}

// client is where the first connection seems to come from; each of the others
// comes from another network.
var client = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.7:5555"))

type from struct {
	net.Listener
	addr netip.AddrPort // of the next
}

func (f *from) Accept() (net.Conn, error) {
	conn, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	was, next := f.addr, f.addr.Addr().As4()
	next[1]++
	f.addr = netip.AddrPortFrom(netip.AddrFrom4(next), was.Port())
	return fromConn{conn.(*net.TCPConn), net.TCPAddrFromAddrPort(was)}, nil
}

type fromConn struct {
	*net.TCPConn
	addr net.Addr
}

func (c fromConn) RemoteAddr() net.Addr { return c.addr }

// start puts a web server behind a hidden node and another on the public one.
func start(t *testing.T, address bool) *world {
	t.Helper()
	w := connect(t, address)
	w.serve(t, w.back, hiddenName)
	w.serve(t, w.own, frontName)
	return w
}

// connect makes both nodes and waits until one has found the other.
func connect(t *testing.T, address bool) *world {
	t.Helper()
	publicKey, _ := newKey(t)
	hiddenKey, hiddenID := newKey(t)
	public, publicInfo := node(t, publicKey, nil, hiddenID)
	hidden, hiddenInfo := node(t, hiddenKey, []discovery.PeerInfo{publicInfo})
	back := passthrough.NewBack([]peer.ID{publicInfo.ID}, passthrough.Clients(address))
	hidden.Handle(passthrough.Protocol, back.Serve)
	front := passthrough.NewFront(public, map[string]peer.ID{hiddenName: hiddenInfo.ID}, admit.NewBacklog(passthrough.DefaultSilent, passthrough.DefaultSilentOf), passthrough.DefaultLimits, slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &world{addr: l.Addr().String(), roots: x509.NewCertPool(), own: front.Listen(&from{l, client.AddrPort()}), back: back, hidden: hidden}
	ran := make(chan struct{})
	go func() { front.Run(context.Background()); close(ran) }() // ends with own
	t.Cleanup(func() {
		w.own.Close()
		w.back.Close()
		<-ran
	})
	polltest.Eventually(t, "the hidden node's connection", func() bool {
		r := hidden.Reachability().Relays
		return len(r) > 0 && r[0].Reserved
	})
	return w
}

// certificate returns one for name that clients trust.
func (w *world) certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	w.roots.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serve answers with its name, the client's address and what it was sent.
func (w *world) serve(t *testing.T, l net.Listener, name string) {
	t.Helper()
	cert := w.certificate(t, name)
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s %s %s %s", name, r.Proto, r.RemoteAddr, body)
	})}
	done := make(chan struct{})
	go func() { // ends with the server
		defer close(done)
		srv.Serve(tls.NewListener(l, &tls.Config{NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{cert}}))
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
}

// client asks for https://name/ at the public node.
func (w *world) client(t *testing.T) *http.Client {
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: w.roots},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", w.addr)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func (w *world) get(t *testing.T, c *http.Client, name, body string) (string, error) {
	t.Helper()
	r, err := c.Post("https://"+name+"/", "text/plain", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	return string(answer), err
}

// Each name ends at the node that holds its certificate, over HTTP/2, whatever
// its case, and carries more than one window's worth both ways.
func TestNamesEndAtTheirNodes(t *testing.T) {
	w := start(t, false)
	big := strings.Repeat("x", 1<<20)
	for _, name := range []string{hiddenName, frontName, "HIDDEN.example"} {
		answer, err := w.get(t, w.client(t), name, big)
		if want := strings.ToLower(name) + " HTTP/2.0 "; err != nil || !strings.HasPrefix(answer, want) || !strings.HasSuffix(answer, big) {
			t.Errorf("%s: %.60q, %v", name, answer, err)
		}
	}
}

// What either end says is what the other hears, to the byte: nobody between
// them takes part in TLS.
func TestTLSIsNotOpened(t *testing.T) {
	w := connect(t, false)
	cert := w.certificate(t, hiddenName)
	heard, said := make(chan *tapped, 1), strings.Repeat("x", 1<<20)
	go func() { // ends with the connection
		conn, err := w.back.Accept()
		if err != nil {
			close(heard)
			return
		}
		tap := &tapped{Conn: conn}
		server := tls.Server(tap, &tls.Config{Certificates: []tls.Certificate{cert}})
		io.Copy(server, server)
		server.Close()
		heard <- tap
	}()
	conn, err := net.Dial("tcp", w.addr)
	must(t, err)
	tap := &tapped{Conn: conn}
	defer tap.Close()
	must(t, tap.SetDeadline(time.Now().Add(20*time.Second)))
	c := tls.Client(tap, &tls.Config{ServerName: hiddenName, RootCAs: w.roots})
	echo := make(chan string, 1)
	go func() { // ends with the connection
		all, _ := io.ReadAll(c)
		echo <- string(all)
	}()
	_, err = io.WriteString(c, said)
	must(t, err)
	must(t, c.CloseWrite())
	if got := <-echo; got != said {
		t.Fatalf("%d bytes came back of %d", len(got), len(said))
	}
	if far := <-heard; !bytes.Equal(tap.out, far.in) || !bytes.Equal(far.out, tap.in) || len(tap.out) < len(said) {
		t.Errorf("sent %d, arrived %d; answered %d, arrived %d; or they differ", len(tap.out), len(far.in), len(far.out), len(tap.in))
	}
}

// A tapped connection keeps what went through it.
type tapped struct {
	net.Conn
	in, out []byte // of whoever reads, and whoever writes
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in = append(c.in, b[:n]...)
	return n, err
}

func (c *tapped) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.out = append(c.out, b[:n]...)
	return n, err
}

func TestManyConnectionsAtOnce(t *testing.T) {
	w := start(t, false)
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			if answer, err := w.get(t, w.client(t), hiddenName, "hello"); err != nil || !strings.HasSuffix(answer, " hello") {
				t.Errorf("%q, %v", answer, err)
			}
		})
	}
	wg.Wait()
}

// The hidden node hears the client's address only if it asks for it.
func TestClientAddressIsForThosePracticesThatWantIt(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		w := start(t, wanted)
		answer, err := w.get(t, w.client(t), hiddenName, "")
		if err != nil || strings.Contains(answer, client.String()) != wanted {
			t.Errorf("wanted: %v; %q, %v", wanted, answer, err)
		}
	}
}

// Several clients use a relay behind a public node at once, although the hidden
// node hears no address of theirs.
func TestRelayTellsPassedClientsApart(t *testing.T) {
	w := connect(t, false)
	cert := w.certificate(t, hiddenName)
	r, err := relay.New(relay.Config{TCP: []net.Listener{tls.NewListener(w.back, &tls.Config{Certificates: []tls.Certificate{cert}})}})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }() // ends with ctx
	defer func() {
		cancel()
		must(t, <-ended)
	}()
	for i := range 4 {
		trying, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: w.roots, ServerName: hiddenName}}).DialContext(trying, "tcp", w.addr)
		must(t, err)
		defer conn.Close()
		granted := r.Grant("call", fmt.Sprint(i), time.Now().Add(time.Hour))
		c, err := turn.NewClient(&turn.ClientConfig{
			STUNServerAddr: w.addr, TURNServerAddr: w.addr, Conn: turn.NewSTUNConn(conn), RTO: time.Second,
			Username: granted.Username, Password: granted.Password.Reveal(),
		})
		must(t, err)
		defer c.Close()
		must(t, c.Listen())
		place, err := c.Allocate()
		if err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		defer place.Close()
	}
	if n := r.Stats().Allocations; n != 4 {
		t.Errorf("%d allocations", n)
	}
}

// What is no ClientHello is closed, whatever it is, and nobody is kept waiting.
func TestGarbageIsClosed(t *testing.T) {
	w := start(t, false)
	for _, said := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", strings.Repeat("\x16\x03\x01\x00\x01\x01", 10_000)} {
		conn, err := net.Dial("tcp", w.addr)
		must(t, err)
		io.WriteString(conn, said)
		conn.(*net.TCPConn).CloseWrite()
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%.10q: %d bytes, %v", said, n, err)
		}
		conn.Close()
	}
	if _, err := w.get(t, w.client(t), frontName, ""); err != nil {
		t.Error(err)
	}
}

// A node that is no front of this one may not pass it anything.
func TestStrangersPassNothing(t *testing.T) {
	w := start(t, false)
	card, err := w.hidden.Card("")
	must(t, err)
	info, err := contacts.ParseCard(card)
	must(t, err)
	key, _ := newKey(t)
	stranger, _ := node(t, key, []discovery.PeerInfo{info})
	s, err := stranger.Open(t.Context(), peer.AddrInfo{ID: info.ID, Addrs: info.Addrs}, passthrough.Protocol)
	if err == nil {
		s.SetDeadline(time.Now().Add(5 * time.Second))
		if n, err := s.Read(make([]byte, 1)); err == nil || n != 0 {
			t.Errorf("a stranger was answered: %d bytes, %v", n, err)
		}
		s.Reset()
	}
}

// While the hidden node is away, its name is closed at once and others go on.
func TestHiddenNodeIsAway(t *testing.T) {
	w := start(t, false)
	must(t, w.hidden.Close())
	if answer, err := w.get(t, w.client(t), hiddenName, ""); err == nil {
		t.Errorf("answered %q", answer)
	}
	if _, err := w.get(t, w.client(t), frontName, ""); err != nil {
		t.Error(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
