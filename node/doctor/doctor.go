package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
	"anteroom/node/message"
)

// runTime bounds a whole run. Nobody waits longer before a list that says
// which check did not end.
const runTime = 12 * time.Second

// Config is the node as the doctor sees it. What is nil, or empty, the node
// does not have, or nobody can see because it does not run.
type Config struct {
	Running       bool
	Configuration func() (changed bool, err error) // reads it again; changed: it is not the one in use
	Clock         func() time.Time                 // nil: time.Now

	DataDir, KeyFile string                      // KeyFile empty: store.key in DataDir
	Records          func(context.Context) error // reads through the open store
	Audit            func(context.Context) error // verifies the audit trail; *store.TrailError if it is not whole
	Identity         func() error                // reads the key that others know the node by
	KnownNodes       func() error                // reads the file of them
	Ports            []Port

	// Leapt reports whether the clock has leapt from one time to another so that
	// it is not believed, and for how much longer. BelieveClock is for when others
	// confirm it.
	Leapt        func() (from, to time.Time, wait time.Duration, leapt bool)
	BelieveClock func()

	PublicURL   string                      // origin at which patients come to this node
	Proxied     bool                        // a proxy stands there, and has the certificate
	FrontURL    string                      // or the origin of another node, which serves the page for this one
	Nodes       []peer.ID                   // of the practice, of which that is one
	Fronts      []peer.ID                   // which pass patients on to this one
	Certificate func() (Certificate, error) // nil: none is kept here
	RelayHost   string                      // what browsers call the relay by
	Resolver    Resolver                    // nil: the system's
	Roots       *x509.CertPool              // of certificates; nil: the system's

	Discovery *discovery.Discovery
	Relay     *Relay
	Lenders   func() (lending, all int)
	Borrowed  func(context.Context) []string // URLs of relays that are lent now

	earlier map[string]finding // by id: what stands of checks that are not made again
}

// A Port is one that the node needs.
type Port struct {
	Key     string // in the configuration
	For     string // what needs it: "page", "patients", "redirect", "relay" or "nodes"
	Network string // tcp or udp
	Addr    string // host:port; an empty host is every address
}

// A Certificate is how the one of the public page is now.
type Certificate struct {
	Mode        string
	Names       []string
	NotAfter    time.Time // zero: there is none yet
	NotBefore   time.Time // when it begins to be good
	LacksIssuer bool      // the issuer's own certificate is not sent with it
	Alert       bool      // it ends soon, and should have been renewed
	Reason      string    // why it was not
}

// A Relay is the node's own.
type Relay struct {
	// Try makes an allocation over network, udp or tcp, at a local address, and
	// gives it back. cfg is nil, or for TLS.
	Try   func(ctx context.Context, network, addr string, cfg *tls.Config) error
	Plain []netip.AddrPort // for UDP and TCP alike
	TLS   []netip.AddrPort // beside the public page
}

// A Resolver looks names up.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// A Status is how a check ended.
type Status string

// Skip is of a check that does not apply here, or cannot be made.
const (
	Pass Status = "pass"
	Warn Status = "warn" // calls work, but not for everybody or not for long
	Fail Status = "fail" // patients cannot get through, or soon will not
	Skip Status = "skip"
)

// A Check is one thing that was looked at.
type Check struct {
	ID      string
	Title   message.Message
	Status  Status
	Finding message.Message // what is so
	Todo    message.Message // what to do; empty if nothing
}

// A Report is what a run found.
type Report struct {
	Summary message.Message
	Ready   bool // no check failed
	// Confirmed: it is ready, and somebody got to the page from outside or nobody
	// is meant to. Otherwise it may be ready as far as this computer can see.
	Confirmed bool
	Running   bool
	Checked   time.Time // when it was complete
	Checks    []Check
}

// Line is the report in one line: "Ready for calls", or why not.
func (r Report) Line() message.Message {
	for _, c := range r.Checks {
		if c.Status == Fail {
			return say("doctor.not-ready", args{"finding": c.Finding})
		}
	}
	return say(r.Summary.Code + "-line")
}

// A finding is a Check before it has a name.
type finding struct {
	status      Status
	found, todo message.Message
}

func pass(found message.Message) finding       { return finding{Pass, found, none} }
func warn(found, todo message.Message) finding { return finding{Warn, found, todo} }
func fail(found, todo message.Message) finding { return finding{Fail, found, todo} }
func skip(found, todo message.Message) finding { return finding{Skip, found, todo} }

// none is what there is to do where nothing is.
var none message.Message

type args = message.Args

