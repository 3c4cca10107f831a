package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/node/message"
)

const (
	// visitTime bounds one visit; it is more than a probe's, because some go
	// through a public node and back to this one.
	visitTime = 5 * time.Second

	maxVisited = 4 // of the addresses of a name
)

// An entrance is where patients come in, if not at a port of this computer. It
// stands in the configuration: nothing else is visited.
type entrance struct {
	origin string
	key    string    // of origin in the configuration
	who    string    // stands there: publicNode or webServer
	nodes  []peer.ID // of which one must answer
	found  message.Message
	passOn message.Message // what to do if none of them does
}

// Who stands where patients come in, as messages tell them apart.
const (
	publicNode = "publicnode"
	webServer  = "webserver"
)

// entrance returns where patients come in, of a node to which they do not come
// directly.
func (r *run) entrance() entrance {
	if r.FrontURL != "" {
		return entrance{r.FrontURL, "practice.front_url", publicNode, r.Nodes, say("doctor.visit.practice", args{"url": r.FrontURL}),
			say("doctor.visit.practice.todo")}
	}
	p := entrance{r.PublicURL, "http.public_url", webServer, []peer.ID{r.Discovery.ID()}, say("doctor.visit.this", args{"url": r.PublicURL}),
		say("doctor.visit.this.todo")}
	if len(r.Fronts) > 0 {
		p.who, p.passOn = publicNode, say("doctor.visit.passed.todo")
	}
	return p
}

// visit opens the page at p as a patient's browser would, at every address that
// one may choose, and returns these.
func (r *run) visit(ctx context.Context, p entrance) (finding, []netip.Addr) {
	ctx, cancel := context.WithTimeout(ctx, visitTime)
	defer cancel()
	u, err := url.Parse(p.origin)
	if err != nil {
		return fail(say("doctor.visit.no-origin", args{"problem": clause(err.Error())}), say("doctor.visit.no-origin.todo", args{"key": p.key})), nil
	}
	addrs, err := r.lookUp(ctx, u.Hostname())
	switch {
	case isMissing(err):
		return fail(say("doctor.dns.missing", args{"name": u.Hostname()}), say("doctor.dns.missing.todo", args{"where": p.who})), nil
	case err != nil:
		return fail(say("doctor.dns.unknown", args{"name": u.Hostname()}), say("doctor.dns.unknown.todo")), nil
	}
	addrs = addrs[:min(len(addrs), maxVisited)]
	errs := make([]error, len(addrs))
	var wg sync.WaitGroup
	for i, at := range addrs {
		wg.Go(func() { errs[i] = r.call(ctx, u, at, p.nodes) }) // ends with ctx at the latest
	}
	wg.Wait()
	return p.judge(u, addrs, errs), addrs
}

// lookUp returns the addresses of a host, which may be one.
func (r *run) lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	addrs, err := r.Resolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return addrs, err
}

func isMissing(err error) bool {
	missing, ok := errors.AsType[*net.DNSError](err)
	return ok && missing.IsNotFound
}

// isUnknown reports whether a name could not be looked up.
func isUnknown(err error) bool {
	_, ok := errors.AsType[*net.DNSError](err)
	return ok && !isMissing(err)
}

// errStranger says that a page is another node's.
var errStranger = errors.New("another node")

// A handshakeError says that TLS did not come about.
type handshakeError struct{ error }

func (e handshakeError) Unwrap() error { return e.error }

// call asks the page of u at one address whose it is.
func (r *run) call(ctx context.Context, u *url.URL, at netip.Addr, nodes []peer.ID) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", netip.AddrPortFrom(at, portOf(u)).String())
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if u.Scheme == "https" { // without, it is on this computer, to try things out
		secure := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), RootCAs: r.Roots, MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			return handshakeError{err}
		}
		conn = secure
	}
	found, err := readCard(conn, u.Host)
	if err == nil && !slices.Contains(nodes, found) {
		err = errStranger
	}
	return err
}

// judge makes one finding of how it went at each address.
func (p entrance) judge(u *url.URL, addrs []netip.Addr, errs []error) finding {
	worst, good := -1, 0
	for i, err := range errs {
		switch {
		case err == nil:
			good++
		case worst < 0 || resultOf(errs[worst]) == Unreachable && resultOf(err) != Unreachable:
			worst = i
		}
	}
	// Where this network has no way to, a patient's may have one; and of
	// "localhost" one address is enough.
	if worst < 0 || good > 0 && (resultOf(errs[worst]) == Unreachable || addrs[worst].IsLoopback()) {
		return pass(p.found)
	}
	at := ""
	if _, err := netip.ParseAddr(u.Hostname()); err != nil {
		at = addrs[worst].String()
	}
	f := p.blame(errs[worst], at, portOf(u))
	if good > 0 {
		return warn(say("doctor.visit.astray", args{"finding": f.found}), say("doctor.visit.astray.todo"))
	}
	return f
}

// blame says why the page was not found where it should be; at is the address
// of its name, if it has one.
func (p entrance) blame(err error, at string, port uint16) finding {
	is := args{"url": p.origin, "at": at, "who": p.who, "port": portText(port), "key": p.key, "why": whyRefused(err)}
	open := say("doctor.visit.open", is)
	status, isStatus := errors.AsType[statusError](err)
	handshake, isHandshake := errors.AsType[handshakeError](err)
	switch result := resultOf(err); {
	case result == Refused:
		return fail(say("doctor.visit.refused", is), open)
	case result == Timeout || result == Unreachable:
		return fail(say("doctor.visit.lost", is), open)
	case result == BadCertificate:
		return fail(say("doctor.visit.certificate", is), say("doctor.visit.certificate.todo", is))
	case isHandshake:
		is["problem"] = clause(handshake.Error())
		return fail(say("doctor.visit.no-tls", is), p.passOn)
	case isStatus:
		is["status"] = strings.TrimSpace(fmt.Sprintf("%d %s", int(status), http.StatusText(int(status))))
		return fail(say("doctor.visit.status", is), p.passOn)
	case errors.Is(err, errStranger):
		return fail(say("doctor.visit.other", is), p.passOn)
	}
	return fail(say("doctor.visit.stranger", is), p.passOn)
}

// whyRefused is why a browser takes no certificate, as messages tell it: "ended"
// (or not begun), for another "name", or "unsigned" by any authority it knows.
func whyRefused(err error) string {
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	_, isOther := errors.AsType[x509.HostnameError](err)
	switch {
	case isInvalid && invalid.Reason == x509.Expired:
		return "ended"
	case isOther:
		return "name"
	}
	return "unsigned"
}
