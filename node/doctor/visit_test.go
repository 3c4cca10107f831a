package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
	"anteroom/httpui/certs/certstest"
)

// names is a Resolver that knows what it knows.
type names map[string][]netip.Addr

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	addrs, ok := n[host]
	switch {
	case !ok:
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	case len(addrs) == 0:
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
	}
	return append([]netip.Addr{}, addrs...), nil
}

// newSite returns a page at call.example, over TLS on loopback with a
// certificate for name, and the port that it is at.
func newSite(t testing.TB, name string, until time.Time) (*page, *x509.CertPool, uint16) {
	t.Helper()
	cert, key := certstest.Pair(t, name, time.Now().Add(-time.Hour), until)
	pair, err := tls.X509KeyPair(cert, key)
	check(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	check(t, err)
	p := new(page)
	server := &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(l) // ends with the test
	t.Cleanup(func() { server.Close() })
	return p, roots, uint16(l.Addr().(*net.TCPAddr).Port)
}

// A way is one by which patients come in that do not come to this node.
type way struct {
	name                string
	config              func(origin string, own *discovery.Discovery, other peer.ID) Config
	who, found          string
	passOn, certificate string
}

var ways = []way{
	{"practice.front_url", func(origin string, own *discovery.Discovery, other peer.ID) Config {
		return Config{FrontURL: origin, Nodes: []peer.ID{own.ID()}}
	}, "the public node", "A node of the practice answers at ", "Make practice.front_url the same as http.public_url of the public node", "practice.front_url"},
	{"front.pass_from", func(origin string, own *discovery.Discovery, other peer.ID) Config {
		return Config{PublicURL: origin, Fronts: []peer.ID{other}}
	}, "the public node", "This node answers at ", "Have the name lead to the public node, and its front.pass_to have the name", "http.public_url"},
	{"behind_proxy", func(origin string, own *discovery.Discovery, other peer.ID) Config {
		return Config{PublicURL: origin, Proxied: true}
	}, "the web server", "This computer reaches the page at ", "Have the web server pass requests for this name on to this node", "http.public_url"},
}

// Where patients come in elsewhere, this computer goes there as they do, and
// says what they would meet: each of what can be wrong, in each of the ways.
func TestPageElsewhere(t *testing.T) {
	own, other := start(t, nil), start(t, nil)
	site, roots, port := newSite(t, "call.example", time.Now().Add(time.Hour))
	_, ended, endedPort := newSite(t, "call.example", time.Now().Add(-time.Minute))
	_, misnamed, misnamedPort := newSite(t, "other.example", time.Now().Add(time.Hour))
	closed, plain, silent := nobody(t), stubborn(t, "HTTP/1.1 400 Bad Request\r\n\r\n"), stubborn(t, "")
	at := names{"call.example": {localhost}, "broken.example": {}}
	origin := func(port uint16) string { return fmt.Sprintf("https://call.example:%d", port) }
	status := func(n int) http.HandlerFunc { return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) } }

	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			visit := func(origin string, roots *x509.CertPool, serve http.HandlerFunc) finding {
				site.becomes(serve)
				cfg := w.config(origin, own, other.ID())
				cfg.Running, cfg.Discovery, cfg.Resolver, cfg.Roots = true, own, at, roots
				return newRun(t, cfg).page(within(t, wait))
			}
			host := fmt.Sprintf("call.example:%d", port)
			good := cardOf(t, own, host)
			got, want := visit(origin(port), roots, good), Pass
			if w.who == "the web server" {
				want = Warn // nobody looked from outside
			}
			if got.status != want {
				t.Errorf("a page as it should be: %+v", got)
			}
			expect(t, got, want, w.found+origin(port), english(got.todo))

			here := fmt.Sprintf("https://%s, at 127.0.0.1", host)
			expect(t, visit(origin(port), roots, status(502)), Fail, `Instead of the page comes "502 Bad Gateway" from `+here+".", w.passOn)
			expect(t, visit(origin(port), roots, status(421)), Fail, `Instead of the page comes "421 Misdirected Request" from `, w.passOn)
			expect(t, visit(origin(port), roots, status(302)), Fail, `Instead of the page comes "302 Found" from `, w.passOn)
			expect(t, visit(origin(port), roots, cardOf(t, other, host)), Fail, "Another node answers at "+here+".", w.passOn)
			expect(t, visit(origin(port), roots, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Welcome") }), Fail,
				"Something else than Anteroom answers at "+here+".", w.passOn)
			sign := "has a certificate for the name in " + w.certificate + " from an authority that browsers know."
			expect(t, visit(origin(port), nil, good), Fail, "Browsers refuse the certificate at "+here+", because no authority that they know has signed it.", sign)
			expect(t, visit(origin(endedPort), ended, good), Fail, ", because it has ended, or has not begun.", "See that "+w.who+" "+sign)
			expect(t, visit(origin(misnamedPort), misnamed, good), Fail, ", because it is for another name.", sign)
			expect(t, visit(origin(plain), roots, good), Fail, "No TLS comes about at https://call.example:", w.passOn)
			open := fmt.Sprintf("See that %s runs, and that its firewall lets port %d (TCP) in.", w.who, closed)
			expect(t, visit(origin(closed), roots, good), Fail, fmt.Sprintf("Nothing answers at https://call.example:%d, at 127.0.0.1.", closed), open)
			expect(t, visit("https://gone.example", roots, good), Fail, "The name gone.example is not in the DNS.", "add an A or AAAA record that leads to "+w.who+".")
			expect(t, visit("https://broken.example", roots, good), Fail, "The name broken.example could not be looked up now.", "online")
		})
	}

	// It does not wait for one that says nothing.
	cfg := ways[0].config(origin(silent), own, other.ID())
	cfg.Running, cfg.Discovery, cfg.Resolver, cfg.Roots = true, own, at, roots
	expect(t, newRun(t, cfg).page(within(t, 300*time.Millisecond)), Fail, fmt.Sprintf("This computer does not get through to https://call.example:%d, at 127.0.0.1.", silent), "its firewall")

	// One that is on this computer, to try things out.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	server := &http.Server{Handler: site}
	go server.Serve(l) // ends with the test
	defer server.Close()
	cfg.FrontURL = "http://" + l.Addr().String()
	site.becomes(cardOf(t, own, l.Addr().String()))
	expect(t, newRun(t, cfg).page(t.Context()), Pass, "A node of the practice answers at "+cfg.FrontURL+".", "")
}