// say names a sentence of the catalogue.
func say(code string, with ...args) message.Message {
	if len(with) == 0 {
		return message.New(code, nil)
	}
	return message.New(code, with[0])
}

// table is everything that is checked, in the order in which a reader should
// mend it: what comes first may be why what follows fails.
var table = []struct {
	id    string
	do    func(*run, context.Context) finding
	alone bool // can be done while the node does not run
}{
	{"daemon", (*run).daemon, true},
	{"configuration", (*run).configuration, true},
	{"clock", (*run).clock, false},
	{"store", (*run).store, true},
	{"audit", (*run).audit, true},
	{"identity", (*run).identity, true},
	{"disk", (*run).disk, true},
	{"ports", (*run).ports, true},
	{"certificate", (*run).certificate, true},
	{"dns", (*run).dns, true},
	{"page", (*run).page, false},
	{"addresses", (*run).addresses, false},
	{"udp", (*run).udp, false},
	{"relay-udp", (*run).relayUDP, false},
	{"relay-tcp", (*run).relayTCP, false},
	{"relay-tls", (*run).relayTLS, false},
	{"lenders", (*run).lenders, false},
	{"peers", (*run).peers, false},
	{"dht", (*run).dht, false},
	{"front", (*run).front, false},
}

// A run is one examination.
type run struct {
	Config
	host    string // of PublicURL
	port    uint16
	answers func() []answer // of peers, asked once
	loans   func() []loan   // tried once
	reached bool            // somebody got to the page from outside; page says so
}

// Run examines the node; it takes at most 12 seconds, and ends with ctx.
func Run(ctx context.Context, cfg Config) Report {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	r := prepare(ctx, cfg)
	report := Report{Running: cfg.Running, Checks: make([]Check, len(table))}
	var wg sync.WaitGroup
	for i, c := range table {
		wg.Go(func() { // ends with ctx at the latest
			f := skip(say("doctor.not-running"), none) // the first check says how
			if cfg.Running || c.alone {
				f = c.do(r, ctx)
			}
			report.Checks[i] = newCheck(c.id, f)
		})
	}
	wg.Wait()
	report.Checked = r.Clock().UTC().Truncate(time.Second)
	report.summarize(cfg.PublicURL == "" && cfg.FrontURL == "", r.reached)
	return report
}

// prepare returns a run of which nothing has been done yet.
func prepare(ctx context.Context, cfg Config) *run {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	r := &run{Config: cfg}
	if u, err := url.Parse(cfg.PublicURL); err == nil && u.Host != "" {
		r.host, r.port = u.Hostname(), portOf(u)
	}
	r.answers = sync.OnceValue(func() []answer { return r.ask(ctx) })
	r.loans = sync.OnceValue(func() []loan { return r.tryLoans(ctx) })
	return r
}

// Unreadable is the report on a node whose configuration cannot be read, so
// that nobody knows where it is.
func Unreadable(err error) Report {
	f := badConfiguration(err)
	report := Report{Checked: time.Now().UTC().Truncate(time.Second), Checks: []Check{newCheck("configuration", f)}}
	report.Summary = say("doctor.summary.cannot-start", args{"finding": f.found})
	return report
}

// summarize says in one sentence what the checks mean. local: links work on
// this computer only, as they are meant to; reached: or else somebody got to
// the page from outside.
func (r *Report) summarize(local, reached bool) {
	r.Ready, r.Confirmed = true, local || reached
	switch {
	case local:
		r.Summary = say("doctor.summary.local")
	case reached:
		r.Summary = say("doctor.summary.ready")
	default:
		r.Summary = say("doctor.summary.unconfirmed")
	}
	for _, c := range r.Checks {
		if c.Status == Fail {
			r.Ready, r.Confirmed, r.Summary = false, false, say("doctor.summary.unreachable", args{"finding": c.Finding})
			if c.ID == "store" || c.ID == "audit" { // some may reach you, and it is worse than that
				r.Summary = say("doctor.summary.records", args{"finding": c.Finding})
			}
			return
		}
	}
}

func newCheck(id string, f finding) Check {
	return Check{id, say("doctor.title." + id), f.status, f.found, f.todo}
}

func (r *run) daemon(context.Context) finding {
	if r.Running {
		return pass(say("doctor.daemon.runs"))
	}
	return fail(say("doctor.daemon.stopped"), say("doctor.daemon.stopped.todo"))
}

// late reports whether err only says that time was up.
func late(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

var outOfTime = warn(say("doctor.late"),
	say("doctor.late.todo"))
