package daemon

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/config/configtest"
	"anteroom/cmd/anteroom/control"
	"anteroom/cmd/anteroom/daemon/daemontest"
	"anteroom/cmd/anteroom/exit"
	"anteroom/discovery/contacts"
	"anteroom/httpui/certs/certstest"
	"anteroom/httpui/words"
	"anteroom/node/desk"
	"anteroom/node/desk/api"
	"anteroom/node/doctor"
	"anteroom/node/polltest"
	"anteroom/rendezvous/wire"
)

// publicDaemon returns a running daemon that patients come to, on loopback,
// with a certificate that is good until then.
func publicDaemon(t *testing.T, until time.Time) *Daemon {
	dir := t.TempDir()
	cert, key := certstest.Pair(t, daemontest.PublicName, time.Now().Add(-time.Hour), until)
	for name, content := range map[string][]byte{"cert.pem": cert, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := loopbackConfig(dir + "/d")
	cfg.HTTP.PublicListen, cfg.HTTP.RedirectListen = []string{"127.0.0.1:0"}, "127.0.0.1:0"
	cfg.HTTP.TLS = daemontest.Files(dir+"/cert.pem", dir+"/key.pem")
	cfg.Relay.Listen = []string{"127.0.0.1:0"}
	cfg.HTTP.PublicURL = fmt.Sprintf("https://%s:%d", daemontest.PublicName, closedPort(t))
	d, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, d)
	return d
}

// closedPort returns a port of loopback at which nobody listens.
func closedPort(t *testing.T) int { return int(certstest.FreePort(t).Port()) }

func loopbackConfig(dataDir string) config.Config {
	cfg := config.Default()
	cfg.DataDir = dataDir
	cfg.HTTP.Listen = []string{"localhost:0"}
	cfg.Discovery.Listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}
	cfg.Discovery.AllowPrivateAddresses, cfg.Discovery.Server = true, true
	return cfg
}

// befriend makes two daemons peers, and waits until they are connected.
func befriend(t *testing.T, a, b *Daemon) {
	for from, to := range map[*Daemon]*Daemon{a: b, b: a} {
		card, err := to.discovery.Card("")
		if err != nil {
			t.Fatal(err)
		}
		info, err := contacts.ParseCard(card)
		if err != nil {
			t.Fatal(err)
		}
		if err := from.discovery.AddPeer(info); err != nil {
			t.Fatal(err)
		}
	}
	polltest.Eventually(t, "the daemons' meeting", func() bool {
		list := a.discovery.ListPeers()
		return len(list) == 1 && list[0].Connected
	})
}

func examined(t *testing.T, d *Daemon) (control.Report, map[string]control.Finding) {
	found, err := d.desk.As(desk.Operator).Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report := control.NewReport(found)
	byID := make(map[string]control.Finding)
	for _, c := range report.Checks {
		byID[c.ID] = c
	}
	return report, byID
}

// TestDoctorAsksAPeer: two whole daemons. The peer finds the relay; the
// page it looks for where links lead, which is not where this one is.
func TestDoctorAsksAPeer(t *testing.T) {
	home := publicDaemon(t, time.Now().Add(time.Hour))
	other, err := New(t.Context(), daemontest.Plan(t, loopbackConfig(t.TempDir()+"/d")), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, other)
	befriend(t, home, other)
	report, is := examined(t, home)
	for id, want := range map[string]string{
		"configuration": "pass The configuration has no problem.",
		"clock":         "pass The clock agrees with that of a peer.",
		"store":         "pass The records can be read, are whole, and are for you alone.",
		"certificate":   "pass The certificate for call.example is good until ",
		"relay-udp":     "pass The relay works over UDP, also from the same network.",
		"relay-tcp":     "pass The relay works over TCP, also from the same network.",
		"relay-tls":     "warn Of the relay: nothing answers from the same network at port ",
		"page":          "fail Nothing answers from the same network at port ",
		"peers":         "pass The only peer is connected.",
	} {
		if got := string(is[id].Status) + " " + is[id].Finding; !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
	if report.Ready || !strings.HasPrefix(report.Summary, "Patients cannot reach you: ") {
		t.Errorf("%s", report.Summary)
	}
	if exit.Code(control.Verdict(report)) != exit.Check {
		t.Errorf("ends with %v", control.Verdict(report))
	}
}

func TestDoctorSeesCertificates(t *testing.T) {
	_, is := examined(t, publicDaemon(t, time.Now().Add(-time.Minute)))
	if c := is["certificate"]; c.Status != doctor.Fail || !strings.HasPrefix(c.Finding, "The certificate ended on ") || c.Todo == "" {
		t.Errorf("expired: %+v", c)
	}
	_, is = examined(t, publicDaemon(t, time.Now().Add(10*time.Minute)))
	if c := is["certificate"]; c.Status != doctor.Warn || !strings.Contains(c.Finding, "should have been renewed") {
		t.Errorf("ends soon: %+v", c)
	}
	certFile, keyFile := certstest.WritePair(t, t.TempDir(), "other.example")
	cfg := config.Default()
	cfg.HTTP.PublicURL = "https://" + daemontest.PublicName
	cfg.HTTP.TLS = daemontest.Files(certFile, keyFile)
	if _, err := subjectOf(daemontest.Plan(t, cfg)).Certificate(); err == nil || !strings.Contains(err.Error(), "is for other.example, not for call.example") {
		t.Errorf("for another name: %v", err)
	}
}

// localDaemon returns a running daemon for this computer only.
func localDaemon(t *testing.T) *Daemon {
	cfg := config.Default()
	cfg.DataDir = t.TempDir() + "/d"
	cfg.HTTP.Listen = []string{"localhost:0"}
	d, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, d)
	return d
}

