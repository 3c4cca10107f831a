package practice

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"anteroom/node/audit"
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
var cheap = cost{memory: 8, passes: 1, lanes: 1}

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
	who Practitioner
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
	f.who, err = f.SetUp(t.Context(), SetUp{"Riverside Practice", "Dr. Ada Lee", goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	if err := f.tryOpen(cheap); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) tryOpen(c cost) (err error) {
	log := slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.Practice, err = open(context.Background(), Config{Dir: f.dir, Clock: f.clock.Now, Log: log, count: f.clock.count}, newHasher(c))
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

func wantInvalid(t *testing.T, err error, field, part string) {
	t.Helper()
	invalid, ok := errors.AsType[*InvalidError](err)
	if !ok || invalid.Field != field || !strings.Contains(invalid.Message, part) || !strings.HasSuffix(invalid.Message, ".") {
		t.Errorf("got %v, want a sentence on %s with %q", err, field, part)
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

func TestSetUpHappensOnce(t *testing.T) {
	f := newEmpty(t)
	if info, err := f.Info(t.Context()); err != nil || info != (Info{}) {
		t.Errorf("got %v, %v before", info, err)
	}
	who, err := f.SetUp(t.Context(), SetUp{"  Riverside Practice ", "Dr. Ada Lee", goodPassword})
	if err != nil || who.Name != "Dr. Ada Lee" || len(who.ID) != 16 {
		t.Fatalf("got %v, %v", who, err)
	}
	f.reopen()
	want := Info{Name: "Riverside Practice", Practitioners: 1}
	if info, err := f.Info(t.Context()); err != nil || info != want {
		t.Errorf("got %v, %v, want %v", info, err, want)
	}
	if _, err := f.SetUp(t.Context(), SetUp{"Other", "Somebody", goodPassword}); !errors.Is(err, ErrAlreadySetUp) {
		t.Errorf("got %v the second time", err)
	}
	if got, err := f.Practitioner(t.Context(), who.ID); err != nil || got != who {
		t.Errorf("got %v, %v, want %v", got, err, who)
	}
	if list, err := f.Practitioners(t.Context()); err != nil || len(list) != 1 || list[0] != who {
		t.Errorf("got %v, %v, want only %v", list, err, who)
	}
	if _, err := f.Practitioner(t.Context(), "0123456789abcdef"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v for an unknown one", err)
	}
	if got := f.events(); len(got) != 1 || got[0] != audit.EventSetUp {
		t.Errorf("got events %v", got)
	}
}

func TestOnlyOneOfSeveralSetsUp(t *testing.T) {
	f := newEmpty(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = f.SetUp(context.Background(), SetUp{fmt.Sprint("Practice ", i), "Ada", goodPassword})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrAlreadySetUp):
			t.Error(err)
		}
	}
	if info, err := f.Info(t.Context()); won != 1 || err != nil || info.Practitioners != 1 {
		t.Errorf("%d won, and there are %d practitioners, %v", won, info.Practitioners, err)
	}
}

func TestNamesThatDisturbAreRefused(t *testing.T) {
	f := newEmpty(t)
	long := strings.Repeat("ü", wire.MaxName)
	for _, tt := range []struct{ name, part string }{
		{"", "Please enter"},
		{" \t ", "Please enter"},
		{long + "x", "too long"},
		{"a\x00b", "invisible"},
		{"a\nb", "invisible"},
		{"a\u202eb", "invisible"},
		{"a\u2066b", "invisible"},
		{"\xff", "not valid"},
	} {
		_, err := f.SetUp(t.Context(), SetUp{tt.name, "Ada", goodPassword})
		wantInvalid(t, err, "practice", tt.part)
		_, err = f.SetUp(t.Context(), SetUp{"Riverside", tt.name, goodPassword})
		wantInvalid(t, err, "name", tt.part)
	}
	if _, err := f.SetUp(t.Context(), SetUp{long, "Zoë <b>&amp; Co</b> عمر", goodPassword}); err != nil {
		t.Errorf("got %v for good names", err)
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
