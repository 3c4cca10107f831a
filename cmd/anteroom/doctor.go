package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/spf13/cobra"

	"anteroom/discovery/contacts"
	"anteroom/httpui/certs"
	"anteroom/httpui/words"
	"anteroom/node/doctor"
	"anteroom/node/practice"
)

// doctorCommand finds out whether patients can reach the node.
func (p *program) doctorCommand() *cobra.Command {
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out whether patients can reach you, and if not, why",
		Long: `Find out whether patients can reach you, and if not, why and what to do. Peers
are asked to look at this node from outside. Without a running daemon only what
can be seen on this computer is checked.

It ends with 0 if nothing fails, with 4 if something does, and with 3 if no
daemon is running.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := p.examine(cmd)
			if err != nil {
				return err
			}
			if err := output.print(p.stdout, report, func(w io.Writer) error { return printReport(w, report) }); err != nil {
				return err
			}
			return verdict(report)
		},
	}
	output.add(cmd)
	return cmd
}

// examine has the daemon looked at, or without one, what it would need.
func (p *program) examine(cmd *cobra.Command) (reportReply, error) {
	cfg, err := p.config(cmd)
	if err != nil {
		return inEnglish(doctor.Unreadable(err)), nil
	}
	report, err := call[reportReply](cmd.Context(), newClient(cfg.dataDir()), "doctor", nothing{})
	if f, ok := errors.AsType[failure](err); ok && f.code == exitNotRunning {
		c := patient(cfg)
		c.Records, c.Audit = inspect(cfg, (*practice.Practice).Check), inspect(cfg, func(p *practice.Practice, ctx context.Context) error { return p.Trail.Check(ctx) })
		return inEnglish(doctor.Run(cmd.Context(), c)), nil
	}
	return report, err
}

// inEnglish is a report as a terminal and the programs at it read it.
func inEnglish(r doctor.Report) reportReply {
	say := words.English.Say
	reply := reportReply{
		Summary: say(r.Summary), Ready: r.Ready, Confirmed: r.Confirmed, Running: r.Running, Checked: r.Checked, Checks: make([]findingReply, len(r.Checks)),
	}
	for i, c := range r.Checks {
		reply.Checks[i] = findingReply{c.ID, say(c.Title), c.Status, say(c.Finding), say(c.Todo)}
	}
	return reply
}

// inspect is a check of the records of a node that does not run.
func inspect(cfg Config, check func(*practice.Practice, context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		p, err := practice.Inspect(ctx, practice.Config{Dir: cfg.dataDir(), KeyFile: cfg.Store.KeyFile})
		if err != nil {
			return err
		}
		return errors.Join(check(p, ctx), p.Leave())
	}
}

// verdict is how the program ends after a report.
func verdict(r reportReply) error {
	failed := 0
	for _, c := range r.Checks {
		if c.Status == doctor.Fail {
			failed++
		}
	}
	switch {
	case len(r.Checks) > 1 && !r.Running:
		return failure{exitNotRunning, errors.New(`no daemon is running: start it with "anteroom serve", and check again`)}
	case failed == 1:
		return failure{exitCheck, errors.New("1 check failed")}
	case failed > 1:
		return failure{exitCheck, fmt.Errorf("%d checks failed", failed)}
	}
	return nil
}

// printReport ends with the summary, where a terminal stays.
func printReport(w io.Writer, r reportReply) error {
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%-4s  %s: %s\n", c.Status, c.Title, c.Finding)
		if c.Todo != "" {
			fmt.Fprintf(&b, "      → %s\n", c.Todo)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", r.Summary)
	_, err := io.WriteString(w, b.String())
	return err
}

// readiness is the newest report in one line.
func (d *daemon) readiness() readinessReply {
	report, ok := d.rounds.Latest()
	if !ok {
		return readinessReply{State: "checking", Text: "Checking…"}
	}
	r := readinessReply{State: "ready", Text: words.English.Say(report.Line()), Checked: &report.Checked}
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
func patient(cfg Config) doctor.Config {
	fronts, _ := parsePeers(cfg.Front.PassFrom) // Validate has read these
	nodes, _ := parsePeers(cfg.Practice.Nodes)
	mode := cfg.HTTP.TLS.Mode
	c := doctor.Config{
		DataDir:   cfg.dataDir(),
		KeyFile:   cfg.Store.KeyFile,
		Ports:     neededPorts(cfg),
		PublicURL: cfg.HTTP.PublicURL,
		Proxied:   mode == tlsBehindProxy || mode == tlsOff, // off: at the page on this computer
		FrontURL:  cfg.Practice.FrontURL,
		Nodes:     ids(nodes),
		Fronts:    ids(fronts),
	}
	c.Identity = func() error { return checkIdentity(cfg) }
	c.KnownNodes = func() error { return contacts.CheckFile(peersFile(cfg)) }
	c.Configuration = func() (bool, error) { return false, errors.Join(checkPlace(cfg), checkKeyFile(cfg)) }
	if cfg.hasRelay() {
		c.RelayHost = strings.ToLower(cfg.relayHost())
	}
	if mode == tlsFiles {
		c.Certificate = func() (doctor.Certificate, error) { return fileCertificate(cfg) }
	}
	return c
}

// patient is what the doctor may see of this node.
func (d *daemon) patient() doctor.Config {
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

func fileCertificate(cfg Config) (doctor.Certificate, error) {
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
func neededPorts(cfg Config) (ports []doctor.Port) {
	add := func(key, what, network string, addrs ...string) {
		for _, a := range addrs {
			ports = append(ports, doctor.Port{Key: key, For: what, Network: network, Addr: a})
		}
	}
	add("http.listen", forPage, "tcp", cfg.HTTP.Listen...)
	if cfg.HTTP.TLS.Mode != tlsOff {
		add("http.public_listen", forPatients, "tcp", cfg.HTTP.PublicListen...)
	}
	if (cfg.HTTP.TLS.Mode == tlsFiles || cfg.HTTP.TLS.Mode == tlsACME) && cfg.HTTP.RedirectListen != "" {
		add("http.redirect_listen", forRedirect, "tcp", cfg.HTTP.RedirectListen)
	}
	if cfg.hasRelay() {
		add("relay.listen", forRelay, "udp", cfg.Relay.Listen...)
		add("relay.listen", forRelay, "tcp", cfg.Relay.Listen...)
	}
	return append(ports, nodePorts(cfg)...)
}

func nodePorts(cfg Config) (ports []doctor.Port) {
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
func (d *daemon) boundPorts() (ports []doctor.Port) {
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