// deskWhere waits, as a page does, for a desk that is as ok says.
func deskWhere(t *testing.T, d *Daemon, who, what string, ok func(api.Desk) bool) api.Desk {
	t.Helper()
	changed, stop := d.desk.As(desk.Operator).Watch()
	defer stop()
	late := time.After(30 * time.Second)
	for {
		desk, err := as(d, who).Desk(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ok(desk) {
			return desk
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("no desk with %s; the last report is %+v", what, desk.Report)
		}
	}
}

// TestReadinessByItself: before the first look nobody is told that calls work;
// then pages and the command line are told the same, without asking, and what
// breaks is told, too.
func TestReadinessByItself(t *testing.T) {
	idle := idleDaemon(t, nil)
	desk, err := as(idle, setUpDaemon(t, idle)).Desk(t.Context())
	if err != nil || desk.Report != nil {
		t.Errorf("before the first look: %+v, %v", desk.Report, err)
	}
	if is := idle.readiness(); is.State != "checking" || is.Text != "Checking…" || is.Checked != nil {
		t.Errorf("before the first look: %+v", is)
	}

	d := localDaemon(t)
	who := setUpDaemon(t, d)
	desk = deskWhere(t, d, who, "a report", func(desk api.Desk) bool { return desk.Report != nil })
	if r := desk.Report; english(r.Line) != "Ready for calls on this computer" || !r.Ready || desk.Now-r.At > 30 {
		t.Errorf("after the start: %+v", r)
	}
	if is := d.readiness(); is.State != "ready" || is.Text != english(desk.Report.Line) || is.Todo != "" || is.Checked.Unix() != desk.Report.At {
		t.Errorf("after the start: %+v", is)
	}

	key := filepath.Join(string(d.plan.Dir), "store.key")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := as(d, who).Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	desk = deskWhere(t, d, who, "a failure", func(desk api.Desk) bool { return !desk.Report.Ready })
	if want := "Not ready: " + key + " is open to other users (mode 0644)."; english(desk.Report.Line) != want {
		t.Errorf("got %s, want %s", english(desk.Report.Line), want)
	}
	if is := d.readiness(); is.State != "not-ready" || is.Text != english(desk.Report.Line) || is.Todo != "Run chmod 600 "+key+"." {
		t.Errorf("with a failure: %+v", is)
	}
	var text strings.Builder
	err = control.PrintStatus(&text, control.Status{Readiness: d.readiness()})
	if said := strings.Join(strings.Fields(text.String()), " "); err != nil ||
		!strings.Contains(said, "Calls "+english(desk.Report.Line)+" (checked ") || !strings.Contains(said, "To do Run chmod 600 ") {
		t.Errorf("status says, %v:\n%s", err, &text)
	}
}

// TestReadinessThatNobodyConfirms: a public node without peers, which knows of
// no fault and that nobody has looked from outside. Pages and the command line
// say so alike.
func TestReadinessThatNobodyConfirms(t *testing.T) {
	const address = "192.0.2.10" // so that no name is looked up
	certFile, keyFile := certstest.WritePair(t, t.TempDir(), address)
	cfg := loopbackConfig(t.TempDir() + "/d")
	cfg.HTTP.PublicURL = "https://" + address
	cfg.HTTP.PublicListen, cfg.HTTP.RedirectListen, cfg.Relay.Listen = []string{"127.0.0.1:0"}, "", []string{"127.0.0.1:0"}
	cfg.HTTP.TLS = daemontest.Files(certFile, keyFile)
	d, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, d)
	who := setUpDaemon(t, d)
	desk := deskWhere(t, d, who, "a report", func(desk api.Desk) bool { return desk.Report != nil })
	const line, todo = "Ready for calls, as far as this computer can see", "Ask a friendly practice to be your peer, and exchange peer cards with it."
	if r := desk.Report; english(r.Line) != line || english(r.Summary) != line+"." || !r.Ready || r.Confirmed {
		t.Errorf("the page is told %+v", r)
	}
	is := d.readiness()
	if is.State != "unconfirmed" || is.Text != line || is.Todo != todo {
		t.Errorf("status is told %+v", is)
	}
	var text strings.Builder
	err = control.PrintStatus(&text, control.Status{Readiness: is})
	if said := strings.Join(strings.Fields(text.String()), " "); err != nil || !strings.Contains(said, "Calls "+line+" (checked ") || !strings.Contains(said, "To do "+todo) {
		t.Errorf("status says, %v:\n%s", err, &text)
	}
	report, byID := examined(t, d)
	latest, _ := d.rounds.Latest()
	if c := byID["page"]; english(latest.Line()) != line || c.Status != doctor.Warn || c.Todo != todo || control.Verdict(report) != nil {
		t.Errorf("%s: %+v, %v", english(latest.Line()), c, control.Verdict(report))
	}
}

