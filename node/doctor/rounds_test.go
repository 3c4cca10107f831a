package doctor

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"anteroom/discovery"
	"anteroom/node/polltest"
)

// A ward is a node in simulated time, and the looks that were taken at it.
type ward struct {
	*Rounds
	t     *testing.T
	begun time.Time

	mu    sync.Mutex
	state string // what the certificate says, as one of the vitals
	next  Report
	calls bool
	takes time.Duration // a look

	looks  []time.Duration // since begun
	whole  []bool
	told   int
	said   bytes.Buffer // the log
	inside int
}

// newWard makes rounds until the test ends, in a synctest bubble.
func newWard(t *testing.T) *ward {
	w := &ward{t: t, begun: time.Now(), next: Report{Ready: true}, takes: time.Second}
	subject := func() Config {
		return Config{DataDir: "none", Certificate: func() (Certificate, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return Certificate{Mode: w.state}, nil
		}}
	}
	w.Rounds = NewRounds(subject, w.inCall, func() { w.told++ }, slog.New(slog.NewTextHandler(&w.said, nil)))
	w.run = w.take
	ctx, cancel := context.WithCancel(t.Context())
	go w.Run(ctx) // ends with the test
	t.Cleanup(func() { cancel(); <-w.done })
	return w
}

func (w *ward) inCall() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.calls }

func (w *ward) take(ctx context.Context, cfg Config) Report {
	w.mu.Lock()
	if w.inside++; w.inside > 1 {
		w.t.Error("two looks at once")
	}
	w.looks, w.whole = append(w.looks, time.Since(w.begun).Truncate(glanceEvery)), append(w.whole, cfg.earlier == nil)
	report, takes := w.next, w.takes
	w.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inside--
	return report
}

// at lets time pass until so long after the beginning, and then does something.
func (w *ward) at(when time.Duration, do func()) {
	time.Sleep(when - time.Since(w.begun))
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

func (w *ward) expect(looks ...time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.looks, looks) {
		w.t.Errorf("looked at %v, want %v", w.looks, looks)
	}
}

const second, minute = time.Second, time.Minute

// Unasked, a node is looked at after the start, every five minutes, and every
// minute while something is wrong.
func TestRoundsKeepTheirTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		if _, ok := w.Latest(); ok {
			t.Error("there is a report before the first look")
		}
		w.at(9*minute, func() { w.next = Report{Checks: []Check{{ID: "page", Status: Fail, Finding: say("doctor.late")}}} })
		w.expect(0, 5*minute)
		w.at(12*minute+30*second, func() { w.next = Report{Ready: true} })
		w.at(20*minute, func() {})
		w.expect(0, 5*minute, 10*minute, 11*minute, 12*minute, 13*minute, 18*minute)
		if w.told != 7 {
			t.Errorf("told %d times", w.told)
		}
	})
}

// What changes is looked at once it has settled, however often it changes.
func TestChangesAreLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.at(60*second, func() { w.state = "lost" })
		w.at(61*second, func() { w.state = "back" })
		w.at(63*second, func() { w.state = "lost" })
		w.at(80*second, func() {})
		w.expect(0, 68*second)
		w.at(81*second, func() { w.state = "back" }) // too soon after that
		w.at(120*second, func() {})
		w.expect(0, 68*second, 88*second)
		w.at(180*second, func() { w.state = "lost" })
		w.at(182*second, func() { w.state = "back" }) // as at the last look
		w.at(240*second, func() {})
		w.expect(0, 68*second, 88*second)
		for when := 240 * second; when < 480*second; when += 2 * second { // never settles
			w.at(when, func() { w.state += "." })
		}
		w.expect(0, 68*second, 88*second, 388*second)
	})
}

// A node that has just started is given time to find its peers.
func TestFirstLookWaitsForPeers(t *testing.T) {
	var s schedule
	now := time.Now()
	s.begun = now
	if s.due(now, vitals{"", false}) || s.due(now.Add(startTime-1), vitals{"", false}) {
		t.Error("looks before there can be peers")
	}
	if !s.due(now.Add(second), vitals{"", true}) || !s.due(now.Add(startTime), vitals{"", false}) {
		t.Error("waits for nothing")
	}

	cfg, friend := healthy(t)
	if v := cfg.vitals(); !v.settled {
		t.Error("not settled with all peers connected")
	}
	before := cfg.vitals().state
	gone := start(t, nil)
	info := infoOf(t, gone, "")
	check(t, gone.Close())
	check(t, cfg.Discovery.SetPeers([]discovery.PeerInfo{info}))
	if v := cfg.vitals(); v.settled || v.state == before {
		t.Error("settled without one of the peers")
	}
	check(t, cfg.Discovery.SetPeers(nil))
	if now := cfg.vitals().state; now != before {
		t.Errorf("not as before: %q, %q", now, before)
	}
	check(t, friend.Close())
	polltest.Eventually(t, "that a lost peer shows", func() bool { return cfg.vitals().state != before })
}

// What breaks on this computer shows at a glance.
func TestVitals(t *testing.T) {
	d := start(t, func(c *discovery.Config) { c.Listen = nil })
	ends := time.Now().Add(time.Hour)
	cfg := Config{DataDir: records(t), Discovery: d, Certificate: func() (Certificate, error) { return Certificate{NotAfter: ends}, nil }}
	before := cfg.vitals()
	if !before.settled || cfg.vitals() != before {
		t.Error("differs though nothing has changed")
	}
	check(t, os.Chmod(filepath.Join(cfg.DataDir, "store.key"), 0o644))
	if cfg.vitals() == before {
		t.Error("a key that others can read does not show")
	}
	check(t, os.Chmod(filepath.Join(cfg.DataDir, "store.key"), 0o600))
	if cfg.vitals() != before {
		t.Error("not as before")
	}
	ends = time.Now().Add(100 * time.Millisecond)
	before = cfg.vitals()
	polltest.Eventually(t, "that a certificate has ended", func() bool { return cfg.vitals() != before })
}

