package daemon

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/control"
	"anteroom/discovery/contacts"
	"anteroom/httpui/certs"
	"anteroom/httpui/words"
	"anteroom/node/doctor"
	"anteroom/node/practice"
)

// Examine looks at what a node that does not run would need.
func Examine(ctx context.Context, cfg config.Config) doctor.Report {
	c := patient(cfg)
	c.Records, c.Audit = inspect(cfg, (*practice.Practice).Check), inspect(cfg, func(p *practice.Practice, ctx context.Context) error { return p.Trail.Check(ctx) })
	return doctor.Run(ctx, c)
}

// inspect is a check of the records of a node that does not run.
func inspect(cfg config.Config, check func(*practice.Practice, context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		p, err := practice.Inspect(ctx, practice.Config{Dir: cfg.Dir(), KeyFile: cfg.Store.KeyFile})
		if err != nil {
			return err
		}
		return errors.Join(check(p, ctx), p.Leave())
	}
}

// readiness is the newest report in one line.
func (d *Daemon) readiness() control.Readiness {
	report, ok := d.rounds.Latest()
	if !ok {
		return control.Readiness{State: "checking", Text: "Checking…"}
	}
	r := control.Readiness{State: "ready", Text: words.English.Say(report.Line()), Checked: &report.Checked}
	for _, c := range report.Checks {
		switch {
		case c.Status == doctor.Fail:
			r.State, r.Todo = "not-ready", words.English.Say(c.Todo)
			return r
		case c.ID == "page" && !report.Confirmed:
			r.State, r.Todo = "unconfirmed", words.English.Say(c.Todo)
		}
	}
	return r
}

// patient is what the doctor may see of a node that does not run.
func patient(cfg config.Config) doctor.Config {
	fronts, _ := parsePeers(cfg.Front.PassFrom) // Validate has read these
	nodes, _ := parsePeers(cfg.Practice.Nodes)
	mode := cfg.HTTP.TLS.Mode
	c := doctor.Config{
		DataDir:   cfg.Dir(),
		KeyFile:   cfg.Store.KeyFile,
		Ports:     neededPorts(cfg),
		PublicURL: cfg.HTTP.PublicURL,
		Proxied:   mode == config.TLSBehindProxy || mode == config.TLSOff, // off: at the page on this computer
		FrontURL:  cfg.Practice.FrontURL,
		Nodes:     ids(nodes),
		Fronts:    ids(fronts),
	}
	c.Identity = func() error { return checkIdentity(cfg) }
	c.KnownNodes = func() error { return contacts.CheckFile(cfg.PeersFile()) }
	c.Configuration = func() (bool, error) { return false, errors.Join(checkPlace(cfg), checkKeyFile(cfg)) }
	if cfg.HasRelay() {
		c.RelayHost = strings.ToLower(cfg.RelayHost())
	}
	if mode == config.TLSFiles {
		c.Certificate = func() (doctor.Certificate, error) { return fileCertificate(cfg) }
	}
	return c
}

// patient is what the doctor may see of this node.
func (d *Daemon) patient() doctor.Config {
	c := patient(d.config())
	c.Running = true
	c.Ports = d.boundPorts()
	c.Clock = d.practice.Now
	c.Records = d.practice.Check
	c.Audit = d.practice.Trail.Check
	c.Leapt = func() (from, to time.Time, wait time.Duration, leapt bool) {
		leap, leapt := d.practice.Leapt()
		return leap.Lived, leap.Clock, leap.Wait, leapt
	}
	c.BelieveClock = d.practice.BelieveClock
	c.Discovery = d.discovery
	c.Lenders = d.node.CountLenders
	c.Borrowed = d.node.BorrowedURLs
	if d.reload != nil {
		c.Configuration = func() (bool, error) {
			cfg, err := d.reload()
			if err == nil {
				err = errors.Join(checkPlace(cfg), checkKeyFile(cfg))
			}
			return !reflect.DeepEqual(cfg, d.config()), err
		}
	}
	if d.entrance.certs != nil {
		c.Certificate = func() (doctor.Certificate, error) { return forDoctor(d.entrance.certs.Status()), nil }
	}
	if d.relay != nil {
		c.Relay = &doctor.Relay{Try: d.relay.Try, Plain: d.relay.local, TLS: addrsOf(d.entrance.turn)}
	}
	return c
}