// TestDoctorHasItsLimit: peers put up with so many questions a minute.
func TestDoctorHasItsLimit(t *testing.T) {
	d := localDaemon(t)
	who := setUpDaemon(t, d)
	for range 10 {
		report, err := as(d, who).Doctor(t.Context())
		if refusal, ok := errors.AsType[*api.Refusal](err); ok && refusal.Code == wire.CodeTooMany {
			return
		}
		if err != nil || !report.Ready || english(report.Summary) != "Ready for calls on this computer." || len(report.Checks) == 0 || report.Checks[0].Status != "pass" {
			t.Fatalf("got %+v, %v", report, err)
		}
	}
	t.Error("there is no limit")
}

// checked returns one check of a daemon that need not run.
func checked(t *testing.T, d *Daemon, id string) control.Finding {
	t.Helper()
	for _, c := range control.NewReport(doctor.Run(t.Context(), d.subject())).Checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no check %s", id)
	return control.Finding{}
}

// TestDoctorSeesTheConfigurationBreak: a file that is edited under a daemon
// that runs, and would not start again.
func TestDoctorSeesTheConfigurationBreak(t *testing.T) {
	d := idleDaemon(t, nil)
	for yaml, want := range map[string]string{
		"log: {level: loud}\n":                 "warn The configuration has a problem: log.level: must be one of debug, info, warn, error; Anteroom goes on with the old one, and would not start again.",
		"log: {level: loud, format: pretty}\n": "warn The configuration has 2 problems, of which the first is: log.level: must be one of debug, info, warn, error; Anteroom goes on with the old one, and would not start again.",
		"log: {level: warn}\n":                 "warn The configuration was changed after Anteroom started, which goes on with the old one.",
	} {
		file := configtest.Write(t, yaml)
		d.reload = func() (config.Plan, error) {
			return config.Load(pflag.NewFlagSet("test", pflag.ContinueOnError), []string{"ANTEROOM_CONFIG=" + file})
		}
		if c := checked(t, d, "configuration"); string(c.Status)+" "+c.Finding != want || c.Todo == "" {
			t.Errorf("%s: got %+v", yaml, c)
		}
	}
}

// TestDoctorWaitsForTheAuthority: one that does not answer.
func TestDoctorWaitsForTheAuthority(t *testing.T) {
	cfg := loopbackConfig(t.TempDir() + "/d")
	cfg.HTTP.PublicListen, cfg.HTTP.RedirectListen, cfg.Relay.Listen = []string{"127.0.0.1:0"}, "", nil
	cfg.HTTP.PublicURL = "https://192.0.2.10"
	cfg.HTTP.TLS = config.TLS{Mode: config.TLSACME, AgreeTerms: true, Directory: fmt.Sprintf("https://127.0.0.1:%d/dir", closedPort(t))}
	d, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c := checked(t, d, "certificate"); c.Status != doctor.Warn || c.Finding != "The certificate has been asked for, and is not there yet." || c.Todo != "Check again in a minute." {
		t.Errorf("before the first attempt: %+v", c)
	}
	runDaemon(t, d)
	polltest.Eventually(t, "the authority's being missed", func() bool { return d.entrance.certs.Status().Reason != "" })
	if c := checked(t, d, "certificate"); c.Status != doctor.Fail || !strings.HasPrefix(c.Finding, "There is no certificate yet: ") || !strings.HasPrefix(c.Todo, "See that the name leads to this computer") {
		t.Errorf("after it: %+v", c)
	}
}

