package config

import (
	"errors"
	"fmt"
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

// Validate reports every value that cannot work or is unsafe, one a line, each
// by its name in the YAML file and with what to write instead. Nothing is
// opened or looked up.
func (c Config) Validate() error { return errors.Join(c.problems()...) }

func (c Config) problems() (p problems) {
	p.dataDir(c)
	p.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	p.oneOf("log.format", c.Log.Format, "auto", "text", "json")
	p.pages(c.HTTP, c.Front.PassFrom)
	p.discovery(c.Discovery)
	private := c.Discovery.AllowPrivateAddresses
	p.cards("practice.nodes", c.Practice.Nodes, private)
	p.origin("practice.front_url", c.Practice.FrontURL, true)
	if c.Practice.FrontURL != "" && len(c.Practice.Nodes) == 0 {
		p.add("practice.front_url", "the node there cannot find this one: put its peer card into practice.nodes, and this node's into its own")
	}
	if c.Practice.FrontURL != "" && c.HTTP.PublicURL != "" {
		p.add("practice.front_url", "has no effect beside http.public_url: remove one of them")
	}
	p.relay(c)
	p.front(c)
	p.path("store.key_file", c.Store.KeyFile)
	p.collisions(c)
	return p
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

func (p *problems) dataDir(c Config) {
	before := len(*p)
	p.path("data_dir", c.DataDir)
	if len(*p) > before {
		return
	}
	dir := c.Dir()
	if dir == "" {
		p.add("data_dir", "is empty, and there is no home directory to use instead, as HOME is not set: give --data-dir, or write a path")
		return
	}
	if filepath.Dir(dir) == dir {
		p.add("data_dir", "must be a directory of its own: use %s", filepath.Join(dir, "var", "lib", "anteroom"))
	}
	if len(SocketPath(dir)) > maxSocketPath {
		p.add("data_dir", "is too long: the socket in it can have a path of %d bytes at most, so shorten it by %d",
			maxSocketPath, len(SocketPath(dir))-maxSocketPath)
	}
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

func (p *problems) pages(c HTTP, passFrom []string) {
	if len(c.Listen) == 0 {
		p.add("http.listen", "is empty, so there would be no page: write [%q]", Default().HTTP.Listen[0])
	}
	p.list("http.listen", c.Listen, maxListen)
	for i, listen := range c.Listen {
		p.loopback(fmt.Sprintf("http.listen[%d]", i), listen)
	}
	p.origin("http.public_url", c.PublicURL, false)
	p.https(c, passFrom)
	p.limits(c.Limits)
}

// limits checks what may be open at once. The least is what one call needs: a
// socket at each end, and the connections that two browsers open.
func (p *problems) limits(l Limits) {
	for _, of := range []struct {
		key   string
		least int
		cap   httpui.Cap
	}{
		{"http.limits.sockets", 2, l.OfSockets()},
		{"http.limits.connections", 12, l.OfConnections()},
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

// loopback checks a host and port of the page. The page is served without TLS,
// so it must not leave the computer: there is no way to allow that.
func (p *problems) loopback(key, listen string) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		p.add(key, `must be host:port, such as "localhost:7600" or "[::1]:7600"`)
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		p.add(key, "the port must be a number from 0, which takes a free one, to 65535")
		port = "7600"
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "localhost" || err == nil && ip.IsLoopback() && ip.Zone() == "" && !ip.Is4In6():
	case host == "" || err == nil && ip.IsUnspecified():
		p.add(key, "would serve every network of this computer without encryption: write localhost:%s; patients come in through http.public_url with http.tls.mode, or practice.front_url", port)
	case err == nil:
		p.add(key, "would serve a network without encryption: write localhost:%s; patients come in through http.public_url with http.tls.mode, or practice.front_url", port)
	default:
		p.add(key, "must be localhost or a loopback address, as other names can come to mean another computer: write localhost:%s", port)
	}
}

// origin checks a URL that links begin with. Over http browsers refuse cameras
// and anyone on the way could change the page; local allows it on the computer
// itself, to try things out.
func (p *problems) origin(key, text string, local bool) {
	if text == "" {
		return
	}
	const form = "https://name or https://name:port"
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		p.add(key, "must be %s", form)
		return
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
}

func IsLoopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (p *problems) discovery(c Discovery) {
	p.list("discovery.listen", c.Listen, maxListen)
	for i, listen := range c.Listen {
		key := fmt.Sprintf("discovery.listen[%d]", i)
		if a, ok := p.endpoint(key, listen); ok && !manet.IsThinWaist(a[:2]) {
			p.add(key, "must begin with an address of this computer: write /ip4/0.0.0.0/… or /ip6/::/…")
		}
	}
	p.list("discovery.announce", c.Announce, maxListen)
	for i, announce := range c.Announce {
		key := fmt.Sprintf("discovery.announce[%d]", i)
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
	p.cards("discovery.peers", c.Peers, c.AllowPrivateAddresses)
	p.cards("discovery.bootstrap", c.Bootstrap, c.AllowPrivateAddresses)
	p.cards("discovery.relays", c.Relays, c.AllowPrivateAddresses)
	p.ids("discovery.relay_for", c.RelayFor)
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

// cards checks a list of peers: cards, or multiaddrs that end in a peer id.
func (p *problems) cards(key string, list []string, private bool) {
	p.list(key, list, maxPeers)
	seen := make(map[peer.ID]int)
	for i, text := range list {
		at := fmt.Sprintf("%s[%d]", key, i)
		info, err := contacts.ParsePeer(text)
		if err != nil {
			p.add(at, "%v (anteroom peer card prints one)", err)
			continue
		}
		if first, twice := seen[info.ID]; twice && text != list[first] {
			p.add(at, "is of the same node as %s[%d]: keep the newer one", key, first)
		} else if !twice {
			seen[info.ID] = i
		}
		if len(info.Addrs) > 0 && !private && !slices.ContainsFunc(info.Addrs, manet.IsPublicAddr) {
			p.add(at, "this node can be reached inside its own building only: ask for a card with a public address, or set discovery.allow_private_addresses: true")
		}
	}
}

// list checks what all lists have in common.
func (p *problems) list(key string, list []string, limit int) {
	if len(list) > limit {
		p.add(key, "has %d entries: keep %d at most", len(list), limit)
	}
	for i, item := range list {
		if strings.TrimSpace(item) == "" {
			p.add(fmt.Sprintf("%s[%d]", key, i), "is empty: fill it or remove it")
		} else if first := slices.Index(list, item); first < i {
			p.add(fmt.Sprintf("%s[%d]", key, i), "is the same as %s[%d]: remove one", key, first)
		}
	}
}
