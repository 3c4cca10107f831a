package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"anteroom/discovery"
	"anteroom/discovery/contacts"
	"anteroom/httpui"
)

const (
	// maxSocketPath is what fits into a unix socket's address on every system
	// (104 bytes with its end on macOS, 108 on Linux).
	maxSocketPath = 103

	maxListen = 8  // of the page and of discovery each: far more than a machine needs
	maxPeers  = 64 // of each list of peers

	maxOpen = 100_000 // of http.limits: far more than one computer carries

	// leastKnocks is in how many ways one node is dialled at once: by IPv4 and
	// IPv6, UDP and TCP.
	leastKnocks = 4

	// maxStrangers is of discovery.limits: all of them are looked at when another
	// one comes.
	maxStrangers = 4096
)

// level reads how much is logged; what is no level is told of.
func (p *problems) level(text string) (level slog.Level) {
	p.oneOf("log.level", text, "debug", "info", "warn", "error")
	_ = level.UnmarshalText([]byte(text))
	return level
}

func (p *problems) practice(plan *Plan, who *named, c Config) {
	who.nodes = p.cards("practice.nodes", c.Practice.Nodes, c.Discovery.AllowPrivateAddresses)
	plan.Front = p.origin("practice.front_url", c.Practice.FrontURL, true)
	if c.Practice.FrontURL != "" && len(c.Practice.Nodes) == 0 {
		p.add("practice.front_url", "the node there cannot find this one: put its peer card into practice.nodes, and this node's into its own")
	}
	if c.Practice.FrontURL != "" && c.HTTP.PublicURL != "" {
		p.add("practice.front_url", "has no effect beside http.public_url: remove one of them")
	}
}

// problems collects what is wrong.
type problems []error

// A problem is what is wrong with the value of a key.
type problem struct{ key, text string }

func (p problem) Error() string { return p.key + ": " + p.text }

func (p *problems) add(key, format string, args ...any) {
	*p = append(*p, problem{key, fmt.Sprintf(format, args...)})
}

func (p *problems) oneOf(key, value string, of ...string) {
	if !slices.Contains(of, value) {
		p.add(key, "must be one of %s%s", strings.Join(of, ", "), DidYouMean(value, of))
	}
}

// dataDir reads where everything is kept: the user's data home if nobody said.
func (p *problems) dataDir(text string) Dir {
	before := len(*p)
	p.path("data_dir", text)
	if len(*p) > before {
		return ""
	}
	dir := Dir(cmp.Or(text, usualDir()))
	if dir == "" {
		p.add("data_dir", "is empty, and there is no home directory to use instead, as HOME is not set: give --data-dir, or write a path")
		return ""
	}
	if filepath.Dir(string(dir)) == string(dir) {
		p.add("data_dir", "must be a directory of its own: use %s", filepath.Join(string(dir), "var", "lib", "anteroom"))
	}
	if n := len(dir.Socket()); n > maxSocketPath {
		p.add("data_dir", "is too long: the socket in it can have a path of %d bytes at most, so shorten it by %d", maxSocketPath, n-maxSocketPath)
	}
	return dir
}

// path checks a path of the file or the environment. A relative one would
// mean another place each time the daemon is started from another directory.
func (p *problems) path(key, value string) {
	switch {
	case value == "":
	case strings.HasPrefix(value, "~"):
		p.add(key, "~ is not expanded here: write the whole path")
	case !filepath.IsAbs(value):
		p.add(key, "must be an absolute path: write %s", filepath.Join("/", "…", value))
	case strings.ContainsRune(value, 0) || strings.ContainsAny(value, "\r\n"):
		p.add(key, "has a line break in it: remove it")
	}
}

func (p *problems) pages(plan *Plan, c Config) {
	h := c.HTTP
	if len(h.Listen) == 0 {
		p.add("http.listen", "is empty, so there would be no page: write [%q]", Default().HTTP.Listen[0])
	}
	p.list("http.listen", h.Listen, maxListen)
	for i, listen := range h.Listen {
		plan.listens("http.listen", i, listen, p.loopback(item("http.listen", i), listen))
	}
	plan.Pages = Pages{Listen: h.Listen, Sockets: h.Limits.sockets(), Connections: h.Limits.connections()}
	plan.Public = p.origin("http.public_url", h.PublicURL, false)
	p.https(plan, h, len(c.Front.PassFrom) > 0)
	p.limits(plan.Pages)
}

// listens notes that the ith entry of key is listened at, over TCP.
func (p *Plan) listens(key string, i int, addr string, at []netip.AddrPort) {
	p.Listens = append(p.Listens, Endpoint{Key: key, Network: "tcp", Addr: addr, name: item(key, i), at: at})
}