// at leads every name to this computer.
type at struct{ netip.Addr }

func (a at) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{a.Addr}, nil
}

// TestDoctorVisitsTheFront: a laptop whose patients come to another node, which
// need not be set up for that; and the same one after it has gone.
func TestDoctorVisitsTheFront(t *testing.T) {
	dir, port := t.TempDir(), closedPort(t)
	certFile, keyFile := certstest.WritePair(t, dir, daemontest.PublicName)
	cfg := loopbackConfig(dir + "/front")
	cfg.HTTP.PublicURL = fmt.Sprintf("https://%s:%d", daemontest.PublicName, port)
	cfg.HTTP.PublicListen, cfg.HTTP.RedirectListen, cfg.Relay.Listen = []string{fmt.Sprintf("127.0.0.1:%d", port)}, "", nil
	cfg.HTTP.TLS = daemontest.Files(certFile, keyFile)
	front, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- front.Run(ctx) }() // ends below
	card, err := front.discovery.Card("")
	if err != nil {
		t.Fatal(err)
	}
	laptop := idleDaemon(t, func(c *config.Config) {
		c.Discovery.AllowPrivateAddresses = true
		c.Practice = config.Practice{Nodes: []string{card}, FrontURL: cfg.HTTP.PublicURL}
	})
	pem, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	page := func() string {
		c := laptop.subject()
		c.Resolver, c.Roots = at{netip.MustParseAddr("127.0.0.1")}, x509.NewCertPool()
		c.Roots.AppendCertsFromPEM(pem)
		for _, c := range doctor.Run(t.Context(), c).Checks {
			if c.ID == "page" {
				return string(c.Status) + " " + english(c.Finding)
			}
		}
		return ""
	}
	if got, want := page(), "pass A node of the practice answers at "+cfg.HTTP.PublicURL+"."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	stop()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if got, want := page(), "fail Nothing answers at "+cfg.HTTP.PublicURL+", at 127.0.0.1."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestDoctorMissesALender: a node that lends to others only.
func TestDoctorMissesALender(t *testing.T) {
	other, err := New(t.Context(), daemontest.Plan(t, loopbackConfig(t.TempDir()+"/d")), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, other)
	card, err := other.discovery.Card("")
	if err != nil {
		t.Fatal(err)
	}
	cfg := loopbackConfig(t.TempDir() + "/d")
	cfg.Relay.BorrowFrom = []string{card}
	d, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, d)
	_, is := examined(t, d)
	if c := is["lenders"]; c.Status != doctor.Warn || c.Finding != "No node lends its relay to this one now." || !strings.HasPrefix(c.Todo, "Ask those in relay.borrow_from") {
		t.Errorf("%+v", c)
	}
}

// TestDoctorTriesBorrowedRelays: where the lender sends browsers, over each
// transport that it has.
func TestDoctorTriesBorrowedRelays(t *testing.T) {
	cfg := loopbackConfig(t.TempDir() + "/d")
	id := daemontest.Identity(t, cfg)
	lending := loopbackConfig(t.TempDir() + "/d")
	lending.Relay.Listen, lending.Relay.TLS = []string{"127.0.0.1:0"}, false
	lending.Relay.Host, lending.Relay.LendTo = "127.0.0.1", []string{id.String()}
	lender, err := New(t.Context(), daemontest.Plan(t, lending), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, lender)
	card, err := lender.discovery.Card("")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Relay.BorrowFrom = []string{card}
	d, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, d)
	polltest.Eventually(t, "a relay that is lent", d.node.HasRelay)
	_, is := examined(t, d)
	for id, want := range map[string]string{
		"relay-udp": "pass The borrowed relay answers over UDP.",
		"relay-tcp": "pass The borrowed relay answers over TCP.",
		"relay-tls": "skip No relay that this node borrows is reached over TLS.",
	} {
		if got := string(is[id].Status) + " " + is[id].Finding; got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
}

// english is what a person reads of a message.
func english(m api.Message) string { return words.English.Say(m) }
