// Package config is what a node is told: the keys of the configuration file,
// what their values may be, and where they come from.
package config

import (
	"os"
	"path/filepath"
	"reflect"

	"github.com/adrg/xdg"

	"anteroom/discovery"
	"anteroom/httpui"
	"anteroom/httpui/certs"
	"anteroom/node/find"
	"anteroom/node/passthrough"
	"anteroom/node/relay"
)

// Config is everything that can be set. config.example.yaml shows every key
// with its default and says what it means; a test keeps the two equal. Values
// come from, each over the one before it: Default, the file, the environment
// (ANTEROOM_ and the key in capitals, its dots as underscores; lists with
// commas), flags. Load makes a Plan of it, and nobody else reads it.
type Config struct {
	// DataDir holds the database, its key and the node's identity; mode 0700.
	// Empty: the user's data home.
	DataDir   string    `yaml:"data_dir"`
	Log       Log       `yaml:"log"`
	HTTP      HTTP      `yaml:"http"`
	Discovery Discovery `yaml:"discovery"`
	Practice  Practice  `yaml:"practice"`
	Relay     Relay     `yaml:"relay"`
	Front     Front     `yaml:"front"`
	Store     Store     `yaml:"store"`
}

// Log says what is written to stderr.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // auto, text or json; auto is text on a terminal
}

// HTTP says where the pages are served.
type HTTP struct {
	Listen    []string `yaml:"listen"`     // host:port, loopback only
	PublicURL string   `yaml:"public_url"` // https origin under which patients reach this node, or empty
	// PublicListen and RedirectListen are where patients come in, if TLS.Mode
	// is not off. Sockets that the service manager passes take their place.
	PublicListen   []string `yaml:"public_listen"`   // host:port; an empty host is every address
	RedirectListen string   `yaml:"redirect_listen"` // host:port for plain HTTP, or empty
	TrustedProxies []string `yaml:"trusted_proxies"` // addresses and networks, for mode behind_proxy
	TLS            TLS      `yaml:"tls"`
	Limits         Limits   `yaml:"limits"`
}

// Limits says how much may be open at once, for those who hold a link or have
// signed in, and as much again for strangers.
type Limits struct {
	Sockets               int `yaml:"sockets"`
	SocketsPerNetwork     int `yaml:"sockets_per_network"` // an IPv4 /24 or IPv6 /56
	SocketsLoopback       int `yaml:"sockets_loopback"`
	Connections           int `yaml:"connections"`
	ConnectionsPerNetwork int `yaml:"connections_per_network"`
	ConnectionsLoopback   int `yaml:"connections_loopback"`
}

// sockets and connections are l as the pages' server has it.
func (l Limits) sockets() httpui.Cap {
	return httpui.Cap{Total: l.Sockets, PerPrefix: l.SocketsPerNetwork, Loopback: l.SocketsLoopback}
}

func (l Limits) connections() httpui.Cap {
	return httpui.Cap{Total: l.Connections, PerPrefix: l.ConnectionsPerNetwork, Loopback: l.ConnectionsLoopback}
}

func defaultLimits() Limits {
	s, c := httpui.DefaultSockets, httpui.DefaultConnections
	return Limits{s.Total, s.PerPrefix, s.Loopback, c.Total, c.PerPrefix, c.Loopback}
}

// TLS says who encrypts what patients see, and with which certificate.
type TLS struct {
	Mode       string `yaml:"mode"`        // off, files, acme or behind_proxy
	CertFile   string `yaml:"cert_file"`   // files
	KeyFile    string `yaml:"key_file"`    // files
	AgreeTerms bool   `yaml:"agree_terms"` // acme: to those of the authority
	Email      string `yaml:"email"`       // acme: for the authority, or empty
	Directory  string `yaml:"directory"`   // acme
	CAFile     string `yaml:"ca_file"`     // acme: roots of a private directory, or empty
}

// These are the values of TLS.Mode.
const (
	TLSOff         = "off"
	TLSFiles       = certs.Files
	TLSACME        = certs.ACME
	TLSBehindProxy = "behind_proxy"
)

// Discovery says whom this node knows and how it is reached. All empty: it
// contacts nobody, and nobody can contact it.
type Discovery struct {
	Listen   []string `yaml:"listen"`   // multiaddrs
	Announce []string `yaml:"announce"` // multiaddrs to publish instead of the ones found
	Peers    []string `yaml:"peers"`    // peer cards of other practices
	// Bootstrap are peer cards through which the DHT is entered.
	Bootstrap []string `yaml:"bootstrap"`
	Server    bool     `yaml:"server"` // keeps records for others; for nodes that can be reached
	// Relays are peer cards of nodes through which others reach this one;
	// RelayFor the peer IDs of nodes that this one does that for. The other
	// nodes of the practice need not be in either.
	Relays      []string `yaml:"relays"`
	RelayFor    []string `yaml:"relay_for"`
	PortMapping bool     `yaml:"port_mapping"` // asks the router to forward ports
	LAN         bool     `yaml:"lan"`          // finds nodes on the local network
	// AllowPrivateAddresses lets addresses of a building or this computer be
	// dialled and published.
	AllowPrivateAddresses bool `yaml:"allow_private_addresses"`

	Limits DiscoveryLimits `yaml:"limits"`
}

// DiscoveryLimits says how many nodes may be connected to this one that are not
// named here, and how many connections that have not said who they are.
type DiscoveryLimits struct {
	Handshakes           int `yaml:"handshakes"`
	HandshakesPerNetwork int `yaml:"handshakes_per_network"`
	Strangers            int `yaml:"strangers"`
	StrangersPerNetwork  int `yaml:"strangers_per_network"` // nodes
}

