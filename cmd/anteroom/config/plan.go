package config

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
	"anteroom/httpui"
	"anteroom/httpui/certs"
	"anteroom/node"
	"anteroom/node/passthrough"
	"anteroom/node/relay"
)

// A Plan is what a Config means. Every text in a Config is read once, for the
// Plan, and to find that a Config is in order is to make one: nobody else needs
// to know how a card, an address or an origin is written.
type Plan struct {
	Dir     Dir
	Chosen  bool   // somebody said which directory that is; otherwise it is the usual one
	KeyFile string // of the records; empty: the one in Dir

	LogLevel  slog.Level
	LogFormat string // auto, text or json

	Public *url.URL // origin under which patients reach this node; nil: they do not
	Front  *url.URL // origin of the node that serves this one's links; nil: there is none

	Pages     Pages
	Entrance  Entrance
	Discovery discovery.Config // what is kept in Dir, and the log, are still to be added
	HasRelay  bool
	Relay     Relaying
	Passing   Passing
	Node      node.Config // whom it serves and asks; its parts are still to be added

	Listens []Endpoint // everything that it binds

	told Config
}

// Pages is the practitioners' page, on this computer.
type Pages struct {
	Listen               []string // host:port
	Sockets, Connections httpui.Cap
}

// Entrance is how patients come in.
type Entrance struct {
	Mode        string         // off, files, acme or behind_proxy
	Listen      []string       // host:port
	Redirect    string         // host:port for plain HTTP; empty: there is none
	Proxies     []netip.Prefix // of behind_proxy
	Certificate certs.Config   // of files and acme; what only a daemon knows is still to be added
}

// Relaying is where browsers meet that cannot reach each other.
type Relaying struct {
	Host   string             // what browsers call it by
	Listen [][]netip.AddrPort // each by all of its addresses
	TLS    bool               // on the ports of the page, too
	Limits relay.Limits
	Silent Bound
}

// Passing is for whom this node stands in the internet, and who does for it.
type Passing struct {
	To        map[string]peer.ID // by server name
	From      []peer.ID
	Addresses bool // From tell clients' addresses
	Limits    passthrough.Limits
	Silent    Bound
}

// A Bound is how many there may be, and how many of one network.
type Bound struct{ All, PerNetwork int }

// An Endpoint is one place at which a node listens.
type Endpoint struct {
	Key     string // of the configuration
	Network string // tcp or udp
	Addr    string // host:port, as package net takes it

	name string // Key, with the place in its list
	at   []netip.AddrPort
}

// A Dir is a data directory: an absolute path.
type Dir string

// Identity is the file that makes the node who it is.
func (d Dir) Identity() string { return d.file("identity.key") }

// Peers is the file of the nodes that it was told to know.
func (d Dir) Peers() string { return d.file("peers.json") }

// Records is the practice's database.
func (d Dir) Records() string { return d.file("anteroom.db") }

// Certificates is the directory of what an authority has issued.
func (d Dir) Certificates() string { return d.file("certs") }

// Socket is where the daemon is spoken to.
func (d Dir) Socket() string { return d.file("control.sock") }

func (d Dir) file(name string) string { return filepath.Join(string(d), name) }

// Plan returns what c means. The error reports every value that cannot work or
// is unsafe, one a line, each by its name in the YAML file and with what to write
// instead. Nothing is opened or looked up.
func (c Config) Plan() (Plan, error) {
	plan, found := c.plan()
	if len(found) > 0 {
		return Plan{}, errors.Join(found...)
	}
	return plan, nil
}

