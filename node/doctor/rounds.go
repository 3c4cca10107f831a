package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"anteroom/node/store"
)

const (
	// glanceEvery is how often the vitals are compared with those of before.
	glanceEvery = 2 * time.Second

	// settleTime is how long vitals must stay as they are before a change is
	// worth a look: where one thing changes, others follow.
	settleTime = 3 * time.Second

	// startTime is the most that the first look waits for peers to connect;
	// before they have, it would find faults that are none.
	startTime = 10 * time.Second

	// betweenLooks is the least between two looks that nobody asked for, so
	// that a peer that comes and goes leaves room for those who do ask.
	betweenLooks = 20 * time.Second

	// lookEvery makes a report that is young enough to begin a call with;
	// mendEvery turns green soon what has been mended where no vitals show it.
	lookEvery = 5 * time.Minute
	mendEvery = time.Minute

	// wholeEvery is how often a look that nobody asked for includes what reads
	// all records or troubles many nodes.
	wholeEvery = 15 * time.Minute
)

// ErrTooOften says that a node was looked at as often as its peers put up with.
var ErrTooOften = errors.New("looked too often")

// Rounds has a node looked at when somebody asks and, unasked, after the start,
// when something about it changes, and every few minutes. It keeps the newest
// report, and never looks twice at once.
//
// What nobody asked for spares calls: while one is going on, the records are
// not read through and the DHT is left alone.
type Rounds struct {
	subject func() Config
	inCall  func() bool
	changed func() // tells that there is a new report; must not block
	log     *slog.Logger
	run     func(context.Context, Config) Report // Run, but in tests of the times

	wake chan struct{} // somebody asks; full: Run has been told
	done chan struct{} // Run has returned

	mu     sync.Mutex
	latest *Report
	asking []chan<- reply
}

// A reply goes to who asked; there is room for one in its channel.
type reply struct {
	Report
	err error
}

