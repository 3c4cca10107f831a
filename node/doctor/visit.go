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
)

const (
	// visitTime bounds one visit; it is more than a probe's, because some go
	// through a public node and back to this one.
	visitTime = 5 * time.Second

	maxVisited = 4 // of the addresses of a name
)

// A place is where patients come in, if not at a port of this computer. It
// stands in the configuration: nothing else is visited.
type place struct {
	origin string
	key    string    // of origin in the configuration
	who    string    // stands there
	nodes  []peer.ID // of which one must answer
	found  string    // who then does
	passOn string    // what to do if none of them does
}

// place returns where patients come in, of a node to which they do not come
// directly.
func (r *run) place() place {
	if r.FrontURL != "" {
		return place{r.FrontURL, "practice.front_url", "the public node", r.Nodes, "A node of the practice",
			"Make practice.front_url the same as http.public_url of the public node, and put its peer card into practice.nodes."}
	}
	p := place{r.PublicURL, "http.public_url", "the web server", []peer.ID{r.Discovery.ID()}, "This node",
		"Have the web server pass requests for this name on to this node, with their Host."}
	if len(r.Fronts) > 0 {
		p.who, p.passOn = "the public node", "Have the name lead to the public node, and its front.pass_to have the name with this node's peer id."
	}
	return p
}

// visit opens the page at p as a patient's browser would, at every address that
// one may choose, and returns these.
func (r *run) visit(ctx context.Context, p place) (finding, []netip.Addr) {
	ctx, cancel := context.WithTimeout(ctx, visitTime)
	defer cancel()
	u, err := url.Parse(p.origin)
	if err != nil {
		return fail("Links begin with no origin: "+sentence(err.Error()), "Correct "+p.key+"."), nil
	}
	addrs, err := r.lookUp(ctx, u.Hostname())
	switch {
	case isMissing(err):
		return fail(fmt.Sprintf("The name %s is not in the DNS.", u.Hostname()),
			"Have whoever manages the domain add an A or AAAA record that leads to "+p.who+"."), nil
	case err != nil:
		return fail(fmt.Sprintf("The name %s could not be looked up now.", u.Hostname()), "See that this computer is online and has a DNS server."), nil
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
func (p place) judge(u *url.URL, addrs []netip.Addr, errs []error) finding {
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
		return pass(p.found + " answers at " + p.origin + ".")
	}
	where := p.origin
	if _, err := netip.ParseAddr(u.Hostname()); err != nil {
		where += ", at " + addrs[worst].String()
	}
	f := p.blame(errs[worst], where, portOf(u))
	if good > 0 {
		return warn("One address of the name leads astray: "+inner(f.found), "Take this address out of the DNS, or mend what is there.")
	}
	return f
}

// blame says why the page was not found where it should be.
func (p place) blame(err error, where string, port uint16) finding {
	open := fmt.Sprintf("See that %s runs, and that its firewall lets port %d (TCP) in.", p.who, port)
	status, isStatus := errors.AsType[statusError](err)
	handshake, isHandshake := errors.AsType[handshakeError](err)
	switch result := resultOf(err); {
	case result == Refused:
		return fail("Nothing answers at "+where+".", open)
	case result == Timeout || result == Unreachable:
		return fail("This computer does not get through to "+where+".", open)
	case result == BadCertificate:
		return fail("Browsers refuse the certificate at "+where+", because "+whyRefused(err)+".",
			fmt.Sprintf("See that %s has a certificate for the name in %s from an authority that browsers know.", p.who, p.key))
	case isHandshake:
		return fail("No TLS comes about at "+where+": "+sentence(handshake.Error()), p.passOn)
	case isStatus:
		what := strings.TrimSpace(fmt.Sprintf("%d %s", int(status), http.StatusText(int(status))))
		return fail("Instead of the page comes \""+what+"\" from "+where+".", p.passOn)
	case errors.Is(err, errStranger):
		return fail("Another node answers at "+where+".", p.passOn)
	}
	return fail("Something else than Anteroom answers at "+where+".", p.passOn)
}

// whyRefused is why a browser takes no certificate, without the words that are
// in it, which are those of whoever answers.
func whyRefused(err error) string {
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	_, isOther := errors.AsType[x509.HostnameError](err)
	switch {
	case isInvalid && invalid.Reason == x509.Expired:
		return "it has ended, or has not begun"
	case isOther:
		return "it is for another name"
	}
	return "no authority that they know has signed it"
}