// Practice says which other nodes belong to the same practice.
type Practice struct {
	Nodes    []string `yaml:"nodes"`     // peer cards
	FrontURL string   `yaml:"front_url"` // origin of the node that serves this one's links, or empty
}

// Relay says whether and where browsers that cannot reach each other meet.
type Relay struct {
	Listen     []string `yaml:"listen"`      // host:port, for UDP and TCP
	TLS        bool     `yaml:"tls"`         // on http.public_listen, too
	Host       string   `yaml:"host"`        // name or address that browsers use; empty: that of http.public_url
	MaxMbit    int      `yaml:"max_mbit"`    // Mbit/s in all; 0: no limit
	LendTo     []string `yaml:"lend_to"`     // peer IDs of nodes of other practices
	BorrowFrom []string `yaml:"borrow_from"` // peer cards

	Limits RelayLimits `yaml:"limits"`
}

// RelayLimits says how many connections may be open, where the relay shares
// the port of the page, that have not said for which of the two they are.
type RelayLimits struct {
	Silent           int `yaml:"silent"`
	SilentPerNetwork int `yaml:"silent_per_network"`
}

// Front says for whom this node stands in the internet, and who does for it.
type Front struct {
	PassTo    []string `yaml:"pass_to"`   // "name peer-id": TLS for name goes there unopened
	PassFrom  []string `yaml:"pass_from"` // peer cards of nodes that pass TLS to this one
	Addresses bool     `yaml:"addresses"` // those nodes tell clients' addresses
	GuestsOf  []string `yaml:"guests_of"` // peer IDs of nodes of other practices whose guests get the page here
	Agreement string   `yaml:"agreement"` // which agreement with those practices covers that

	Limits FrontLimits `yaml:"limits"`
}

// FrontLimits says how many connections may be open that have not said which
// name they are for, how many go on with each node of pass_to and how many are
// in their handshake with it, and how many links that no node has told of are looked for
// in a second.
type FrontLimits struct {
	Silent               int `yaml:"silent"`
	SilentPerNetwork     int `yaml:"silent_per_network"`
	Handshakes           int `yaml:"handshakes"`
	HandshakesPerNetwork int `yaml:"handshakes_per_network"`
	Passed               int `yaml:"passed"`
	PassedPerNetwork     int `yaml:"passed_per_network"`
	Searches             int `yaml:"searches"`
	SearchesPerNetwork   int `yaml:"searches_per_network"`
}

// Store says where the practice's records are opened with.
type Store struct {
	KeyFile string `yaml:"key_file"` // empty: store.key in the data directory
}

// Default returns the configuration of a node that is told nothing: one page,
// on this computer only.
func Default() Config {
	return Config{
		Log: Log{Level: "info", Format: "auto"},
		HTTP: HTTP{
			Listen:         []string{"localhost:7600"},
			PublicListen:   []string{":443"},
			RedirectListen: ":80",
			TLS:            TLS{Mode: TLSOff, Directory: certs.LetsEncrypt},
			Limits:         defaultLimits(),
		},
		Discovery: Discovery{Limits: DiscoveryLimits(discovery.DefaultLimits)},
		Relay:     Relay{Listen: []string{":3478"}, TLS: true, Limits: RelayLimits{relay.DefaultSilent, relay.DefaultSilentOf}},
		Front: Front{Limits: FrontLimits{
			passthrough.DefaultSilent, passthrough.DefaultSilentOf,
			passthrough.DefaultLimits.Handshakes, passthrough.DefaultLimits.HandshakesOf,
			passthrough.DefaultLimits.Passed, passthrough.DefaultLimits.PassedOf,
			find.DefaultSearches.All, find.DefaultSearches.Network,
		}},
	}
}

// usualDir is the data directory where nobody says which; empty: there is no
// home to put it in.
func usualDir() string { return inHome("XDG_DATA_HOME", xdg.DataHome, "anteroom") }

// defaultFile is read if it exists and no other file is named; empty: there is
// no home to look in.
func defaultFile() string {
	return inHome("XDG_CONFIG_HOME", xdg.ConfigHome, "anteroom", "config.yaml")
}

// inHome returns a path below base, which variable sets, or else the user's home
// directory does; empty if there is none, as in some containers and jobs. What
// went to the root of the file system then would be lost with it, or found by
// nobody.
func inHome(variable, base string, names ...string) string {
	homeless := filepath.Dir(xdg.Home) == xdg.Home && os.Getenv(variable) == ""
	if homeless || !filepath.IsAbs(base) {
		return ""
	}
	return filepath.Join(append([]string{base}, names...)...)
}

// A setting is one leaf of Config.
type setting struct {
	path  string // "http.listen"
	env   string // "ANTEROOM_HTTP_LISTEN"
	value reflect.Value
}

// settings returns the leaves of cfg, a pointer to a struct, in the order of
// its fields. Their values can be set.
func settings(cfg any) []setting {
	var list []setting
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			path := prefix + yamlName(v.Type().Field(i))
			if f := v.Field(i); f.Kind() == reflect.Struct {
				walk(path+".", f)
			} else {
				list = append(list, setting{path, envName(path), f})
			}
		}
	}
	walk("", reflect.ValueOf(cfg).Elem())
	return list
}

func yamlName(f reflect.StructField) string { return f.Tag.Get("yaml") }