// While a call goes on, nobody reads the records through or walks the DHT
// unasked; what was found of them before stands. Nor is that done every time.
func TestCallsAreSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.at(31*minute, func() {
			if want := []bool{true, false, false, true, false, false, true}; !slices.Equal(w.whole, want) {
				t.Errorf("whole: %v, want %v", w.whole, want)
			}
			w.calls = true
			w.next.Checks = []Check{{ID: "dht", Status: Warn}}
		})
		w.at(61*minute, func() {
			if slices.Contains(w.whole[7:], true) {
				t.Errorf("in a call: %v", w.whole[7:])
			}
		})
		if _, err := w.Look(t.Context()); err != nil {
			t.Error(err)
		}
		w.at(62*minute, func() {
			if !w.whole[len(w.whole)-1] {
				t.Error("who asks is told half of it")
			}
			w.calls = false
		})
		w.at(72*minute, func() { // something is to be mended
			if !w.whole[len(w.whole)-1] || !w.whole[len(w.whole)-2] {
				t.Error("what was to be mended is not looked at again")
			}
		})
	})
}

func TestSparedChecks(t *testing.T) {
	cfg, _ := healthy(t)
	knowsServer(t, cfg)
	cfg.Records = func(context.Context) error { t.Error("the records were read"); return nil }
	cfg.earlier = Report{Checks: []Check{{ID: "dht", Status: Warn, Finding: say("As before."), Todo: say("Wait.")}, {ID: "clock", Status: Fail}}}.ofHeavy()
	r := newRun(t, cfg)
	expect(t, r.dht(t.Context()), Warn, "As before.", "Wait.")
	expect(t, r.store(t.Context()), Skip, "This is not looked at while a call is going on.", "")
	expect(t, r.clock(t.Context()), Pass, "The clock agrees", "")
	check(t, os.Chmod(filepath.Join(cfg.DataDir, "store.key"), 0o644)) // is seen at no cost
	expect(t, r.store(t.Context()), Fail, "store.key is open to other users", "chmod")
}

// Whoever asks gets what was found after they asked, one look for all of them.
func TestAskingDuringALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.at(minute, func() { w.takes = 10 * second })
		var wg sync.WaitGroup
		ask := func(want string) {
			wg.Go(func() {
				if got, err := w.Look(t.Context()); err != nil || got.Summary.Code != want {
					t.Errorf("got %s, %v, want %s", got.Summary, err, want)
				}
			})
			synctest.Wait()
		}
		w.at(minute, func() { w.next = Report{Ready: true, Summary: say("Broken.")} })
		ask("Broken.")
		w.at(minute+5*second, func() { w.next = Report{Ready: true, Summary: say("Mended.")} })
		ask("Mended.")
		ask("Mended.")
		wg.Wait()
		w.expect(0, minute, minute+10*second)
		if got, ok := w.Latest(); !ok || got.Summary.Code != "Mended." {
			t.Errorf("kept %+v", got)
		}
	})
}

// A node asks its peers less often than they would refuse to look, since a
// refusal would turn what fails into what nobody has seen.
func TestLooksStayBelowTheLimitOfPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		witness := &Witness{asked: make(map[peer.ID]*rate.Limiter)}
		refused := 0
		for w.at(time.Minute, func() { w.takes = 0 }); time.Since(w.begun) < 6*minute; time.Sleep(second) {
			switch _, err := w.Look(t.Context()); {
			case errors.Is(err, ErrTooOften):
				refused++
			case err != nil:
				t.Error(err)
			case !witness.mayAsk("node"):
				t.Error("a peer refuses")
			}
		}
		if refused < 200 || refused > 290 {
			t.Errorf("%d of 300 refused", refused)
		}
	})
}

// Nobody waits for rounds that have ended, and what they were about to find
// out then is not kept.
func TestRoundsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &ward{t: t, begun: time.Now(), next: Report{Ready: true}, takes: minute}
		w.Rounds = NewRounds(func() Config { return Config{DataDir: "none"} }, w.inCall, func() { w.told++ }, slog.New(slog.DiscardHandler))
		w.run = w.take
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx) // ends with cancel
		synctest.Wait()
		asked := make(chan error)
		go func() { _, err := w.Look(t.Context()); asked <- err }() // ends with Run
		short, stop := context.WithTimeout(t.Context(), second)
		defer stop()
		if _, err := w.Look(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		cancel()
		if err := <-asked; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		<-w.done
		if _, ok := w.Latest(); ok || w.told > 0 {
			t.Error("half a look was kept")
		}
	})
}

// The log says that readiness changed and by which check, and nothing that a
// finding may name.
func TestRoundsLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		failing := Report{Checks: []Check{{ID: "page", Status: Fail, Finding: say("CANARY has it."), Todo: say("Ask CANARY.")}}}
		w.at(4*minute, func() { w.next = failing })
		w.at(9*minute, func() { w.next = Report{Ready: true} })
		w.at(12*minute, func() {})
		lines := strings.Split(strings.TrimSpace(w.said.String()), "\n")
		if len(lines) != 3 || !strings.Contains(lines[1], "level=WARN") || !strings.HasSuffix(lines[1], "reason=page") || strings.Contains(w.said.String(), "CANARY") {
			t.Errorf("%q", lines)
		}
	})
}
