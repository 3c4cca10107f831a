package practice

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"anteroom/node/people"
	"anteroom/node/store/storetest"
	"anteroom/rendezvous/wire"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		writeUntilKilled(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// cheap makes a hash in microseconds.
var cheap = people.Cost{Memory: 8, Passes: 1, Lanes: 1}

const goodPassword = "eleven purple wardrobes"

// noon is when tests begin: a second like any other.
var noon = time.Unix(1_800_000_000, 0)

// A clock stands still unless it is told otherwise.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	passed time.Duration // with the computer on
}

// count is how much time has passed by the computer's own count.
func (c *clock) count() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed
}

// pass lets time pass, with the computer on.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.passed = c.now.Add(d), c.passed+d
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// A fixture is a practice that is set up, with one practitioner.
type fixture struct {
	*Practice
	*clock
	t   *testing.T
	dir string
	log *bytes.Buffer // what it logged
	who people.Practitioner
}

func (f *fixture) Now() time.Time { return f.clock.Now() }

// newEmpty opens a practice that is not set up yet.
func newEmpty(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: &clock{now: noon}, dir: filepath.Join(t.TempDir(), "data"), log: new(bytes.Buffer)}
	f.open()
	t.Cleanup(func() { f.Close() })
	return f
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := newEmpty(t)
	var err error
	f.who, err = f.People.SetUp(t.Context(), people.SetUp{Practice: "Riverside Practice", Name: "Dr. Ada Lee", Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	if err := f.tryOpen(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) tryOpen() (err error) {
	log := slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.Practice, err = Open(context.Background(), Config{Dir: f.dir, Clock: f.clock.Now, Log: log, count: f.clock.count, passwords: cheap})
	return err
}

func (f *fixture) reopen() {
	f.t.Helper()
	if err := f.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.open()
}

// create makes an appointment of 30 minutes that starts in an hour.
func (f *fixture) create(guests ...string) Made {
	f.t.Helper()
	a, err := f.Create(f.t.Context(), f.who.ID, New{Starts: f.Now().Add(time.Hour), Minutes: 30, Label: "Review", Guests: guests})
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// reread returns the appointment as it is stored.
func (f *fixture) reread(id string) Appointment {
	f.t.Helper()
	a, err := f.Appointment(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// payload returns what the stored link of an invite says.
func (f *fixture) payload(m wire.MemberID) (payload string) {
	f.t.Helper()
	must(f.t, f.store.Read(f.t.Context(), func(tx *sql.Tx) error {
		r, _, err := f.inviteOf(f.t.Context(), tx, m)
		if err != nil {
			return err
		}
		link, err := f.openLink(r, seatState{})
		if err == nil {
			payload = link.Payload()
		}
		return err
	}))
	return payload
}

// lookup finds the seat of an invite as a guest with the link does.
func (f *fixture) lookup(inv Issued) (Seat, error) {
	return f.Lookup(f.t.Context(), inv.Link.Keys().Rendezvous.RID())
}

// device is the resume hash of device n.
func device(n int) []byte {
	sum := sha256.Sum256([]byte{byte(n)})
	return sum[:]
}

// events returns the events of the trail so far, and fails unless it verifies.
func (f *fixture) events() []string {
	f.t.Helper()
	entries, err := f.Trail.Entries(f.t.Context(), 0, 1000)
	if err != nil {
		f.t.Fatal(err)
	}
	if good, err := f.Trail.Verify(f.t.Context()); err != nil || good != int64(len(entries)) {
		f.t.Fatalf("%d of %d entries are good: %v", good, len(entries), err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Event)
	}
	return list
}

// tamper runs SQL on the closed database as someone without the key would.
func (f *fixture) tamper(queries ...string) {
	f.t.Helper()
	if err := f.Close(); err != nil {
		f.t.Fatal(err)
	}
	storetest.Tamper(f.t, f.dir, queries...)
}

func wantInvalid(t *testing.T, err error, field, code string) {
	t.Helper()
	invalid, ok := errors.AsType[*InvalidError](err)
	if !ok || invalid.Field != field || invalid.Message.Code != code {
		t.Errorf("got %v, want %s on %s", err, code, field)
	}
}

func ticked(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWatchTicksAfterChanges(t *testing.T) {
	f := newFixture(t)
	changed, stop := f.Watch()
	other, stopOther := f.Watch()
	defer stopOther()
	if ticked(changed) {
		t.Error("ticked before anything changed")
	}
	a := f.create("Ann")
	f.create("Ben")
	if !ticked(changed) || ticked(changed) {
		t.Error("two changes are not one tick")
	}
	if !ticked(other) {
		t.Error("the second watcher heard nothing")
	}
	if _, err := f.Create(t.Context(), f.who.ID, New{}); err == nil || ticked(changed) {
		t.Error("ticked for a change that was refused")
	}
	f.reread(a.ID)
	if ticked(changed) {
		t.Error("ticked for reading")
	}
	stop()
	stop()
	if err := f.Cancel(t.Context(), f.who.ID, a.ID); err != nil || ticked(changed) {
		t.Errorf("ticked after stop, %v", err)
	}
	if !ticked(other) {
		t.Error("stopping one stopped the other")
	}
}
