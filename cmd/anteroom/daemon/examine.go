package daemon

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/control"
	"anteroom/discovery/contacts"
	"anteroom/httpui/certs"
	"anteroom/httpui/words"
	"anteroom/node/doctor"
	"anteroom/node/practice"
)

// Examine looks at what a node that does not run would need.
func Examine(ctx context.Context, plan config.Plan) doctor.Report {
	c := subjectOf(plan)
	c.Records, c.Audit = inspect(plan, (*practice.Practice).Check), inspect(plan, func(p *practice.Practice, ctx context.Context) error { return p.Trail.Check(ctx) })
	return doctor.Run(ctx, c)
}

// inspect is a check of the records of a node that does not run.
func inspect(plan config.Plan, check func(*practice.Practice, context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		p, err := practice.Inspect(ctx, practice.Config{Dir: string(plan.Dir), KeyFile: plan.KeyFile})
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

// subjectOf is what the doctor may see of a node that does not run.
func subjectOf(plan config.Plan) doctor.Config {
	mode := plan.Entrance.Mode
	c := doctor.Config{
		DataDir:   string(plan.Dir),
		KeyFile:   plan.KeyFile,
		Ports:     neededPorts(plan),
		PublicURL: origin(plan.Public),
		Proxied:   mode == config.TLSBehindProxy || mode == config.TLSOff, // off: at the page on this computer
		FrontURL:  origin(plan.Front),
		Nodes:     plan.Node.Gateways,
		Fronts:    plan.Passing.From,
	}
	c.Identity = func() error { return checkIdentity(plan) }
	c.KnownNodes = func() error { return contacts.CheckFile(plan.Dir.Peers()) }
	c.Configuration = func() (bool, error) { return false, errors.Join(checkPlace(plan), checkKeyFile(plan)) }
	if plan.HasRelay {
		c.RelayHost = strings.ToLower(plan.Relay.Host)
	}
	if mode == config.TLSFiles {
		c.Certificate = func() (doctor.Certificate, error) {
			m, err := certs.New(plan.Entrance.Certificate)
			if err != nil {
				return doctor.Certificate{}, err
			}
			return forDoctor(m.Status()), nil
		}
	}
	return c
}

// subject is what the doctor may see of this node.
func (d *Daemon) subject() doctor.Config {
	c := subjectOf(d.current())
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
			fresh, err := d.reload()
			if err == nil {
				err = errors.Join(checkPlace(fresh), checkKeyFile(fresh))
			}
			return !fresh.Same(d.current()), err
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

// purposes are what the keys that name ports name them for.
var purposes = map[string]string{
	"http.listen": forPage, "http.public_listen": forPatients, "http.redirect_listen": forRedirect, "relay.listen": forRelay, "discovery.listen": forNodes,
}

// neededPorts lists what a node listens at. A port 0 is never taken.
func neededPorts(plan config.Plan) (ports []doctor.Port) {
	for _, e := range plan.Listens {
		ports = append(ports, doctor.Port{Key: e.Key, For: purposes[e.Key], Network: e.Network, Addr: e.Addr})
	}
	return ports
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
	for _, p := range neededPorts(d.current()) {
		if p.For == forNodes { // libp2p does not tell
			ports = append(ports, p)
		}
	}
	return ports
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
