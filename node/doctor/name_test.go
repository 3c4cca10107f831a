package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/net/dns/dnsmessage"
)

func TestCertificate(t *testing.T) {
	ctx := t.Context()
	soon, later := time.Now().Add(time.Hour), time.Now().Add(90*24*time.Hour)
	for _, c := range []struct {
		is          Certificate
		err         error
		status      Status
		found, todo string
	}{
		{Certificate{Names: []string{"call.example"}, NotAfter: later}, nil, Pass, "The certificate for call.example is good until " + day(later) + ".", ""},
		{Certificate{Names: []string{"*.example"}, NotAfter: later}, nil, Pass, "good until", ""},
		{Certificate{Names: []string{"call.example"}, NotAfter: later, LacksIssuer: true}, nil, Warn, "does not hold that of its issuer, so phones and some programs refuse it.", "fullchain.pem"},
		{Certificate{Names: []string{"call.example"}, NotAfter: later, NotBefore: soon}, nil, Fail, "The certificate is not good before " + day(soon) + ".", "clock"},
		{Certificate{Names: []string{"other.example"}, NotAfter: later}, nil, Fail, "The certificate is for other.example, not for call.example.", "http.public_url"},
		{Certificate{Names: []string{"call.example"}, NotAfter: soon, Alert: true, Reason: "order: no route"}, nil, Warn, "ends on " + day(soon) + " and should have been renewed. Renewing it failed: order: no route.", "renewed"},
		{Certificate{Names: []string{"call.example"}, NotAfter: later, Reason: "order: no route"}, nil, Warn, "Renewing it failed: order: no route.", "Have the two files"},
		{Certificate{Mode: "acme", Names: []string{"call.example"}}, nil, Warn, "has been asked for, and is not there yet.", "in a minute"},
		{Certificate{Mode: "acme", Names: []string{"call.example"}, Reason: "the authority cannot connect"}, nil, Fail, "There is no certificate yet: the authority cannot connect.", "ports 443 and 80"},
		{Certificate{Names: []string{"call.example"}, NotAfter: time.Now().Add(-time.Hour), Alert: true}, nil, Fail, "The certificate ended on ", "renewed"},
		{Certificate{}, errors.New("read certificate: no such file"), Fail, "There is no certificate that can be used: read certificate: no such file.", "http.tls"},
	} {
		r := newRun(t, Config{PublicURL: "https://call.example", Certificate: func() (Certificate, error) { return c.is, c.err }})
		expect(t, r.certificate(ctx), c.status, c.found, c.todo)
	}
	// A hidden node has no port that the authority could come to.
	for _, is := range []Certificate{
		{Mode: "acme", Names: []string{"call.example"}, Reason: "the authority cannot connect"},
		{Mode: "acme", Names: []string{"call.example"}, NotAfter: soon, Alert: true, Reason: "the authority cannot connect"},
	} {
		hidden := newRun(t, Config{PublicURL: "https://call.example", Fronts: []peer.ID{"front"}, Certificate: func() (Certificate, error) { return is, nil }})
		got := hidden.certificate(ctx)
		expect(t, got, got.status, "the authority cannot connect.", "See that the name leads to the public node, and that its front.pass_to has it;")
	}
	expect(t, newRun(t, Config{}).certificate(ctx), Skip, "needs no certificate", "")
	expect(t, newRun(t, Config{PublicURL: "https://call.example", Proxied: true}).certificate(ctx), Skip, "The proxy has the certificate.", "")
}

// resolver asks a DNS server that knows the given names, says of broken.example
// that it has failed, and of every other that there is none.
func resolver(t testing.TB, known map[string]netip.Addr) *net.Resolver {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-done })
	go func() { // ends with c
		defer close(done)
		b := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			host := strings.TrimSuffix(q.Name.String(), ".")
			address, ok := known[host]
			m.Response, m.Additionals = true, nil
			switch {
			case host == "broken.example":
				m.RCode = dnsmessage.RCodeServerFailure
			case !ok:
				m.RCode = dnsmessage.RCodeNameError
			case q.Type == dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: address.As4()},
				}}
			}
			if reply, err := m.Pack(); err == nil {
				c.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

func TestDNS(t *testing.T) {
	ctx := t.Context()
	cfg, _ := healthy(t)
	cfg.Resolver = resolver(t, map[string]netip.Addr{"call.example": localhost, "old.example": netip.MustParseAddr("192.0.2.7")})
	at := func(url, relay string) finding {
		cfg.PublicURL, cfg.RelayHost = url, relay
		return newRun(t, cfg).dns(ctx)
	}
	expect(t, at("https://call.example", "call.example"), Pass, "The name call.example leads to 127.0.0.1.", "")
	expect(t, at("https://127.0.0.1", "127.0.0.1"), Skip, "by no name", "")
	expect(t, at("https://gone.example", ""), Fail, "The name gone.example is not in the DNS.", "A or AAAA record")
	expect(t, at("https://broken.example", ""), Warn, "The name broken.example could not be looked up now.", "online")
	expect(t, at("https://call.example", "old.example"), Warn, "The name old.example leads to 192.0.2.7, which is not known to be this node.", "Peers see this computer at 127.0.0.1: change the record to that")
	// One record of several was forgotten, or two of three.
	leads := func(addrs ...string) finding {
		stale := cfg
		stale.PublicURL, stale.RelayHost = "https://call.example", ""
		at := names{"call.example": {localhost}}
		for _, a := range addrs {
			at["call.example"] = append(at["call.example"], netip.MustParseAddr(a))
		}
		stale.Resolver = at
		r := newRun(t, stale)
		r.answers = func() []answer { return []answer{sees(netip.MustParseAddr("2001:db8::9"), OK)} }
		return r.dns(ctx)
	}
	expect(t, leads("2001:db8::9"), Pass, "The name call.example leads to 127.0.0.1 and 2001:db8::9.", "")
	expect(t, leads("2001:db8:dead::7"), Warn, "The name call.example leads here, but also to 2001:db8:dead::7, which is not known to be this node.",
		"Take 2001:db8:dead::7 out of the DNS, unless it leads to this node as well.")
	expect(t, leads("192.0.2.7", "2001:db8:dead::7"), Warn, "but also to 192.0.2.7 and 2001:db8:dead::7, which are not known to be this node.",
		"Take 192.0.2.7 and 2001:db8:dead::7 out of the DNS, unless they lead to this node as well.")
	alone := cfg
	alone.Discovery = start(t, nil)
	alone.PublicURL, alone.RelayHost = "https://old.example", ""
	expect(t, newRun(t, alone).dns(ctx), Warn, "The name old.example leads to 192.0.2.7, which is not known to be this node.", "compare it with the router's")
	cfg.Fronts = []peer.ID{"front"}
	expect(t, at("https://gone.example", ""), Fail, "The name gone.example is not in the DNS.", "that leads to the public node.")
	cfg.Fronts, cfg.Proxied = nil, true
	expect(t, at("https://gone.example", ""), Fail, "The name gone.example is not in the DNS.", "that leads to the web server.")
	expect(t, at("https://old.example", ""), Pass, "The name old.example leads to 192.0.2.7.", "")
}
