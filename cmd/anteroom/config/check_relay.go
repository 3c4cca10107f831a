package config

import (
	"net/netip"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/node/find"
	"anteroom/node/passthrough"
	"anteroom/node/relay"
)

// maxMbit is more than one computer relays.
const maxMbit = 100_000

// leastSilent is what two browsers open at once.
const leastSilent = 12

// leastOf is what one browser opens at once.
const leastOf = 6

// maxSearches is more look-ups a second than one computer makes.
const maxSearches = 1000

func (p *problems) relay(plan *Plan, who *named, c Config) {
	r := c.Relay
	plan.Relay = Relaying{
		Host: r.Host, TLS: r.TLS,
		Limits: relay.Limits{TotalBits: r.MaxMbit * 1_000_000},
		Silent: Bound{r.Limits.Silent, r.Limits.SilentPerNetwork},
	}
	// A node that is only reached through another's address has none of its own.
	if r.Host == "" && c.HTTP.TLS.Mode != TLSOff && len(c.HTTP.PublicListen) > 0 && plan.Public != nil {
		plan.Relay.Host = plan.Public.Hostname()
	}
	plan.HasRelay = plan.Relay.Host != "" && (r.TLS || len(r.Listen) > 0)
	p.list("relay.listen", r.Listen, maxListen)
	var listens []Endpoint
	for i, listen := range r.Listen {
		if ip, port, ok := p.hostPort(item("relay.listen", i), listen); ok {
			at := bothFamilies(ip, port)
			plan.Relay.Listen = append(plan.Relay.Listen, at)
			listens = append(listens, Endpoint{Key: "relay.listen", Addr: listen, name: item("relay.listen", i), at: at})
		}
	}
	for _, network := range []string{"udp", "tcp"} {
		for _, e := range listens {
			if e.Network = network; plan.HasRelay {
				plan.Listens = append(plan.Listens, e)
			}
		}
	}
	if r.Host != "" && !isHost(r.Host) {
		p.add("relay.host", "must be a name or an address alone, such as relay.clinic.example")
	}
	if r.MaxMbit < 0 || r.MaxMbit > maxMbit {
		p.add("relay.max_mbit", "must be 0, for no limit, to %d", maxMbit)
	}
	who.lendTo = p.ids("relay.lend_to", r.LendTo)
	if len(r.LendTo) > 0 && !plan.HasRelay {
		p.add("relay.lend_to", "there is no relay to lend: set relay.host, or http.public_url with http.tls.mode")
	}
	who.lenders = p.cards("relay.borrow_from", r.BorrowFrom, c.Discovery.AllowPrivateAddresses)
	p.between("relay.limits.silent", r.Limits.Silent, leastSilent, maxOpen)
	p.between("relay.limits.silent_per_network", r.Limits.SilentPerNetwork, leastSilent, maxOpen)
}

func (p *problems) front(plan *Plan, who *named, c Config) {
	f := c.Front
	plan.Passing = Passing{
		To: p.routes(plan, f.PassTo), Addresses: f.Addresses,
		Limits: passthrough.Limits{
			Passed: f.Limits.Passed, PassedOf: f.Limits.PassedPerNetwork,
			Handshakes: f.Limits.Handshakes, HandshakesOf: f.Limits.HandshakesPerNetwork,
		},
		Silent: Bound{f.Limits.Silent, f.Limits.SilentPerNetwork},
	}
	plan.Node.Searches = find.Searches{All: f.Limits.Searches, Network: f.Limits.SearchesPerNetwork}
	switch {
	case len(f.PassTo) > 0 && !plan.Entrance.Encrypted():
		p.add("front.pass_to", "no TLS comes in here to be passed on: set http.tls.mode to files or acme")
	case len(f.PassTo) > 0 && !c.Discovery.Server:
		p.add("front.pass_to", "the other node must be able to connect to this one: write discovery.server: true")
	}
	who.fronts = p.cards("front.pass_from", f.PassFrom, c.Discovery.AllowPrivateAddresses)
	switch {
	case len(f.PassFrom) > 0 && !plan.Entrance.Encrypted():
		p.add("front.pass_from", "what is passed on ends at a certificate of this node: set http.tls.mode to files or acme")
	case len(f.PassFrom) > 0 && c.Discovery.Server:
		p.add("front.pass_from", "a server can be reached directly: remove this, or write discovery.server: false")
	case len(f.PassFrom) == 0 && f.Addresses:
		p.add("front.addresses", "has no effect without front.pass_from: write false")
	}
	p.frontLimits(f.Limits)
	who.guestsOf = p.ids("front.guests_of", f.GuestsOf)
	switch {
	case len(f.GuestsOf) > 0 && strings.TrimSpace(f.Agreement) == "":
		p.add("front.agreement", "is empty: whoever serves a page to the guests of another practice answers for it, so write which agreement with that practice covers it, or remove front.guests_of")
	case len(f.GuestsOf) == 0 && f.Agreement != "":
		p.add("front.agreement", "covers nobody: fill front.guests_of, or remove this")
	}
}

// routes reads which names lead to which nodes.
func (p *problems) routes(plan *Plan, list []string) map[string]peer.ID {
	p.list("front.pass_to", list, maxPeers)
	routes := make(map[string]peer.ID)
	for i, text := range list {
		key := item("front.pass_to", i)
		name, id, _ := strings.Cut(text, " ")
		to, err := peer.Decode(strings.TrimSpace(id))
		_, twice := routes[name]
		switch {
		case err != nil || !isHost(name) || name != strings.ToLower(name):
			p.add(key, "must be a name in lower case, a space, and the peer id of the node that has its certificate")
		case twice:
			p.add(key, "%s goes to one node only: remove one of them", name)
		case plan.Public != nil && plan.Public.Hostname() == name:
			p.add(key, "this is the name of this node's own page, in http.public_url: pass another one on")
		}
		routes[name] = to
	}
	return routes
}

func (p *problems) frontLimits(l FrontLimits) {
	p.between("front.limits.silent", l.Silent, leastSilent, maxOpen)
	p.between("front.limits.silent_per_network", l.SilentPerNetwork, leastSilent, maxOpen)
	most := passthrough.MaxConns
	p.between("front.limits.handshakes", l.Handshakes, leastSilent, most-leastSilent)
	p.between("front.limits.handshakes_per_network", l.HandshakesPerNetwork, leastOf, most)
	p.between("front.limits.passed", l.Passed, leastSilent, most-leastSilent)
	p.between("front.limits.passed_per_network", l.PassedPerNetwork, leastOf, most)
	if h, g := l.Handshakes, l.Passed; h+g > most {
		p.add("front.limits.passed", "is %d, and with front.limits.handshakes %d: a node takes %d in all from one that passes them on, so make one of the two smaller", g, h+g, most)
	}
	p.between("front.limits.searches", l.Searches, 1, maxSearches)
	p.between("front.limits.searches_per_network", l.SearchesPerNetwork, 1, maxSearches)
}

// ids reads a list of peer ids.
func (p *problems) ids(key string, list []string) (read []peer.ID) {
	p.list(key, list, maxPeers)
	for i, text := range list {
		id, err := peer.Decode(text)
		if err != nil {
			p.add(item(key, i), "is no peer id: \"anteroom status\" shows the one of a node")
			continue
		}
		read = append(read, id)
	}
	return read
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
