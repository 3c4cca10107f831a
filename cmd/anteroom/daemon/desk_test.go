package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/daemon/daemontest"
	"anteroom/discovery/contacts"
	"anteroom/httpui"
	"anteroom/node/audit"
	"anteroom/node/desk"
	"anteroom/node/desk/api"
	"anteroom/node/people"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// idleDaemon returns a daemon that is bound to free ports and does not run.
func idleDaemon(t *testing.T, change func(*config.Config)) *Daemon {
	cfg := config.Default()
	cfg.DataDir = t.TempDir() + "/d"
	cfg.HTTP.Listen = []string{"localhost:0"}
	if change != nil {
		change(&cfg)
	}
	d, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func setUpDaemon(t *testing.T, d *Daemon) (practitioner string) {
	who, err := d.practice.People.SetUp(t.Context(), people.SetUp{Practice: "Riverside Practice", Name: "Dr Lee", Password: "violet tractor seventeen"})
	if err != nil {
		t.Fatal(err)
	}
	return who.ID
}

// as is the desk of d for a practitioner.
func as(d *Daemon, practitioner string) *desk.Access {
	return d.desk.As(desk.Practitioner(practitioner))
}

func TestLinkBase(t *testing.T) {
	const here = "http://localhost:7600"
	for _, c := range []struct {
		public, front, want string
		local               bool
	}{
		{"", "", here, true},
		{"", "http://localhost:7700", "http://localhost:7700", true},
		{"", "http://[::1]:7700", "http://[::1]:7700", true},
		{"", "https://front.example", "https://front.example", false},
		{"https://call.example", "", "https://call.example", false},
		{"https://call.example", "https://front.example", "https://call.example", false},
	} {
		var plan config.Plan
		for text, to := range map[string]**url.URL{c.public: &plan.Public, c.front: &plan.Front} {
			if u, err := url.Parse(text); err != nil {
				t.Fatal(err)
			} else if text != "" {
				*to = u
			}
		}
		links, local := linkBase(plan, here)
		if links != c.want || local != c.local {
			t.Errorf("%q, %q: got %s, local %v", c.public, c.front, links, local)
		}
		d := desk.New(desk.Config{})
		d.At(here, links, local)
		if kind := d.Reach().Kind; (kind == "local") != c.local {
			t.Errorf("%q, %q: reach is %s", c.public, c.front, kind)
		}
	}
}

// TestPagesForSomebodyRemoved: a session can outlive its practitioner.
func TestPagesForSomebodyRemoved(t *testing.T) {
	d := idleDaemon(t, nil)
	who := setUpDaemon(t, d)
	a, err := as(d, who).CreateAppointment(t.Context(), api.NewAppointment{
		Starts: time.Now().Unix(), Minutes: 30, Guests: []api.NewGuest{{Label: "Ana"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const removed = "0123456789abcdef"
	for what, do := range map[string]func(context.Context) error{
		"info": func(ctx context.Context) error { _, err := as(d, removed).Info(ctx); return err },
		"desk": func(ctx context.Context) error { _, err := as(d, removed).Desk(ctx); return err },
		"create": func(ctx context.Context) error {
			_, err := as(d, removed).CreateAppointment(ctx, api.NewAppointment{})
			return err
		},
		"doctor": func(ctx context.Context) error { _, err := as(d, removed).Doctor(ctx); return err },
		"test":   func(ctx context.Context) error { _, err := as(d, removed).TestCall(ctx); return err },
		"links":  func(ctx context.Context) error { _, err := as(d, removed).Links(ctx, a.ID); return err },
		"cancel": func(ctx context.Context) error { return as(d, removed).Cancel(ctx, a.ID) },
		"revoke": func(ctx context.Context) error { return as(d, removed).Revoke(ctx, a.Guests[0].Member) },
		"rotate": func(ctx context.Context) error {
			_, err := as(d, removed).Rotate(ctx, a.Guests[0].Member)
			return err
		},
	} {
		if err := do(t.Context()); !errors.Is(err, wire.ErrUnauthorized) {
			t.Errorf("%s: got %v, want unauthorized", what, err)
		}
	}
	if links, err := as(d, who).Links(t.Context(), a.ID); err != nil || len(links) != 1 || links[0].URL != a.Guests[0].URL {
		t.Errorf("the owner's links: got %v, %v", len(links), err)
	}
}

// The diary, which is pushed to a page that may be left open, holds no link;
// that one was shown again is in the audit trail.
func TestLinksAreShownOnRequestAndOnRecord(t *testing.T) {
	d := idleDaemon(t, nil)
	who := setUpDaemon(t, d)
	a, err := as(d, who).CreateAppointment(t.Context(), api.NewAppointment{
		Starts: time.Now().Unix(), Minutes: 30, Guests: []api.NewGuest{{Label: "Ana"}, {Label: "Ben"}},
	})
	if err != nil || a.Guests[0].URL == "" {
		t.Fatalf("a new appointment: %v, link %q", err, a.Guests[0].URL)
	}
	shown := func() (n int) {
		entries, err := d.practice.Trail.Entries(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Event == audit.EventShowLink && e.By == who && e.Appointment == a.ID && e.Member != "" {
				n++
			}
		}
		return n
	}
	desk, err := as(d, who).Desk(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if g := desk.Appointments[0].Guests[0]; g.URL != "" || !g.Link || !g.Local {
		t.Errorf("in the diary: %+v", g)
	}
	if n := shown(); n != 0 {
		t.Errorf("%d links were shown so far", n)
	}
	if links, err := as(d, who).Links(t.Context(), a.ID); err != nil || len(links) != 2 || shown() != 2 {
		t.Errorf("%d links, %v, %d on record", len(links), err, shown())
	}
}

func TestSignInTellsNothing(t *testing.T) {
	d := idleDaemon(t, nil)
	who := setUpDaemon(t, d)
	if got, err := d.signIns.SignIn(t.Context(), api.Browser{}, "dr lee", "violet tractor seventeen"); err != nil || got.Practitioner != who {
		t.Errorf("got %q, %v", got.Practitioner, err)
	}
	for _, name := range []string{"", "Dr Lee", "Nobody"} {
		if got, err := d.signIns.SignIn(t.Context(), api.Browser{}, name, "violet tractor eighteen"); got != (api.Entry{}) || !errors.Is(err, wire.ErrUnauthorized) {
			t.Errorf("%q: got %q, %v", name, got.Practitioner, err)
		}
	}
	if _, err := d.practice.People.SetUp(t.Context(), people.SetUp{Practice: "Other", Name: "Dr No", Password: "another good password"}); err == nil {
		t.Error("set up twice")
	}
}

// TestCardOfAnyPractice: a name that a terminal cannot show leaves the card
// nameless, not missing.
func TestCardOfAnyPractice(t *testing.T) {
	d := idleDaemon(t, nil)
	if _, err := as(d, "").Card(t.Context()); err != nil {
		t.Errorf("before setting up: %v", err)
	}
	if _, err := d.practice.People.SetUp(t.Context(), people.SetUp{Practice: "Cabinet\u00a0Médical", Name: "Dr Lee", Password: "violet tractor seventeen"}); err != nil {
		t.Fatal(err)
	}
	if _, err := as(d, "").Card(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestEmptyConfigurationListensOnLoopbackOnly: no other socket is bound.
func TestEmptyConfigurationListensOnLoopbackOnly(t *testing.T) {
	d := idleDaemon(t, nil)
	if addrs := d.discovery.Addrs(); len(addrs) != 0 {
		t.Errorf("discovery listens on %v", addrs)
	}
	for _, l := range d.listeners {
		if !config.IsLoopbackHost(hostOf(l.Addr().String())) {
			t.Errorf("page listens on %v", l.Addr())
		}
	}
}

// TestDaemonThatFailsLetsGoOfEverything: whatever is in the way, the next one
// can have the directory.
func TestDaemonThatFailsLetsGoOfEverything(t *testing.T) {
	first := idleDaemon(t, nil)
	dir := t.TempDir() + "/d"
	cfg := config.Default()
	cfg.DataDir = dir
	cfg.HTTP.Listen = []string{first.listeners[0].Addr().String()}
	if _, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil); err == nil {
		t.Fatal("two daemons on one port")
	}
	cfg.HTTP.Listen = []string{"localhost:0"}
	cfg.Discovery.Listen = []string{"/ip4/192.0.2.1/tcp/1"} // not this computer's
	if _, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil); err == nil {
		t.Fatal("listens on another computer's address")
	}
	idleDaemon(t, func(c *config.Config) { c.DataDir = dir })
}

// Peers that look at a page know it by the card, also before anybody has
// answered the first page's questions.
func TestCardBeforeSetUp(t *testing.T) {
	d := idleDaemon(t, nil)
	card, err := as(d, "").Card(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := contacts.ParseCard(card); err != nil || info.ID != d.discovery.ID() {
		t.Errorf("got the card of %v, %v", info.ID, err)
	}
}

// fullStore is a practice's sessions on a full disk.
type fullStore struct {
	people.Sessions
	roomy bool // not any more
}

func (s *fullStore) Commit(hash string, data []byte, expires time.Time) error {
	if s.roomy {
		return s.Sessions.Commit(hash, data, expires)
	}
	return fmt.Errorf("commit session: %w", practice.ErrFull)
}

// TestSessionOnAFullDiskIsTold: whoever signs in by a launch address reads that
// the disk is full, and the address is good afterwards.
func TestSessionOnAFullDiskIsTold(t *testing.T) {
	d := idleDaemon(t, nil)
	who := setUpDaemon(t, d)
	store := &fullStore{Sessions: d.practice.People.Sessions()}
	b := d.backend()
	b.Accounts = people.NewSignIns(people.SignInsConfig{People: d.practice.People, Sessions: store})
	l, err := httpui.Listen(t.Context(), []string{"localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	ui, err := httpui.New(httpui.Config{Listeners: l, InstallID: "test"}, b)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- ui.Run(ctx) }() // ends with ctx
	defer func() { stop(); <-ran }()
	_, token, _ := strings.Cut(ui.LaunchURL(who), "#launch=")
	launch := func() (int, string) {
		t.Helper()
		req, err := http.NewRequest("POST", ui.URL()+"/api/launch", strings.NewReader(`{"token":"`+token+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Origin": {ui.URL()}, "Content-Type": {"application/json"}}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for range 2 {
		if status, body := launch(); status != 507 || !strings.Contains(body, `"refusal.disk-full"`) {
			t.Errorf("%d %s", status, body)
		}
	}
	store.roomy = true
	if status, body := launch(); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}