// plan is Plan, with what of it can be had where there are problems.
func (c Config) plan() (plan Plan, p problems) {
	plan = Plan{Chosen: c.DataDir != "", KeyFile: c.Store.KeyFile, LogFormat: c.Log.Format, told: c}
	plan.Dir = p.dataDir(c.DataDir)
	plan.LogLevel = p.level(c.Log.Level)
	p.oneOf("log.format", c.Log.Format, "auto", "text", "json")
	p.pages(&plan, c)
	var who named
	nodes := p.discovery(&plan, &who, c.Discovery)
	p.practice(&plan, &who, c)
	p.relay(&plan, &who, c)
	p.front(&plan, &who, c)
	p.path("store.key_file", c.Store.KeyFile)
	plan.Listens = append(plan.Listens, nodes...)
	p.collisions(plan.Listens)
	plan.introduce(who)
	return plan, p
}

// named is whom a Config names, by what it names them for.
type named struct {
	nodes, peers, relays, lenders, fronts []discovery.PeerInfo
	relayFor, lendTo, guestsOf            []peer.ID
}

// introduce works out whom each part of the node knows. The other nodes
// of the practice are peers like others: whom to ask is known from the cards
// alone. They lend each other their relays, carry each other's guests, and are
// reached through each other.
func (p *Plan) introduce(who named) {
	own, passTo := ids(who.nodes), slices.Collect(maps.Values(p.Passing.To))
	p.Discovery.Peers = distinct(who.nodes, who.peers, who.lenders)
	p.Discovery.Partners = sorted(ids(who.nodes), ids(who.fronts), passTo, who.guestsOf)
	if p.Discovery.Server {
		p.Discovery.RelayFor = sorted(who.relayFor, own, passTo)
	} else {
		p.Discovery.Relays = slices.DeleteFunc(distinct(who.relays, who.fronts, who.nodes),
			func(info discovery.PeerInfo) bool { return len(info.Addrs) == 0 })
	}
	p.Passing.From = ids(who.fronts)
	p.Node.LendTo = slices.Concat(who.lendTo, own)
	p.Node.Lenders = ids(distinct(who.lenders, who.nodes))
	p.Node.GuestsOf = slices.Concat(who.guestsOf, own)
	p.Node.Gateways = own
}

// distinct keeps the first of each node.
func distinct(lists ...[]discovery.PeerInfo) (kept []discovery.PeerInfo) {
	seen := make(map[peer.ID]bool)
	for _, info := range slices.Concat(lists...) {
		if !seen[info.ID] {
			seen[info.ID] = true
			kept = append(kept, info)
		}
	}
	return kept
}

func sorted(lists ...[]peer.ID) []peer.ID {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

func ids(peers []discovery.PeerInfo) (list []peer.ID) {
	for _, p := range peers {
		list = append(list, p.ID)
	}
	return list
}

// Renew returns p with what a node takes up of fresh while it runs:
// discovery.peers and log.level. Both are in order by themselves, so whatever
// does not fit in their mixture is no reason to refuse it.
func (p Plan) Renew(fresh Plan) Plan {
	c := p.told
	c.Log.Level, c.Discovery.Peers = fresh.told.Log.Level, fresh.told.Discovery.Peers
	renewed, _ := c.plan()
	return renewed
}

// Same reports whether p and other were told the same.
func (p Plan) Same(other Plan) bool { return reflect.DeepEqual(p.told, other.told) }

// Show writes what p was told, as text or json, in a form that Load reads.
func (p Plan) Show(w io.Writer, format string) error { return show(w, format, p.told) }

// Loopback returns the plan of a node that keeps to this computer, at ports that
// are free, and to a data directory; level is that of its log.
func Loopback(dir, level string) (Plan, error) {
	c := Default()
	c.DataDir, c.Log.Level = dir, level
	c.HTTP.Listen = []string{"localhost:0"}
	c.Discovery.Listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}
	c.Discovery.Server, c.Discovery.AllowPrivateAddresses = true, true
	return c.Plan()
}

// Encrypted reports whether TLS ends here.
func (e Entrance) Encrypted() bool { return e.Mode == TLSFiles || e.Mode == TLSACME }

// PublicPort is the port of the origin under which patients come.
func (p Plan) PublicPort() string { return cmp.Or(p.Public.Port(), "443") }
