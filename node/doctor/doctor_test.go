package doctor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery"
	"anteroom/node/polltest"
	"anteroom/node/practice"
)

// healthy is a node to which patients can come, and the peer that sees it.
func healthy(t testing.TB) (Config, *discovery.Discovery) {
	t.Helper()
	ends := time.Now().Add(time.Hour)
	h := newHouse(t, ends)
	a, b := start(t, nil), start(t, nil)
	meet(t, a, b)
	h.isOf(t, a)
	witness(b, trusting(h.roots))
	return Config{
		Running: true, Discovery: a, Relay: h.relay, RelayHost: "127.0.0.1",
		PublicURL: fmt.Sprintf("https://127.0.0.1:%d", h.port),
		DataDir:   records(t),
		Records:   func(context.Context) error { return nil },
		Audit:     func(context.Context) error { return nil },
		Certificate: func() (Certificate, error) {
			return Certificate{Names: []string{"127.0.0.1"}, NotAfter: ends}, nil
		},
	}, b
}

// records returns the data directory of a practice.
func records(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "d")
	p, err := practice.Open(t.Context(), practice.Config{Dir: dir})
	check(t, err)
	check(t, p.Close())
	return dir
}

func TestHealthyNode(t *testing.T) {
	cfg, _ := healthy(t)
	report := Run(t.Context(), cfg)
	if !report.Ready || !report.Confirmed || english(report.Summary) != "Ready for calls." || len(report.Checks) != len(table) {
		t.Errorf("%s", english(report.Summary))
	}
	want := map[string]Status{"ports": Skip, "addresses": Skip, "lenders": Skip, "dns": Skip, "front": Skip}
	seen := map[string]bool{}
	for _, c := range report.Checks {
		status := want[c.ID]
		if status == "" {
			status = Pass
		}
		if c.Status != status || seen[c.ID] || c.Status == Pass && c.Todo.Code != "" {
			t.Errorf("%+v, want %s", c, status)
		}
		seen[c.ID] = true
	}
}

// Nobody is asked, and nothing fails, on a node for this computer only.
func TestNodeForThisComputer(t *testing.T) {
	d := start(t, func(c *discovery.Config) { c.Listen = nil })
	before := openSockets(t)
	report := Run(t.Context(), Config{Running: true, Discovery: d, DataDir: records(t)})
	if !report.Ready || !report.Confirmed || english(report.Summary) != "Ready for calls on this computer." {
		t.Errorf("%s", english(report.Summary))
	}
	for _, c := range report.Checks {
		if c.Status == Warn || c.Status == Fail {
			t.Errorf("%+v", c)
		}
	}
	if n := openSockets(t) - before; n > 0 {
		t.Errorf("%d more sockets", n)
	}
}