// A name with several addresses, of which not all lead to the page.
func TestPageAtSeveralAddresses(t *testing.T) {
	u, err := url.Parse("https://call.example")
	check(t, err)
	p := (&run{Config: Config{FrontURL: u.String()}}).entrance()
	first, second := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")
	judge := func(errs ...error) finding { return p.judge(u, []netip.Addr{first, second}, errs) }
	good := "A node of the practice answers at https://call.example."
	expect(t, judge(nil, nil), Pass, good, "")
	expect(t, judge(nil, syscall.ENETUNREACH), Pass, good, "") // this network has no IPv6
	expect(t, judge(nil, errStranger), Warn, "One address of the name leads astray. Another node answers at https://call.example, at 2001:db8::7.", "Take this address out of the DNS")
	expect(t, judge(statusError(502), nil), Warn, `Instead of the page comes "502 Bad Gateway" from https://call.example, at 192.0.2.7.`, "mend what is there")
	expect(t, judge(syscall.ENETUNREACH, syscall.ECONNREFUSED), Fail, "Nothing answers at https://call.example, at 2001:db8::7.", "See that the public node runs")
	expect(t, judge(syscall.ENETUNREACH, syscall.ENETUNREACH), Fail, "This computer does not get through to https://call.example, at 192.0.2.7.", "port 443 (TCP)")

	local, err := url.Parse("http://localhost:7600") // of which one is enough
	check(t, err)
	expect(t, p.judge(local, []netip.Addr{localhost, netip.IPv6Loopback()}, []error{nil, syscall.ECONNREFUSED}), Pass, good, "")
}

// Of a web server a peer may see nothing because it is elsewhere; where it is at
// the address at which the peer looked, what the peer saw counts.
func TestPeerAndWebServer(t *testing.T) {
	cfg, _ := healthy(t)
	cfg.Relay, cfg.RelayHost, cfg.Proxied = nil, "", true
	site, roots, port := newSite(t, "call.example", time.Now().Add(time.Hour))
	site.becomes(cardOf(t, cfg.Discovery, fmt.Sprintf("call.example:%d", port)))
	cfg.PublicURL, cfg.Roots, cfg.Resolver = fmt.Sprintf("https://call.example:%d", port), roots, names{"call.example": {localhost}}
	page := func(seen ...answer) finding {
		r := newRun(t, cfg)
		r.answers = func() []answer { return seen }
		return r.page(t.Context())
	}
	expect(t, page(sees(netip.MustParseAddr("203.0.113.9"), Refused)), Pass, "This node answers at "+cfg.PublicURL+".", "")
	expect(t, page(sees(localhost, Timeout)), Fail, "Nothing gets through from the same network to port ", "in the firewall")
	cfg.Roots = nil
	expect(t, page(sees(localhost, OK)), Pass, "A peer reached the page", "")
}