func fileCertificate(cfg config.Config) (doctor.Certificate, error) {
	m, err := loadFiles(cfg)
	if err != nil {
		return doctor.Certificate{}, err
	}
	return forDoctor(m.Status()), nil
}

// forDoctor is what the doctor says of a certificate.
func forDoctor(s certs.Status) doctor.Certificate {
	c := doctor.Certificate{Mode: s.Mode, Names: s.Names, NotAfter: s.NotAfter, NotBefore: s.NotBefore, LacksIssuer: s.LacksIssuer, Alert: s.Alert, Reason: s.Reason}
	if !s.Next.IsZero() {
		c.Reason += s.Next.Local().Format("; the next attempt is on 2006-01-02 at 15:04")
	}
	return c
}

// What ports are for, as the doctor's messages tell it.
const (
	forPage     = "page"
	forPatients = "patients"
	forRedirect = "redirect"
	forRelay    = "relay"
	forNodes    = "nodes"
)

// neededPorts lists what cfg listens at. A port 0 is never taken.
func neededPorts(cfg config.Config) (ports []doctor.Port) {
	add := func(key, what, network string, addrs ...string) {
		for _, a := range addrs {
			ports = append(ports, doctor.Port{Key: key, For: what, Network: network, Addr: a})
		}
	}
	add("http.listen", forPage, "tcp", cfg.HTTP.Listen...)
	if cfg.HTTP.TLS.Mode != config.TLSOff {
		add("http.public_listen", forPatients, "tcp", cfg.HTTP.PublicListen...)
	}
	if (cfg.HTTP.TLS.Mode == config.TLSFiles || cfg.HTTP.TLS.Mode == config.TLSACME) && cfg.HTTP.RedirectListen != "" {
		add("http.redirect_listen", forRedirect, "tcp", cfg.HTTP.RedirectListen)
	}
	if cfg.HasRelay() {
		add("relay.listen", forRelay, "udp", cfg.Relay.Listen...)
		add("relay.listen", forRelay, "tcp", cfg.Relay.Listen...)
	}
	return append(ports, nodePorts(cfg)...)
}

func nodePorts(cfg config.Config) (ports []doctor.Port) {
	for _, text := range cfg.Discovery.Listen {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			continue // Validate lets none through
		}
		network, addr, err := manet.DialArgs(withoutQUIC(a))
		if err != nil {
			continue
		}
		ports = append(ports, doctor.Port{Key: "discovery.listen", For: forNodes, Network: network[:3], Addr: addr})
	}
	return ports
}

// withoutQUIC is the UDP address below a.
func withoutQUIC(a ma.Multiaddr) ma.Multiaddr {
	head, last := ma.SplitLast(a)
	if last != nil && last.Protocol().Code == ma.P_QUIC_V1 {
		return head
	}
	return a
}

// boundPorts lists where the node listens.
func (d *Daemon) boundPorts() (ports []doctor.Port) {
	add := func(what, network string, addrs ...netip.AddrPort) {
		for _, a := range addrs {
			ports = append(ports, doctor.Port{For: what, Network: network, Addr: a.String()})
		}
	}
	add(forPage, "tcp", addrsOf(d.listeners)...)
	add(forPatients, "tcp", addrsOf(append(append([]net.Listener{}, d.entrance.tls...), d.entrance.proxied...))...)
	add(forRedirect, "tcp", addrsOf(d.entrance.redirect)...)
	if d.relay != nil {
		add(forRelay, "udp", d.relay.local...)
		add(forRelay, "tcp", d.relay.local...)
	}
	return append(ports, nodePorts(d.config())...)
}

// addrsOf returns where listeners are bound; one that other nodes pass
// connections to is nowhere.
func addrsOf(listeners []net.Listener) (addrs []netip.AddrPort) {
	for _, l := range listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok && a.Port != 0 {
			addrs = append(addrs, a.AddrPort())
		}
	}
	return addrs
}
