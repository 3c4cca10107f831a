package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/node/passthrough"
)

// maxMbit is more than one computer relays.
const maxMbit = 100_000

// leastSilent is what two browsers open at once.
const leastSilent = 12

// leastOf is what one browser opens at once.
const leastOf = 6

// maxSearches is more look-ups a second than one computer makes.
const maxSearches = 1000

func (p *problems) relay(c Config) {
	r := c.Relay
	p.list("relay.listen", r.Listen, maxListen)
	for i, listen := range r.Listen {
		p.hostPort(fmt.Sprintf("relay.listen[%d]", i), listen)
	}
	if r.Host != "" && !isHost(r.Host) {
		p.add("relay.host", "must be a name or an address alone, such as relay.clinic.example")
	}
	if r.MaxMbit < 0 || r.MaxMbit > maxMbit {
		p.add("relay.max_mbit", "must be 0, for no limit, to %d", maxMbit)
	}
	p.ids("relay.lend_to", r.LendTo)
	if len(r.LendTo) > 0 && !c.HasRelay() {
		p.add("relay.lend_to", "there is no relay to lend: set relay.host, or http.public_url with http.tls.mode")
	}
	p.cards("relay.borrow_from", r.BorrowFrom, c.Discovery.AllowPrivateAddresses)
	p.between("relay.limits.silent", r.Limits.Silent, leastSilent, maxOpen)
	p.between("relay.limits.silent_per_network", r.Limits.SilentPerNetwork, leastSilent, maxOpen)
}

func (p *problems) front(c Config) {
	f := c.Front
	p.list("front.pass_to", f.PassTo, maxPeers)
	names := make(map[string]bool)
	own, _ := url.Parse(c.HTTP.PublicURL) // what is no URL is told elsewhere
	for i, text := range f.PassTo {
		key := fmt.Sprintf("front.pass_to[%d]", i)
		name, id, _ := strings.Cut(text, " ")
		_, err := peer.Decode(strings.TrimSpace(id))
		switch {
		case err != nil || !isHost(name) || name != strings.ToLower(name):
			p.add(key, "must be a name in lower case, a space, and the peer id of the node that has its certificate")
		case names[name]:
			p.add(key, "%s goes to one node only: remove one of them", name)
		case own != nil && own.Hostname() == name:
			p.add(key, "this is the name of this node's own page, in http.public_url: pass another one on")
		}
		names[name] = true
	}
	encrypted := c.HTTP.TLS.Mode == TLSFiles || c.HTTP.TLS.Mode == TLSACME
	switch {
	case len(f.PassTo) > 0 && !encrypted:
		p.add("front.pass_to", "no TLS comes in here to be passed on: set http.tls.mode to files or acme")
	case len(f.PassTo) > 0 && !c.Discovery.Server:
		p.add("front.pass_to", "the other node must be able to connect to this one: write discovery.server: true")
	}
	p.cards("front.pass_from", f.PassFrom, c.Discovery.AllowPrivateAddresses)
	switch {
	case len(f.PassFrom) > 0 && !encrypted:
		p.add("front.pass_from", "what is passed on ends at a certificate of this node: set http.tls.mode to files or acme")
	case len(f.PassFrom) > 0 && c.Discovery.Server:
		p.add("front.pass_from", "a server can be reached directly: remove this, or write discovery.server: false")
	case len(f.PassFrom) == 0 && f.Addresses:
		p.add("front.addresses", "has no effect without front.pass_from: write false")
	}
	p.between("front.limits.silent", f.Limits.Silent, leastSilent, maxOpen)
	p.between("front.limits.silent_per_network", f.Limits.SilentPerNetwork, leastSilent, maxOpen)
	most := passthrough.MaxConns
	p.between("front.limits.handshakes", f.Limits.Handshakes, leastSilent, most-leastSilent)
	p.between("front.limits.handshakes_per_network", f.Limits.HandshakesPerNetwork, leastOf, most)
	p.between("front.limits.passed", f.Limits.Passed, leastSilent, most-leastSilent)
	p.between("front.limits.passed_per_network", f.Limits.PassedPerNetwork, leastOf, most)
	if h, g := f.Limits.Handshakes, f.Limits.Passed; h+g > most {
		p.add("front.limits.passed", "is %d, and with front.limits.handshakes %d: a node takes %d in all from one that passes them on, so make one of the two smaller", g, h+g, most)
	}
	p.between("front.limits.searches", f.Limits.Searches, 1, maxSearches)
	p.between("front.limits.searches_per_network", f.Limits.SearchesPerNetwork, 1, maxSearches)
	p.ids("front.guests_of", f.GuestsOf)
	switch {
	case len(f.GuestsOf) > 0 && strings.TrimSpace(f.Agreement) == "":
		p.add("front.agreement", "is empty: whoever serves a page to the guests of another practice answers for it, so write which agreement with that practice covers it, or remove front.guests_of")
	case len(f.GuestsOf) == 0 && f.Agreement != "":
		p.add("front.agreement", "covers nobody: fill front.guests_of, or remove this")
	}
}

// ids checks a list of peer ids.
func (p *problems) ids(key string, list []string) {
	p.list(key, list, maxPeers)
	for i, text := range list {
		if _, err := peer.Decode(text); err != nil {
			p.add(fmt.Sprintf("%s[%d]", key, i), "is no peer id: \"anteroom status\" shows the one of a node")
		}
	}
}

// isHost reports whether text is a name or an address, without a port.
func isHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	return text != "" && len(text) <= 253 && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
}

// HasRelay reports whether the node has a relay: by default each that patients
// come to by a public URL.
func (c Config) HasRelay() bool {
	return c.RelayHost() != "" && (c.Relay.TLS || len(c.Relay.Listen) > 0)
}

// RelayHost is what browsers call the relay by; empty: there is none. A node
// that is only reached through another's address has none of its own.
func (c Config) RelayHost() string {
	if c.Relay.Host != "" || c.HTTP.TLS.Mode == TLSOff || len(c.HTTP.PublicListen) == 0 {
		return c.Relay.Host
	}
	u, err := url.Parse(c.HTTP.PublicURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// BothFamilies returns what a host and port stand for: without a host, every
// address of both families.
func BothFamilies(listen string) ([]netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return []netip.AddrPort{
			netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(n)), netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(n)),
		}, nil
	}
	ip, err := netip.ParseAddr(host)
	return []netip.AddrPort{netip.AddrPortFrom(ip, uint16(n))}, err
}
