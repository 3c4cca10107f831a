package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-msgio/pbio"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/net/dns/dnsmessage"

	"anteroom/discovery"
	"anteroom/node/practice"
)

var update = flag.Bool("update", false, "write testdata instead of comparing with it")

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
	begun := time.Now()
	report := Run(t.Context(), cfg)
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
	if !report.Ready || !report.Confirmed || report.Summary != "Ready for calls." || len(report.Checks) != len(table) {
		t.Errorf("%s", report.Summary)
	}
	want := map[string]Status{"ports": Skip, "addresses": Skip, "lenders": Skip, "dns": Skip, "front": Skip}
	seen := map[string]bool{}
	for _, c := range report.Checks {
		status := want[c.ID]
		if status == "" {
			status = Pass
		}
		if c.Status != status || seen[c.ID] || c.Status == Pass && c.Todo != "" {
			t.Errorf("%+v, want %s", c, status)
		}
		seen[c.ID] = true
	}
}

// Nobody is asked, and nothing fails, on a node for this computer only.
func TestNodeForThisComputer(t *testing.T) {
	d := start(t, func(c *discovery.Config) { c.Listen = nil })
	report := Run(t.Context(), Config{Running: true, Discovery: d, DataDir: records(t)})
	if !report.Ready || !report.Confirmed || report.Summary != "Ready for calls on this computer." {
		t.Errorf("%s", report.Summary)
	}
	for _, c := range report.Checks {
		if c.Status == Warn || c.Status == Fail {
			t.Errorf("%+v", c)
		}
	}
	if n := d.Stats().Connections; n != 0 {
		t.Errorf("%d connections", n)
	}
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
		if got := r.page(t.Context()); got.status != c.status || !strings.HasPrefix(got.found, c.found) || (got.todo == "") != (c.status == Pass) {
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
	for ahead, want := range map[time.Duration]finding{
		30 * time.Second:               pass("The clock agrees with that of a peer."),
		90*time.Second + time.Second/2: warn("The clock of this computer is 90 seconds ahead of that of a peer.", "set by the network"),
		-7*time.Minute - 5*time.Second: fail("The clock of this computer is 7 minutes behind that of a peer.", "timedatectl set-ntp true"),
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

func TestRecords(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "d")
	expect(t, newRun(t, Config{DataDir: dir}).store(ctx), Skip, "There are no records yet.", "")
	p, err := practice.Open(ctx, practice.Config{Dir: dir})
	check(t, err)
	running := Config{Running: true, DataDir: dir, Records: p.Check}
	expect(t, newRun(t, running).store(ctx), Pass, "The records can be read, are whole, and are for you alone.", "")

	for name, mode := range map[string][2]os.FileMode{"": {0o755, 0o700}, "store.key": {0o644, 0o600}, "anteroom.db": {0o640, 0o600}} {
		path := filepath.Join(dir, name)
		check(t, os.Chmod(path, mode[0]))
		expect(t, newRun(t, running).store(ctx), Fail, fmt.Sprintf("is open to other users (mode %04o).", mode[0]), fmt.Sprintf("Run chmod %03o %s.", mode[1], path))
		check(t, os.Chmod(path, mode[1]))
	}
	check(t, os.Rename(filepath.Join(dir, "store.key"), filepath.Join(dir, "lost")))
	expect(t, newRun(t, running).store(ctx), Fail, "The records cannot be read: key file", "Look at the files in ")
	check(t, os.Rename(filepath.Join(dir, "lost"), filepath.Join(dir, "store.key")))
	check(t, p.Close())

	// A disk that returns something else than was written.
	file := filepath.Join(dir, "anteroom.db")
	content, err := os.ReadFile(file)
	check(t, err)
	copy(content[len(content)/2:], bytes.Repeat([]byte{0x5a}, 3*4096))
	p, err = practice.Open(ctx, practice.Config{Dir: dir})
	check(t, err)
	defer p.Close()
	running.Records = p.Check
	busy, cancel := context.WithCancel(ctx)
	cancel()
	expect(t, newRun(t, running).store(busy), Warn, "This check did not end in time.", "how busy this computer and its network are")
	check(t, os.WriteFile(file, content, 0o600))
	expect(t, newRun(t, running).store(ctx), Fail, "The database with your records is damaged.", "restore the last good backup")
}

func TestDiskSpace(t *testing.T) {
	expect(t, judgeSpace(19<<20), Fail, "The disk is full: 19 MB are free, and appointments cannot be kept.", "Delete what is not needed")
	expect(t, judgeSpace(199<<20), Warn, "The disk is nearly full: 199 MB are free.", "Delete")
	expect(t, judgeSpace(5<<30), Pass, "5120 MB are free for the records.", "")
	expect(t, newRun(t, Config{DataDir: ""}).disk(t.Context()), Warn, "How much space is free cannot be seen: no such file or directory.", "Look at the disk")
	if runtime.GOOS == "linux" { // where this is a disk that has no space
		expect(t, newRun(t, Config{DataDir: "/proc"}).disk(t.Context()), Fail, "The disk is full: 0 MB are free, and appointments cannot be kept.", "Delete what is not needed")
	}
	if got := newRun(t, Config{DataDir: t.TempDir() + "/not/yet"}).disk(t.Context()); got.status == Skip || !strings.Contains(got.found, " MB are free") {
		t.Errorf("%+v", got)
	}
}

func TestPorts(t *testing.T) {
	ctx := t.Context()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	free := fmt.Sprintf("127.0.0.1:%d", nobody(t))
	taken := Port{"http.public_listen", "the patients' page", "tcp", l.Addr().String()}
	expect(t, newRun(t, Config{Ports: []Port{taken}}).ports(ctx), Fail,
		"Address "+taken.Addr+" (TCP), which the patients' page needs, is in use by another program.", `See with "ss -lntup" which one; stop it or change http.public_listen`)
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	defer u.Close()
	expect(t, newRun(t, Config{Ports: []Port{{"relay.listen", "the relay", "udp", u.LocalAddr().String()}}}).ports(ctx), Fail,
		"Address "+u.LocalAddr().String()+" (UDP), which the relay needs, is in use by another program.", "stop it or change relay.listen")
	expect(t, newRun(t, Config{Ports: []Port{{"http.listen", "your page", "tcp", "127.0.0.1:99999"}}}).ports(ctx), Fail,
		"Address 127.0.0.1:99999 (TCP), which your page needs, cannot be used: ", "Change http.listen.")
	expect(t, newRun(t, Config{Ports: []Port{{"relay.listen", "the relay", "udp", "192.0.2.1:3478"}}}).ports(ctx), Fail,
		"Address 192.0.2.1:3478 (UDP), which the relay needs, is not one of this computer.", "Change relay.listen.")
	expect(t, cannotBind(taken, &net.OpError{Err: os.NewSyscallError("bind", syscall.EACCES)}), Fail, "is not for every program.", "setcap")
	expect(t, newRun(t, Config{Ports: []Port{{"a", "your page", "tcp", free}, {"b", "the relay", "udp", free}}}).ports(ctx), Pass,
		"Nothing is in the way for your page at "+free+" (TCP) and for the relay at "+free+" (UDP).", "")
	expect(t, newRun(t, Config{Running: true, Ports: []Port{taken}}).ports(ctx), Pass, "Anteroom listens for the patients' page at "+taken.Addr+" (TCP).", "")
}

func TestConfiguration(t *testing.T) {
	ctx := t.Context()
	running := true
	says := func(changed bool, err error) *run {
		return newRun(t, Config{Running: running, Configuration: func() (bool, error) { return changed, err }})
	}
	expect(t, says(false, nil).configuration(ctx), Pass, "The configuration has no problem.", "")
	expect(t, says(true, nil).configuration(ctx), Warn, "was changed after Anteroom started", "Restart Anteroom.")
	expect(t, says(false, errors.New("a: is bad")).configuration(ctx), Warn, "has a problem: a: is bad; Anteroom goes on with the old one, and would not start again.", "Correct it")
	running = false
	expect(t, says(false, errors.New("a: is bad")).configuration(ctx), Fail, "The configuration has a problem: a: is bad.", `"anteroom config check"`)
	expect(t, says(false, errors.New("a: is bad\nb: is worse")).configuration(ctx), Fail, "has 2 problems, of which the first is: a: is bad.", "See all of them")
	report := Unreadable(errors.New("http.listen: is empty"))
	if report.Ready || report.Summary != "Anteroom cannot start because the configuration has a problem: http.listen: is empty." {
		t.Errorf("%+v", report)
	}
}

func TestCertificate(t *testing.T) {
	ctx := t.Context()
	soon, later := time.Now().Add(time.Hour), time.Now().Add(90*24*time.Hour)
	for _, c := range []struct {
		is          Certificate
		err         error
		status      Status
		found, todo string
	}{
		{Certificate{Names: []string{"call.example"}, NotAfter: later}, nil, Pass, "The certificate for call.example is good until " + day(later) + ".", ""},
		{Certificate{Names: []string{"*.example"}, NotAfter: later}, nil, Pass, "good until", ""},
		{Certificate{Names: []string{"other.example"}, NotAfter: later}, nil, Fail, "The certificate is for other.example, not for call.example.", "http.public_url"},
		{Certificate{Names: []string{"call.example"}, NotAfter: soon, Alert: true, Reason: "order: no route"}, nil, Warn, "ends on " + day(soon) + " and should have been renewed. Renewing it failed: order: no route.", "renewed"},
		{Certificate{Names: []string{"call.example"}, NotAfter: later, Reason: "order: no route"}, nil, Warn, "Renewing it failed: order: no route.", "Have the two files"},
		{Certificate{Mode: "acme", Names: []string{"call.example"}}, nil, Warn, "has been asked for, and is not there yet.", "in a minute"},
		{Certificate{Mode: "acme", Names: []string{"call.example"}, Reason: "the authority cannot connect"}, nil, Fail, "There is no certificate yet: the authority cannot connect.", "ports 443 and 80"},
		{Certificate{Names: []string{"call.example"}, NotAfter: time.Now().Add(-time.Hour), Alert: true}, nil, Fail, "The certificate ended on ", "renewed"},
		{Certificate{}, errors.New("read certificate: no such file"), Fail, "There is no certificate that can be used: read certificate: no such file.", "http.tls"},
	} {
		r := newRun(t, Config{PublicURL: "https://call.example", Certificate: func() (Certificate, error) { return c.is, c.err }})
		expect(t, r.certificate(ctx), c.status, c.found, c.todo)
	}
	// A hidden node has no port that the authority could come to.
	for _, is := range []Certificate{
		{Mode: "acme", Names: []string{"call.example"}, Reason: "the authority cannot connect"},
		{Mode: "acme", Names: []string{"call.example"}, NotAfter: soon, Alert: true, Reason: "the authority cannot connect"},
	} {
		hidden := newRun(t, Config{PublicURL: "https://call.example", Fronts: []peer.ID{"front"}, Certificate: func() (Certificate, error) { return is, nil }})
		got := hidden.certificate(ctx)
		expect(t, got, got.status, "the authority cannot connect.", "See that the name leads to the public node, and that its front.pass_to has it;")
	}
	expect(t, newRun(t, Config{}).certificate(ctx), Skip, "needs no certificate", "")
	expect(t, newRun(t, Config{PublicURL: "https://call.example", Proxied: true}).certificate(ctx), Skip, "The proxy has the certificate.", "")
}

// resolver asks a DNS server that knows the given names, says of broken.example
// that it has failed, and of every other that there is none.
func resolver(t testing.TB, known map[string]netip.Addr) *net.Resolver {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-done })
	go func() { // ends with c
		defer close(done)
		b := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			host := strings.TrimSuffix(q.Name.String(), ".")
			address, ok := known[host]
			m.Response, m.Additionals = true, nil
			switch {
			case host == "broken.example":
				m.RCode = dnsmessage.RCodeServerFailure
			case !ok:
				m.RCode = dnsmessage.RCodeNameError
			case q.Type == dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: address.As4()},
				}}
			}
			if reply, err := m.Pack(); err == nil {
				c.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

func TestDNS(t *testing.T) {
	ctx := t.Context()
	cfg, _ := healthy(t)
	cfg.Resolver = resolver(t, map[string]netip.Addr{"call.example": localhost, "old.example": netip.MustParseAddr("192.0.2.7")})
	at := func(url, relay string) finding {
		cfg.PublicURL, cfg.RelayHost = url, relay
		return newRun(t, cfg).dns(ctx)
	}
	expect(t, at("https://call.example", "call.example"), Pass, "The name call.example leads to 127.0.0.1.", "")
	expect(t, at("https://127.0.0.1", "127.0.0.1"), Skip, "by no name", "")
	expect(t, at("https://gone.example", ""), Fail, "The name gone.example is not in the DNS.", "A or AAAA record")
	expect(t, at("https://broken.example", ""), Warn, "The name broken.example could not be looked up now.", "online")
	expect(t, at("https://call.example", "old.example"), Warn, "The name old.example leads to 192.0.2.7, which is not known to be this node.", "Peers see this computer at 127.0.0.1: change the record to that")
	// One record of several was forgotten, or two of three.
	leads := func(addrs ...string) finding {
		stale := cfg
		stale.PublicURL, stale.RelayHost = "https://call.example", ""
		at := names{"call.example": {localhost}}
		for _, a := range addrs {
			at["call.example"] = append(at["call.example"], netip.MustParseAddr(a))
		}
		stale.Resolver = at
		r := newRun(t, stale)
		r.answers = func() []answer { return []answer{sees(netip.MustParseAddr("2001:db8::9"), OK)} }
		return r.dns(ctx)
	}
	expect(t, leads("2001:db8::9"), Pass, "The name call.example leads to 127.0.0.1 and 2001:db8::9.", "")
	expect(t, leads("2001:db8:dead::7"), Warn, "The name call.example leads here, but also to 2001:db8:dead::7, which is not known to be this node.",
		"Take 2001:db8:dead::7 out of the DNS, unless it leads to this node as well.")
	expect(t, leads("192.0.2.7", "2001:db8:dead::7"), Warn, "but also to 192.0.2.7 and 2001:db8:dead::7, which are not known to be this node.",
		"Take 192.0.2.7 and 2001:db8:dead::7 out of the DNS, unless they lead to this node as well.")
	alone := cfg
	alone.Discovery = start(t, nil)
	alone.PublicURL, alone.RelayHost = "https://old.example", ""
	expect(t, newRun(t, alone).dns(ctx), Warn, "The name old.example leads to 192.0.2.7, which is not known to be this node.", "compare it with the router's")
	cfg.Fronts = []peer.ID{"front"}
	expect(t, at("https://gone.example", ""), Fail, "The name gone.example is not in the DNS.", "that leads to the public node.")
	cfg.Fronts, cfg.Proxied = nil, true
	expect(t, at("https://gone.example", ""), Fail, "The name gone.example is not in the DNS.", "that leads to the web server.")
	expect(t, at("https://old.example", ""), Pass, "The name old.example leads to 192.0.2.7.", "")
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

func TestDHT(t *testing.T) {
	ctx := t.Context()
	cfg, _ := healthy(t)
	until(t, "a server in the routing table", func() bool { return cfg.Discovery.Stats().Nodes > 0 })
	expect(t, newRun(t, cfg).dht(ctx), Pass, "One node of the DHT kept a record, and it was found again.", "")

	ended, cancel := context.WithCancel(ctx)
	cancel()
	expect(t, newRun(t, cfg).dht(ended), Warn, "This check did not end in time.", "how busy this computer and its network are")

	// A peer that keeps nothing for others.
	cfg.Discovery = start(t, nil)
	meet(t, cfg.Discovery, start(t, func(c *discovery.Config) { c.Server = false }))
	expect(t, newRun(t, cfg).dht(ctx), Warn, "No node of the DHT answers", "discovery.bootstrap")
}

// One that takes so many records a minute and no more, and one that says that
// it keeps them and does not.
func TestDHTKeepsNothing(t *testing.T) {
	ctx := t.Context()
	with := func(server *discovery.Discovery) Config {
		d := start(t, func(c *discovery.Config) { c.Server = false })
		meet(t, d, server)
		until(t, "a server in the routing table", func() bool { return d.Stats().Nodes > 0 })
		return Config{Running: true, Discovery: d}
	}
	full := with(start(t, nil))
	got := newRun(t, full).dht(ctx)
	for n := 0; n < 100 && got.status == Pass; n++ {
		got = newRun(t, full).dht(ctx)
	}
	expect(t, got, Warn, "Of 1 nodes of the DHT only 0 kept a record.", "discovery.bootstrap")

	forgetful := start(t, nil)
	cfg := with(forgetful)
	forgetful.Handle("/anteroom/kad/1.0.0", func(_ context.Context, s network.Stream) {
		defer s.Close()
		in, out := pbio.NewDelimitedReader(s, 1<<16), pbio.NewDelimitedWriter(s)
		for {
			m := new(kadpb.Message)
			if in.ReadMsg(m) != nil {
				return
			}
			if m.GetType() != kadpb.Message_PUT_VALUE { // which is answered with itself
				m = kadpb.NewMessage(m.GetType(), m.GetKey(), 0)
			}
			if out.WriteMsg(m) != nil {
				return
			}
		}
	})
	expect(t, newRun(t, cfg).dht(ctx), Warn, "One node of the DHT kept a record, but it was not found again.", "discovery.bootstrap")
}

// A peer whose UDP port is shut, as that of everybody is behind some firewalls.
func TestUDPDoesNotGetThrough(t *testing.T) {
	a, b := start(t, nil), start(t, nil)
	check(t, b.AddPeer(discovery.PeerInfo{ID: a.ID()}))
	witness(b, nil)
	info := infoOf(t, b, "")
	shut := ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", nobody(t)))
	info.Addrs = slices.DeleteFunc(info.Addrs, func(m ma.Multiaddr) bool { _, err := m.ValueForProtocol(ma.P_QUIC_V1); return err == nil })
	info.Addrs = append(info.Addrs, shut)
	check(t, a.AddPeer(info))
	until(t, "a connected peer", func() bool { return a.ListPeers()[0].Connected })
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

func TestPeersAndFronts(t *testing.T) {
	ctx := t.Context()
	cfg, friend := healthy(t)
	expect(t, newRun(t, cfg).peers(ctx), Pass, "The only peer is connected.", "")
	gone := start(t, nil)
	info := infoOf(t, gone, "Valley Practice")
	check(t, gone.Close())
	check(t, cfg.Discovery.AddPeer(info))
	expect(t, newRun(t, cfg).peers(ctx), Warn, "Of 2 peers these are not connected: Valley Practice.", "peer cards")

	cfg.PublicURL, cfg.FrontURL, cfg.Nodes = "", "https://front.example", []peer.ID{friend.ID()}
	expect(t, newRun(t, cfg).front(ctx), Pass, "finds this one for patients at https://front.example.", "")
	check(t, cfg.Discovery.RemovePeer(friend.ID()))
	expect(t, newRun(t, cfg).front(ctx), Fail, "The node at https://front.example is not connected", "practice.nodes")
}

// A hidden node says how things stand at the public one.
func TestPublicNode(t *testing.T) {
	ctx := t.Context()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	check(t, err)
	id, err := peer.IDFromPrivateKey(key)
	check(t, err)
	hiddenAt := func(public discovery.PeerInfo) Config {
		hidden := start(t, func(c *discovery.Config) {
			c.Identity, c.Server, c.Relays = key, false, []discovery.PeerInfo{public}
		})
		return Config{Running: true, Discovery: hidden, PublicURL: "https://call.example", Fronts: []peer.ID{public.ID}}
	}
	public := start(t, func(c *discovery.Config) { c.RelayFor = []peer.ID{id} })
	cfg := hiddenAt(infoOf(t, public, ""))
	until(t, "a place at the public node", func() bool { return cfg.Discovery.Reachability().Relays[0].Reserved })
	expect(t, newRun(t, cfg).front(ctx), Pass, "The public node is connected, and passes patients on to this one.", "")
	expect(t, newRun(t, cfg).addresses(ctx), Pass, "through another, which takes calls for it.", "")
	check(t, public.Close())
	until(t, "that it is gone", func() bool { return !cfg.Discovery.Reachability().Relays[0].Connected })
	expect(t, newRun(t, cfg).front(ctx), Fail, "The public node is not connected.", "See that it runs")
	check(t, cfg.Discovery.Close())

	// One that is no relay at all, as while it has an older configuration.
	other := start(t, nil)
	cfg = hiddenAt(infoOf(t, other, ""))
	until(t, "a connection", func() bool { return cfg.Discovery.Reachability().Relays[0].Connected })
	expect(t, newRun(t, cfg).front(ctx), Warn, "The public node is connected, but does not take calls from other nodes for this one yet.", "Check again in a minute.")
	check(t, cfg.Discovery.Close())

	refusing := start(t, func(c *discovery.Config) { c.RelayFor = []peer.ID{start(t, nil).ID()} })
	cfg = hiddenAt(infoOf(t, refusing, ""))
	until(t, "a refusal", func() bool { return cfg.Discovery.Reachability().Relays[0].Refused })
	expect(t, newRun(t, cfg).front(ctx), Fail, "The public node refuses to take calls for this one.", "front.pass_to")
}

// A peer that says nothing holds up neither the list nor its end.
func TestRunEndsWithItsContext(t *testing.T) {
	cfg, _ := healthy(t)
	silent := start(t, nil)
	meet(t, cfg.Discovery, silent)
	silent.Handle(Protocol, func(ctx context.Context, s network.Stream) { <-ctx.Done(); s.Reset() })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	report := Run(ctx, cfg)
	if took := time.Since(begun); took > 3*time.Second || len(report.Checks) != len(table) {
		t.Errorf("%d checks in %v", len(report.Checks), took)
	}
}

func TestSummary(t *testing.T) {
	for found, want := range map[string]string{
		"The disk is full.":          "the disk is full.",
		"Anteroom is not running.":   "Anteroom is not running.",
		"DNS is down.":               "DNS is down.",
		"Nothing answers at a port.": "nothing answers at a port.",
	} {
		r := Report{Checks: []Check{{Status: Warn, Finding: "First."}, {Status: Fail, Finding: found}, {Status: Fail, Finding: "Last."}}}
		if r.summarize(true, false); r.Summary != "Patients cannot reach you because "+want || r.Ready {
			t.Errorf("got %s, want %s", r.Summary, want)
		}
		if got := r.Line(); got != "Not ready: "+want {
			t.Errorf("got %s, want %s", got, want)
		}
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
		r := Report{Checks: []Check{{Status: Warn, Finding: "First."}}}
		if r.summarize(c.local, c.reached); r.Line() != c.want || r.Confirmed != c.confirmed || !r.Ready {
			t.Errorf("got %s, confirmed %t, want %s", r.Line(), r.Confirmed, c.want)
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
		if report.Line() != "Ready for calls, as far as this computer can see" || !report.Ready || report.Confirmed {
			t.Errorf("%s: %+v", report.Line(), report)
		}
		for _, c := range report.Checks {
			if c.ID == "page" && (c.Status != Warn || !strings.Contains(c.Finding, "look") || !strings.HasPrefix(c.Todo, "Ask a friendly practice to be your peer")) {
				t.Errorf("%+v", c)
			}
		}
	}
}

// The report of a node that does not run, as programs read it.
func TestReportAsJSON(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 3600))
	report := Run(t.Context(), Config{
		DataDir: filepath.Join(t.TempDir(), "d"), PublicURL: "https://call.example", Resolver: resolver(t, nil), Clock: func() time.Time { return at },
	})
	for i := range report.Checks {
		if report.Checks[i].ID == "disk" { // differs from one computer to another
			report.Checks[i].Finding, report.Checks[i].Todo, report.Checks[i].Status = "1 MB", "", Pass
		}
	}
	got, err := json.MarshalIndent(report, "", "  ")
	check(t, err)
	got = append(got, '\n')
	golden := filepath.Join("testdata", "report.json")
	if *update {
		check(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("run the test with -update and read the difference\n%s", got)
	}
}