// NewRounds returns Rounds of a node, which begin with Run.
func NewRounds(subject func() Config, inCall func() bool, changed func(), log *slog.Logger) *Rounds {
	return &Rounds{
		subject: subject, inCall: inCall, changed: changed, log: log, run: Run,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// Latest returns the newest report; ok is false while the first look is still
// under way.
func (r *Rounds) Latest() (report Report, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.latest == nil {
		return Report{}, false
	}
	return *r.latest, true
}

// Look has the node looked at now, and returns what was found, or ErrTooOften.
// Who asks during a look waits for the next, since what they have just mended
// may have been looked at already; so it takes up to 24 seconds. It needs Run.
func (r *Rounds) Look(ctx context.Context) (Report, error) {
	answer := make(chan reply, 1)
	r.mu.Lock()
	r.asking = append(r.asking, answer)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	select {
	case a := <-answer:
		return a.Report, a.err
	case <-ctx.Done():
		return Report{}, ctx.Err()
	case <-r.done:
		return Report{}, context.Canceled
	}
}

// Run makes the rounds until ctx ends. It may be called once.
func (r *Rounds) Run(ctx context.Context) {
	defer close(r.done)
	tick := time.NewTicker(glanceEvery)
	defer tick.Stop()
	// A little less than peers answer, so that none of them ever refuses: a
	// look at which nobody looked from outside would turn a failure green.
	pace := rate.NewLimiter(rate.Every(time.Minute/asksPerMinute), asksPerMinute-1)
	cfg := r.subject()
	s := schedule{begun: wall()}
	for ctx.Err() == nil {
		asking := r.takeAsking()
		due := s.due(wall(), cfg.vitals())
		switch {
		case len(asking) == 0 && !due:
		case !pace.Allow():
			for _, a := range asking {
				a <- reply{err: ErrTooOften}
			}
		default:
			r.look(ctx, cfg, &s, asking)
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-tick.C:
		}
	}
}

func (r *Rounds) takeAsking() []chan<- reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	asking := r.asking
	r.asking = nil
	return asking
}

// look looks once, keeps the report, and tells those who asked for it.
func (r *Rounds) look(ctx context.Context, cfg Config, s *schedule, asking []chan<- reply) {
	before, _ := r.Latest()
	whole := len(asking) > 0 || !r.inCall() && (s.wholeDue(wall()) || !before.sound())
	if !whole {
		cfg.earlier = before.ofHeavy()
	}
	s.begin(wall(), whole)
	report := r.run(ctx, cfg)
	if ctx.Err() != nil { // it was cut short, and says so of every check
		return
	}
	s.ready = report.Ready
	r.mu.Lock()
	first := r.latest == nil
	r.latest = &report
	r.mu.Unlock()
	if first || before.Ready != report.Ready || before.Confirmed != report.Confirmed || before.cause() != report.cause() {
		switch {
		case !report.Ready:
			r.log.Warn("not ready for calls: see anteroom doctor", "reason", report.cause())
		case !report.Confirmed:
			r.log.Info("ready for calls, as far as this computer can see: see anteroom doctor")
		default:
			r.log.Info("ready for calls")
		}
	}
	for _, a := range asking {
		a <- reply{Report: report}
	}
	r.changed()
}

// cause is the id of the first check that failed, or empty.
func (r Report) cause() string {
	for _, c := range r.Checks {
		if c.Status == Fail {
			return c.ID
		}
	}
	return ""
}

// sound reports whether no heavy check found anything to mend.
func (r Report) sound() bool {
	for _, c := range r.Checks {
		if heavy[c.ID] && (c.Status == Fail || c.Status == Warn) {
			return false
		}
	}
	return true
}

// heavy are the checks that take time or trouble others.
var heavy = map[string]bool{"store": true, "audit": true, "dht": true}

// ofHeavy returns what stands while the heavy checks are not made again.
func (r Report) ofHeavy() map[string]finding {
	stands := make(map[string]finding)
	for id := range heavy {
		stands[id] = skip(say("doctor.in-call"), none)
	}
	for _, c := range r.Checks {
		if heavy[c.ID] {
			stands[c.ID] = finding{c.Status, c.Finding, c.Todo}
		}
	}
	return stands
}

// wall is the time without the monotonic clock, which stands still while a
// computer sleeps: what was found before is old when it wakes.
func wall() time.Time { return time.Now().Round(0) }

// A schedule says when to look. It belongs to Run.
type schedule struct {
	begun time.Time

	seen  string    // the vitals at the last glance,
	moved time.Time // since when they are so,
	then  string    // and as they were at the last look

	looked time.Time // zero: not yet
	whole  time.Time
	ready  bool
}

// due glances at the vitals, and reports whether it is time to look. Distances
// in time are absolute: a clock that was set back makes nothing wait.
func (s *schedule) due(now time.Time, v vitals) bool {
	if v.state != s.seen {
		s.seen, s.moved = v.state, now
	}
	age := now.Sub(s.looked).Abs()
	switch {
	case s.looked.IsZero():
		return v.settled || now.Sub(s.begun).Abs() >= startTime
	case age < betweenLooks:
		return false
	case s.seen != s.then && now.Sub(s.moved).Abs() >= settleTime:
		return true
	case !s.ready:
		return age >= mendEvery
	}
	return age >= lookEvery
}

func (s *schedule) wholeDue(now time.Time) bool {
	return s.whole.IsZero() || now.Sub(s.whole).Abs() >= wholeEvery
}

func (s *schedule) begin(now time.Time, whole bool) {
	s.looked, s.then = now, s.seen
	if whole {
		s.whole = now
	}
}

// vitals are what can be seen of a node at a glance, without asking anybody.
type vitals struct {
	state   string // for comparison only
	settled bool   // what has just started has come as far as it will
}

func (c Config) vitals() vitals {
	var b strings.Builder
	settled := true
	if c.Discovery != nil {
		for _, p := range c.Discovery.ListPeers() {
			if p.LAN || p.Bootstrap { // these come and go
				continue
			}
			fmt.Fprintln(&b, p.ID, p.Connected)
			settled = settled && p.Connected
		}
		reach := c.Discovery.Reachability()
		for _, relay := range reach.Relays {
			fmt.Fprintln(&b, relay.ID, relay.Connected, relay.Reserved, relay.Refused)
			settled = settled && (relay.Reserved || relay.Refused)
		}
		fmt.Fprintln(&b, reach.Reached, reach.Unreached)
	}
	if c.Lenders != nil {
		lending, all := c.Lenders()
		fmt.Fprintln(&b, lending)
		settled = settled && lending == all
	}
	if c.Certificate != nil {
		is, err := c.Certificate()
		fmt.Fprintln(&b, is, time.Now().After(is.NotAfter), err)
	}
	fmt.Fprintln(&b, store.CheckFiles(c.DataDir, c.KeyFile))
	if free, err := freeSpace(existing(c.DataDir)); err == nil {
		fmt.Fprintln(&b, free < fullDisk, free < lowDisk)
	}
	return vitals{b.String(), settled}
}
