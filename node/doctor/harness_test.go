package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"anteroom/discovery"
	"anteroom/discovery/contacts"
	"anteroom/httpui/certs/certstest"
	"anteroom/httpui/words"
	"anteroom/node/admit"
	"anteroom/node/message"
	"anteroom/node/polltest"
	"anteroom/node/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wait is how long a test waits for what must happen; it is long because tests
// share their machine.
const wait = 20 * time.Second

var localhost = netip.MustParseAddr("127.0.0.1")

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a node on loopback until the test ends.
func start(t testing.TB, change func(*discovery.Config)) *discovery.Discovery {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	check(t, err)
	cfg := discovery.Config{Identity: key, Listen: []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Server: true}
	if change != nil {
		change(&cfg)
	}
	d, err := discovery.New(cfg)
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }() // ends with the test
	t.Cleanup(func() { cancel(); check(t, <-done) })
	return d
}

func infoOf(t testing.TB, d *discovery.Discovery, name string) discovery.PeerInfo {
	t.Helper()
	card, err := d.Card(name)
	check(t, err)
	info, err := contacts.ParseCard(card)
	check(t, err)
	return info
}

// meet makes two nodes peers of each other, and waits until they are connected.
func meet(t testing.TB, a, b *discovery.Discovery) {
	t.Helper()
	check(t, b.AddPeer(discovery.PeerInfo{ID: a.ID()}))
	check(t, a.AddPeer(infoOf(t, b, "Hill Practice")))
	polltest.Eventually(t, "connected peers", func() bool {
		for _, p := range a.ListPeers() {
			if p.ID == b.ID() {
				return p.Connected
			}
		}
		return false
	})
}

// witness makes d look at its peers. change may be nil.
func witness(d *discovery.Discovery, change func(*Witness)) *Witness {
	w := NewWitness(d)
	if change != nil {
		change(w)
	}
	d.Handle(Protocol, w.Serve)
	return w
}

func trusting(roots *x509.CertPool) func(*Witness) { return func(w *Witness) { w.roots = roots } }

// forgive forgets how often a node has asked.
func (w *Witness) forgive(p peer.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.asked, p)
}

func addrOf(d *discovery.Discovery) peer.AddrInfo {
	return peer.AddrInfo{ID: d.ID(), Addrs: d.Addrs()}
}

// A house is what patients come to: a page and a relay, both real, on
// loopback, with a certificate for 127.0.0.1.
type house struct {
	roots *x509.CertPool
	relay *Relay
	port  uint16 // of the page and the relay over TLS
	page  *page
}

// A page answers as that of one node after another.
type page struct{ atomic.Pointer[http.Handler] }

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := p.Load(); h != nil {
		(*h).ServeHTTP(w, r)
	}
}

// becomes makes p what h serves.
func (p *page) becomes(h http.HandlerFunc) {
	handler := http.Handler(h)
	p.Store(&handler)
}

// cardOf serves what a page of d does, to who names host.
func cardOf(t testing.TB, d *discovery.Discovery, host string) http.HandlerFunc {
	t.Helper()
	card, err := d.Card("")
	check(t, err)
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host || r.Method != http.MethodGet || r.URL.Path != cardPath {
			w.WriteHeader(http.StatusMisdirectedRequest)
			return
		}
		io.WriteString(w, card)
	}
}

// isOf makes the page of h that of d.
func (h house) isOf(t testing.TB, d *discovery.Discovery) {
	t.Helper()
	h.page.becomes(cardOf(t, d, fmt.Sprintf("127.0.0.1:%d", h.port)))
}

func newHouse(t testing.TB, until time.Time) house {
	t.Helper()
	return newHouseAt(t, localhost, until)
}

func newHouseAt(t testing.TB, address netip.Addr, until time.Time) house {
	t.Helper()
	cert, key := certstest.Pair(t, "127.0.0.1", time.Now().Add(-time.Hour), until)
	pair, err := tls.X509KeyPair(cert, key)
	check(t, err)
	h := house{roots: x509.NewCertPool(), page: new(page)}
	h.roots.AppendCertsFromPEM(cert)
	plain, err := net.Listen("tcp", netip.AddrPortFrom(address, 0).String())
	check(t, err)
	h.port = uint16(plain.Addr().(*net.TCPAddr).Port)
	split := relay.NewSplitter(tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}), admit.NewBacklog(relay.DefaultSilent, relay.DefaultSilentOf))
	server := &http.Server{Handler: h.page, ErrorLog: log.New(io.Discard, "", 0)}
	divided := make(chan struct{})
	go func() { split.Run(context.Background()); close(divided) }() // ends with the server
	go server.Serve(split.Web())                                    // ends with the test
	t.Cleanup(func() { server.Close(); <-divided })
	udp, tcp, err := relay.Listen(t.Context(), netip.AddrPortFrom(address, 0))
	check(t, err)
	at := tcp[0].Addr().(*net.TCPAddr).AddrPort()
	r, err := relay.New(relay.Config{UDP: udp, TCP: append(tcp, split.Turn())})
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }() // ends with the test
	t.Cleanup(func() { cancel(); check(t, <-done) })
	h.relay = &Relay{Try: r.Try, Plain: []netip.AddrPort{at}, TLS: []netip.AddrPort{netip.AddrPortFrom(address, h.port)}}
	return h
}

// nobody returns a port of loopback at which nobody listens.
func nobody(t testing.TB) uint16 { return certstest.FreePort(t).Port() }

// newRun is a run of which single checks are asked for.
func newRun(t testing.TB, cfg Config) *run {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	t.Cleanup(cancel)
	return prepare(ctx, cfg)
}

// expect compares a finding with what a person should read. found and todo may
// be parts.
func expect(t testing.TB, got finding, status Status, found, todo string) {
	t.Helper()
	gotFound, gotTodo := english(got.found), english(got.todo)
	if got.status != status || !strings.Contains(gotFound, found) || !strings.Contains(gotTodo, todo) || status != Skip && (todo == "") != (gotTodo == "") {
		t.Errorf("got  %s: %s → %s\nwant %s: %s → %s", got.status, gotFound, gotTodo, status, found, todo)
	}
	for _, s := range []string{gotFound, gotTodo} {
		if s != "" && (s[len(s)-1] != '.' || strings.HasSuffix(s, "..") || strings.ContainsAny(s, "{}")) {
			t.Errorf("no sentence: %q", s)
		}
	}
}

// english is what a person reads of a message.
func english(m message.Message) string { return words.English.Say(m) }