// openSockets is how many sockets this process has open; where there is no /proc,
// none.
func openSockets(t testing.TB) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fd/*")
	check(t, err)
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}

// What peers see is said for the port that it is about.
func TestOutside(t *testing.T) {
	cfg, peer := healthy(t)
	r := newRun(t, cfg)
	expect(t, r.page(t.Context()), Pass, "A peer reached the page from the same network, at 127.0.0.1.", "")
	expect(t, r.relayUDP(t.Context()), Pass, "The relay works over UDP, also from the same network.", "")
	expect(t, r.relayTLS(t.Context()), Pass, "over TLS, also from the same network.", "")
	expect(t, r.udp(t.Context()), Pass, "Peers are reached over UDP.", "")

	witness(peer, nil) // whose roots are those of browsers, which do not know ours
	r = newRun(t, cfg)
	expect(t, r.page(t.Context()), Fail, "Browsers refuse the certificate at port ", "signed for the name in http.public_url")
	expect(t, r.relayTLS(t.Context()), Warn, "Of the relay: browsers refuse the certificate", "signed")

	// Outside nobody listens: a firewall.
	closed := nobody(t)
	shut := cfg
	shut.PublicURL = fmt.Sprintf("https://127.0.0.1:%d", closed)
	r = newRun(t, shut)
	expect(t, r.page(t.Context()), Fail, fmt.Sprintf("Nothing answers from the same network at port %d (TCP) of 127.0.0.1.", closed),
		fmt.Sprintf("Open port %d (TCP) in the firewall, and forward it to this computer in the router.", closed))
	expect(t, r.relayTLS(t.Context()), Warn, "Of the relay: nothing answers from the same network", "Open port")

	// The router forwards the port to something else.
	for greeting, want := range map[string][2]string{
		strings.Repeat("HTTP/1.1 400 Bad Request\r\n", 4): {"Something else than Anteroom answers at port %d (TCP) of 127.0.0.1.", "See what else has port %d (TCP)"},
		"": {"Nothing gets through from the same network to port %d (TCP) of 127.0.0.1.", "Open port %d (TCP)"},
	} {
		port := stubborn(t, greeting)
		shut.PublicURL, shut.Proxied = fmt.Sprintf("https://127.0.0.1:%d", port), false
		expect(t, newRun(t, shut).page(t.Context()), Fail, fmt.Sprintf(want[0], port), fmt.Sprintf(want[1], port))
	}

	// TLS ends at a web server that has nobody to pass requests on to.
	house, is := newHouse(t, time.Now().Add(time.Hour)), cfg
	house.page.becomes(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	is.PublicURL = fmt.Sprintf("https://127.0.0.1:%d", house.port)
	witness(peer, trusting(house.roots))
	expect(t, newRun(t, is).page(t.Context()), Fail, fmt.Sprintf("Something else than Anteroom answers at port %d (TCP) of 127.0.0.1.", house.port),
		fmt.Sprintf("See what else has port %d (TCP)", house.port))

	// A relay that nobody outside reaches at all is no relay: it listens where
	// the peer does not look for it.
	if runtime.GOOS == "linux" { // has all of 127.0.0.0/8
		apart := newHouseAt(t, netip.MustParseAddr("127.0.0.2"), time.Now().Add(time.Hour))
		unseen := shut
		unseen.Relay, unseen.PublicURL = apart.relay, fmt.Sprintf("https://127.0.0.1:%d", apart.port)
		r = newRun(t, unseen)
		expect(t, r.relayUDP(t.Context()), Fail, "Of the relay: nothing answers from the same network at port ", "(UDP) in the firewall")
		expect(t, r.relayTCP(t.Context()), Fail, "Of the relay: nothing answers from the same network at port ", "(TCP) in the firewall")
		expect(t, r.relayTLS(t.Context()), Fail, "Of the relay: nothing answers from the same network at port ", "(TCP) in the firewall")
	}
	witness(peer, func(w *Witness) {
		w.dial = func(context.Context, string, string) (net.Conn, error) { return nil, context.DeadlineExceeded }
	})
	r = newRun(t, cfg)
	expect(t, r.relayUDP(t.Context()), Fail, "Of the relay: nothing gets through from the same network to port", "(UDP) in the firewall")
	expect(t, r.relayTCP(t.Context()), Fail, "Of the relay: nothing gets through", "(TCP)")
}

// What a peer outside sees counts for more than what one next door does, and
// one that gets through for more than one that does not.
func TestWhoLooked(t *testing.T) {
	cfg, _ := healthy(t)
	cfg.Relay, cfg.PublicURL, cfg.RelayHost = nil, "https://call.example", ""
	near, far, farther := netip.MustParseAddr("192.168.1.7"), netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9")
	for _, c := range []struct {
		seen   []answer
		status Status
		found  string
	}{
		{[]answer{sees(near, OK)}, Pass, "A peer reached the page from the same network, at 192.168.1.7."},
		{[]answer{sees(near, OK), sees(far, Timeout)}, Fail, "Nothing gets through from outside to port 443 (TCP) of 203.0.113.9."},
		{[]answer{sees(far, Unreachable), sees(near, OK)}, Fail, "Nothing gets through from outside to port 443 (TCP) of 203.0.113.9."},
		{[]answer{sees(far, Refused), sees(farther, OK), sees(near, OK)}, Pass, "A peer reached the page from outside, at 2001:db8::9."},
		{[]answer{sees(far, WrongAnswer)}, Fail, "Something else than Anteroom answers at port 443 (TCP) of 203.0.113.9."},
		{[]answer{{Answer: Answer{Outcome: Relayed}}}, Warn, "Peers see this node through a relay only"},
		{[]answer{{Answer: Answer{Outcome: Private, Address: near}}}, Warn, "All peers are in the same building"},
		{[]answer{{err: errMalformed}}, Warn, "No peer answered"},
	} {
		r := newRun(t, cfg)
		r.answers = func() []answer { return c.seen }
		if got := r.page(t.Context()); got.status != c.status || !strings.HasPrefix(english(got.found), c.found) || (got.todo.Code == "") != (c.status == Pass) {
			t.Errorf("%+v, want %s: %s", got, c.status, c.found)
		}
	}
}

func sees(at netip.Addr, r Result) answer {
	return answer{Answer: Answer{Address: at, Results: []Result{r}}}
}

func TestNobodyLooks(t *testing.T) {
	cfg, peer := healthy(t)
	w := witness(peer, nil)
	for range asksPerMinute {
		w.mayAsk(cfg.Discovery.ID())
	}
	expect(t, newRun(t, cfg).page(t.Context()), Warn, "Peers were asked too often", "Check again in a minute.")
	expect(t, newRun(t, cfg).relayUDP(t.Context()), Pass, "The relay works over UDP on this computer; nobody looked from outside.", "")

	alone := cfg
	alone.Discovery = start(t, nil)
	r := newRun(t, alone)
	expect(t, r.page(t.Context()), Warn, "No other node is known that could look from outside.", "Ask a friendly practice to be your peer")
	expect(t, r.clock(t.Context()), Skip, "No peer answered that could tell the time.", "Ask a friendly practice")
	expect(t, r.dht(t.Context()), Skip, "No other node is known", "")
	expect(t, r.peers(t.Context()), Skip, "This node has no peers.", "")

	// A name that is in no form that peers take.
	misspelt := cfg
	misspelt.PublicURL = "https://Call.example"
	w.forgive(cfg.Discovery.ID())
	expect(t, newRun(t, misspelt).page(t.Context()), Warn, "Peers could not be asked to look at this.", "in their xn-- form")

	// An older peer does not know the question.
	other := start(t, nil)
	meet(t, alone.Discovery, other)
	expect(t, newRun(t, alone).page(t.Context()), Warn, "No peer answered, so nobody looked", "Ask the peers")
}

func TestClock(t *testing.T) {
	cfg, _ := healthy(t)
	for ahead, want := range map[time.Duration]struct {
		status      Status
		found, todo string
	}{
		30 * time.Second:               {Pass, "The clock agrees with that of a peer.", ""},
		90*time.Second + time.Second/2: {Warn, "The clock of this computer is 90 seconds ahead of that of a peer.", "set by the network"},
		-7*time.Minute - 5*time.Second: {Fail, "The clock of this computer is 7 minutes behind that of a peer.", "timedatectl set-ntp true"},
	} {
		cfg.Clock = func() time.Time { return time.Now().Add(ahead) }
		got := newRun(t, cfg).clock(t.Context())
		if ahead == 30*time.Second {
			expect(t, got, Pass, want.found, "")
		} else {
			expect(t, got, want.status, strings.TrimSuffix(want.found, "90 seconds ahead of that of a peer."), want.todo)
		}
	}
	// One of three tells another time.
	cfg.Clock = nil
	for _, ahead := range []time.Duration{0, 10 * time.Hour} {
		other := start(t, nil)
		meet(t, cfg.Discovery, other)
		witness(other, func(w *Witness) { w.clock = func() time.Time { return time.Now().Add(ahead) } })
	}
	expect(t, newRun(t, cfg).clock(t.Context()), Pass, "The clock agrees with those of 3 peers.", "")
}

// TestClockThatLeapt: without a peer it is not believed, and one that agrees
// settles it.
func TestClockThatLeapt(t *testing.T) {
	cfg, _ := healthy(t)
	leapt := true
	cfg.Leapt = func() (from, to time.Time, wait time.Duration, is bool) {
		at := time.Date(2026, 3, 4, 15, 6, 0, 0, time.Local)
		return at, at.AddDate(0, 0, 40), 30 * time.Hour, leapt
	}
	cfg.BelieveClock = func() { leapt = false }
	alone := Config{Running: true, Leapt: cfg.Leapt, BelieveClock: cfg.BelieveClock}
	expect(t, newRun(t, alone).clock(t.Context()), Warn, "has gone from 2026-03-04 15:06 to 2026-04-13 15:06", "it has run for another 30 hours")
	expect(t, newRun(t, cfg).clock(t.Context()), Pass, "The clock agrees with that of a peer.", "")
	expect(t, newRun(t, alone).clock(t.Context()), Skip, "No peer answered that could tell the time.", "")
}

func TestRelayOnThisComputer(t *testing.T) {
	ctx := t.Context()
	cfg, _ := healthy(t)
	whole := cfg.Relay
	cfg.Relay = &Relay{Try: whole.Try, Plain: whole.Plain}
	expect(t, newRun(t, cfg).relayTLS(ctx), Skip, "The relay does not listen for TLS.", "")
	broken := *whole
	broken.Plain = []netip.AddrPort{netip.AddrPortFrom(localhost, nobody(t))}
	broken.TLS = broken.Plain
	cfg.Relay = &broken
	expect(t, newRun(t, cfg).relayTCP(ctx), Fail, "The relay gives out no place over TCP: ", "Restart Anteroom")
	expect(t, newRun(t, cfg).relayTLS(ctx), Fail, "The relay gives out no place over TLS: ", "Restart Anteroom")
	expect(t, newRun(t, cfg).relayUDP(ctx), Fail, "The relay does not answer over UDP on this computer.", "Restart Anteroom")
	cfg.Relay = nil
	expect(t, newRun(t, cfg).relayUDP(ctx), Warn, "There is no relay, so calls fail", "relay.borrow_from")
	expect(t, newRun(t, cfg).relayTCP(ctx), Skip, "no relay of its own", "")
	cfg.Lenders = func() (int, int) { return 1, 2 }
	expect(t, newRun(t, cfg).lenders(ctx), Pass, "1 of 2 nodes lend their relay to this one.", "")
	cfg.Lenders = func() (int, int) { return 0, 2 }
	expect(t, newRun(t, cfg).lenders(ctx), Warn, "No node lends its relay to this one now.", "relay.lend_to")
}

// Where TCP was first, UDP still gets through.
func TestUDPGetsThroughThoughTCPWasFirst(t *testing.T) {
	a, b := start(t, nil), start(t, nil)
	check(t, b.AddPeer(discovery.PeerInfo{ID: a.ID()}))
	witness(b, nil)
	info := infoOf(t, b, "")
	onlyTCP := info
	onlyTCP.Addrs = slices.DeleteFunc(slices.Clone(info.Addrs), overQUIC)
	check(t, a.AddPeer(onlyTCP))
	polltest.Eventually(t, "a connected peer", func() bool { return a.ListPeers()[0].Connected })
	check(t, a.AddPeer(info))
	expect(t, newRun(t, Config{Running: true, Discovery: a}).udp(t.Context()), Pass, "Peers are reached over UDP.", "")
}

func overQUIC(m ma.Multiaddr) bool { _, err := m.ValueForProtocol(ma.P_QUIC_V1); return err == nil }

// A peer whose UDP port is shut, as that of everybody is behind some firewalls.
func TestUDPDoesNotGetThrough(t *testing.T) {
	a, b := start(t, nil), start(t, nil)
	check(t, b.AddPeer(discovery.PeerInfo{ID: a.ID()}))
	witness(b, nil)
	info := infoOf(t, b, "")
	shut := ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", nobody(t)))
	info.Addrs = slices.DeleteFunc(info.Addrs, overQUIC)
	info.Addrs = append(info.Addrs, shut)
	check(t, a.AddPeer(info))
	polltest.Eventually(t, "a connected peer", func() bool { return a.ListPeers()[0].Connected })
	expect(t, newRun(t, Config{Running: true, Discovery: a}).udp(t.Context()), Warn, "Peers are reached over TCP only, although they offer UDP.", "Allow outgoing UDP")
}

// What peers found when they tried the addresses, which is always those on the
// internet, so that a test of package discovery simulates one.
func TestAddresses(t *testing.T) {
	at := []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.7/tcp/4001")}
	expect(t, judgeReach(discovery.Reachability{Reached: at, Unreached: at}), Pass, "Other nodes reach this one at /ip4/192.0.2.7/tcp/4001.", "")
	expect(t, judgeReach(discovery.Reachability{Unreached: at, Untried: at}), Warn, "Other nodes do not reach this one at /ip4/192.0.2.7/tcp/4001.", "Open the ports of discovery.listen")
	expect(t, judgeReach(discovery.Reachability{Untried: at}), Skip, "No peer has tried this node's addresses yet.", "in some minutes")
	expect(t, judgeReach(discovery.Reachability{}), Skip, "This node has no address on the internet", "")
}

// A peer that says nothing holds up neither the list nor its end.
func TestRunEndsWithItsContext(t *testing.T) {
	cfg, _ := healthy(t)
	silent := start(t, nil)
	meet(t, cfg.Discovery, silent)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked time.Time
	silent.Handle(Protocol, func(ctx context.Context, s network.Stream) {
		asked = time.Now()
		cancel()
		<-ctx.Done()
		s.Reset()
	})
	report := Run(ctx, cfg)
	if took := time.Since(asked); took > askTime*4/5 || len(report.Checks) != len(table) { // or it waited for the answer
		t.Errorf("%d checks in %v", len(report.Checks), took)
	}
}

func TestSummary(t *testing.T) {
	found := say("doctor.disk.full", args{"mb": 19})
	r := Report{Checks: []Check{{Status: Warn, Finding: say("doctor.late")}, {Status: Fail, Finding: found}, {Status: Fail, Finding: say("doctor.late")}}}
	const want = "The disk is full: 19 MB are free, and appointments cannot be kept."
	if r.summarize(true, false); english(r.Summary) != "Patients cannot reach you: "+want || r.Ready {
		t.Errorf("got %s, want %s", english(r.Summary), want)
	}
	if got := english(r.Line()); got != "Not ready: "+want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLineOfAReadyNode(t *testing.T) {
	for _, c := range []struct {
		local, reached, confirmed bool
		want                      string
	}{
		{true, false, true, "Ready for calls on this computer"},
		{false, true, true, "Ready for calls"},
		{false, false, false, "Ready for calls, as far as this computer can see"},
	} {
		r := Report{Checks: []Check{{Status: Warn, Finding: say("doctor.late")}}}
		if r.summarize(c.local, c.reached); english(r.Line()) != c.want || r.Confirmed != c.confirmed || !r.Ready {
			t.Errorf("got %s, confirmed %t, want %s", english(r.Line()), r.Confirmed, c.want)
		}
	}
}

// A node that has all it needs on this computer, and nobody to look at it.
func TestNobodyHasEverLooked(t *testing.T) {
	cfg, _ := healthy(t)
	cfg.Discovery = start(t, nil)
	for _, proxied := range []bool{false, true} {
		if cfg.Proxied = proxied; proxied {
			site, roots, port := newSite(t, "call.example", time.Now().Add(time.Hour))
			site.becomes(cardOf(t, cfg.Discovery, fmt.Sprintf("call.example:%d", port)))
			cfg.PublicURL, cfg.Roots, cfg.Resolver = fmt.Sprintf("https://call.example:%d", port), roots, names{"call.example": {localhost}}
		}
		report := Run(t.Context(), cfg)
		if english(report.Line()) != "Ready for calls, as far as this computer can see" || !report.Ready || report.Confirmed {
			t.Errorf("%s: %+v", english(report.Line()), report)
		}
		for _, c := range report.Checks {
			if c.ID == "page" && (c.Status != Warn || !strings.Contains(english(c.Finding), "look") || !strings.HasPrefix(english(c.Todo), "Ask a friendly practice to be your peer")) {
				t.Errorf("%+v", c)
			}
		}
	}
}