// item is how the ith entry of a list is named.
func item(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

// limits checks what may be open at once. The least is what one call needs: a
// socket at each end, and the connections that two browsers open.
func (p *problems) limits(pages Pages) {
	for _, of := range []struct {
		key   string
		least int
		cap   httpui.Cap
	}{
		{"http.limits.sockets", 2, pages.Sockets},
		{"http.limits.connections", 12, pages.Connections},
	} {
		p.between(of.key, of.cap.Total, of.least, maxOpen)
		p.between(of.key+"_per_network", of.cap.PerPrefix, of.least, maxOpen)
		p.between(of.key+"_loopback", of.cap.Loopback, of.least, maxOpen)
	}
}

// between checks a number.
func (p *problems) between(key string, n, least, most int) {
	if n < least || n > most {
		p.add(key, "must be a number from %d to %d", least, most)
	}
}

// loopback reads a host and port of the page. The page is served without TLS,
// so it must not leave the computer: there is no way to allow that.
func (p *problems) loopback(key, listen string) []netip.AddrPort {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		p.add(key, `must be host:port, such as "localhost:7600" or "[::1]:7600"`)
		return nil
	}
	port, ok := p.port(key, text)
	if !ok {
		port = 7600
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "localhost" || err == nil && ip.IsLoopback() && ip.Zone() == "" && !ip.Is4In6():
	case host == "" || err == nil && ip.IsUnspecified():
		p.add(key, "would serve every network of this computer without encryption: write localhost:%d; patients come in through http.public_url with http.tls.mode, or practice.front_url", port)
	case err == nil:
		p.add(key, "would serve a network without encryption: write localhost:%d; patients come in through http.public_url with http.tls.mode, or practice.front_url", port)
	default:
		p.add(key, "must be localhost or a loopback address, as other names can come to mean another computer: write localhost:%d", port)
	}
	switch {
	case !ok:
		return nil
	case host == "localhost":
		return []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port), netip.AddrPortFrom(netip.IPv6Loopback(), port)}
	case host != "" && !ip.IsValid():
		return nil
	}
	return everywhere(ip, port)
}

// port reads the number of a port.
func (p *problems) port(key, text string) (uint16, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != text {
		p.add(key, "the port must be a number from 0, which takes a free one, to 65535")
		return 0, false
	}
	return uint16(n), true
}

// origin reads a URL that links begin with. Over http browsers refuse cameras
// and anyone on the way could change the page; local allows it on the computer
// itself, to try things out.
func (p *problems) origin(key, text string, local bool) *url.URL {
	if text == "" {
		return nil
	}
	const form = "https://name or https://name:port"
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		p.add(key, "must be %s", form)
		return u
	}
	own := IsLoopbackHost(u.Hostname())
	switch {
	case own && !local:
		p.add(key, "names this computer, which patients cannot reach: leave it empty, or write the name they use")
	case u.Scheme == "http" && !own:
		p.add(key, "must begin with https://, because anyone on the way could change a page sent over http: write https://%s", u.Host)
	case u.Scheme != "https" && u.Scheme != "http":
		p.add(key, "must begin with https://")
	}
	if u.User != nil {
		p.add(key, "must not hold a user name or password: write %s", form)
	}
	if u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(text, "#") {
		p.add(key, "must end after the name or port, because links put their own path there: write %s://%s", u.Scheme, u.Host)
	}
	if wrong := misspelt(u); wrong != "" {
		p.add(key, "%s", wrong)
	}
	if u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		p.add(key, "must not name the usual port, as browsers leave it out: write %s://%s", u.Scheme, u.Hostname())
	}
	return u
}

func IsLoopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// discovery returns where other nodes reach this one.
func (p *problems) discovery(plan *Plan, who *named, c Discovery) (listens []Endpoint) {
	plan.Discovery = discovery.Config{
		Listen: c.Listen, Announce: c.Announce, Server: c.Server, PortMapping: c.PortMapping, LAN: c.LAN,
		AllowPrivate: c.AllowPrivateAddresses, Limits: discovery.Limits(c.Limits),
	}
	p.list("discovery.listen", c.Listen, maxListen)
	for i, listen := range c.Listen {
		key := item("discovery.listen", i)
		switch a, ok := p.endpoint(key, listen); {
		case !ok:
		case !manet.IsThinWaist(a[:2]):
			p.add(key, "must begin with an address of this computer: write /ip4/0.0.0.0/… or /ip6/::/…")
		default:
			listens = append(listens, endpointOf(a, key))
		}
	}
	p.list("discovery.announce", c.Announce, maxListen)
	for i, announce := range c.Announce {
		key := item("discovery.announce", i)
		a, ok := p.endpoint(key, announce)
		switch {
		case !ok:
		case manet.IsIPUnspecified(a):
			p.add(key, "no other node can dial this address: write the one under which they reach this computer")
		case !c.AllowPrivateAddresses && !manet.IsPublicAddr(a):
			p.add(key, "no node outside can dial this address: write a public one, or set discovery.allow_private_addresses: true to stay inside a building")
		}
	}
	if len(c.Listen) == 0 && len(c.Announce) > 0 {
		p.add("discovery.announce", "nobody listens there: fill discovery.listen, or remove this")
	}
	if len(c.Listen) == 0 && c.Server {
		p.add("discovery.server", "a server must be reachable: fill discovery.listen, or write false")
	}
	who.peers = p.cards("discovery.peers", c.Peers, c.AllowPrivateAddresses)
	plan.Discovery.Bootstrap = p.cards("discovery.bootstrap", c.Bootstrap, c.AllowPrivateAddresses)
	who.relays = p.cards("discovery.relays", c.Relays, c.AllowPrivateAddresses)
	who.relayFor = p.ids("discovery.relay_for", c.RelayFor)
	switch {
	case c.Server && len(c.Relays) > 0:
		p.add("discovery.relays", "a server is reached directly: remove this, or write discovery.server: false")
	case !c.Server && len(c.RelayFor) > 0:
		p.add("discovery.relay_for", "others can reach nobody through a node that is no server: write discovery.server: true, or remove this")
	}
	if c.PortMapping && len(c.Listen) == 0 {
		p.add("discovery.port_mapping", "there is no port to forward: fill discovery.listen, or write false")
	}
	p.between("discovery.limits.handshakes", c.Limits.Handshakes, leastKnocks, maxStrangers)
	p.between("discovery.limits.handshakes_per_network", c.Limits.HandshakesPerNetwork, leastKnocks, maxStrangers)
	p.between("discovery.limits.strangers", c.Limits.Strangers, leastKnocks, maxStrangers)
	p.between("discovery.limits.strangers_per_network", c.Limits.StrangersPerNetwork, 1, maxStrangers)
	return listens
}

// endpointOf is where libp2p listens at a: in one family at a time.
func endpointOf(a ma.Multiaddr, name string) Endpoint {
	network, addr, _ := manet.DialArgs(a[:2]) // tcp4 or the like; it is an address and a port
	e := Endpoint{Key: "discovery.listen", Network: network[:3], Addr: addr, name: name}
	if at, err := netip.ParseAddrPort(addr); err == nil {
		e.at = []netip.AddrPort{at}
	}
	return e
}

// endpoint checks a multiaddr of this node.
func (p *problems) endpoint(key, text string) (ma.Multiaddr, bool) {
	const form = "/ip4/0.0.0.0/udp/7601/quic-v1 or /ip4/0.0.0.0/tcp/7601"
	a, err := ma.NewMultiaddr(text)
	if err != nil {
		p.add(key, "is no multiaddr: write it like %s", form)
		return nil, false
	}
	switch _, last := ma.SplitLast(a); {
	case last != nil && last.Protocol().Code == ma.P_P2P:
		p.add(key, "must end before /p2p/: this node knows who it is")
		return nil, false
	case len(a) == 2 && a[1].Protocol().Code == ma.P_TCP:
	case len(a) == 3 && a[1].Protocol().Code == ma.P_UDP && a[2].Protocol().Code == ma.P_QUIC_V1:
	default:
		p.add(key, "must be QUIC or TCP: write it like %s", form)
		return nil, false
	}
	return a, true
}

// cards reads a list of peers: cards, or multiaddrs that end in a peer id.
func (p *problems) cards(key string, list []string, private bool) (read []discovery.PeerInfo) {
	p.list(key, list, maxPeers)
	seen := make(map[peer.ID]int)
	for i, text := range list {
		at := item(key, i)
		info, err := contacts.ParsePeer(text)
		if err != nil {
			p.add(at, "%v (anteroom peer card prints one)", err)
			continue
		}
		if first, twice := seen[info.ID]; !twice {
			seen[info.ID] = i
			read = append(read, info)
		} else if text != list[first] {
			p.add(at, "is of the same node as %s: keep the newer one", item(key, first))
		}
		if len(info.Addrs) > 0 && !private && !slices.ContainsFunc(info.Addrs, manet.IsPublicAddr) {
			p.add(at, "this node can be reached inside its own building only: ask for a card with a public address, or set discovery.allow_private_addresses: true")
		}
	}
	return read
}

// list checks what all lists have in common.
func (p *problems) list(key string, list []string, limit int) {
	if len(list) > limit {
		p.add(key, "has %d entries: keep %d at most", len(list), limit)
	}
	for i, text := range list {
		if strings.TrimSpace(text) == "" {
			p.add(item(key, i), "is empty: fill it or remove it")
		} else if first := slices.Index(list, text); first < i {
			p.add(item(key, i), "is the same as %s: remove one", item(key, first))
		}
	}
}
