package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"anteroom/node/audit"
	"anteroom/node/store"
	"anteroom/node/store/storetest"
	"anteroom/rendezvous/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap makes a hash in microseconds.
var cheap = Cost{Memory: 8, Passes: 1, Lanes: 1}

const goodPassword = "eleven purple wardrobes"

// noon is when tests begin: a second like any other.
var noon = time.Unix(1_800_000_000, 0)

// A fixture is the people of a practice that is set up, of whom there is one.
type fixture struct {
	*People
	t     *testing.T
	store *store.Store
	dir   string
	now   time.Time
	who   Practitioner
}

// newEmpty opens a practice that is not set up yet.
func newEmpty(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, now: noon, dir: filepath.Join(t.TempDir(), "data")}
	f.open(cheap)
	t.Cleanup(func() { f.store.Close() })
	return f
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := newEmpty(t)
	var err error
	f.who, err = f.SetUp(t.Context(), SetUp{"Riverside Practice", "Dr. Ada Lee", goodPassword})
	must(t, err)
	return f
}

func (f *fixture) open(c Cost) {
	f.t.Helper()
	f.store = storetest.Open(f.t, f.dir)
	clock := func() time.Time { return f.now }
	trail, err := audit.New(f.store, clock)
	must(f.t, err)
	must(f.t, f.store.Write(f.t.Context(), func(tx *sql.Tx) error { return trail.Begin(f.t.Context(), tx) }))
	f.People = New(f.store, trail, clock, c)
}

// reopen opens the practice again, with passwords that cost c.
func (f *fixture) reopen(c Cost) {
	f.t.Helper()
	must(f.t, f.store.Close())
	f.open(c)
}

// events returns the events of the trail so far, and fails unless it verifies.
func (f *fixture) events() []string {
	f.t.Helper()
	entries, err := f.trail.Entries(f.t.Context(), 0, 1000)
	must(f.t, err)
	if good, err := f.trail.Verify(f.t.Context()); err != nil || good != int64(len(entries)) {
		f.t.Fatalf("%d of %d entries are good: %v", good, len(entries), err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Event)
	}
	return list
}

// stored is every byte of the database.
func (f *fixture) stored() []byte {
	f.t.Helper()
	must(f.t, f.store.Forget(f.t.Context()))
	content, err := os.ReadFile(filepath.Join(f.dir, "anteroom.db"))
	must(f.t, err)
	return content
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantInvalid(t *testing.T, err error, field, code string) {
	t.Helper()
	invalid, ok := errors.AsType[*InvalidError](err)
	if !ok || invalid.Field != field || invalid.Message.Code != code {
		t.Errorf("got %v, want %s on %s", err, code, field)
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
	f.reopen(cheap)
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
	for _, tt := range []struct{ name, code string }{
		{"", "input.missing"},
		{" \t ", "input.missing"},
		{long + "x", "input.long"},
		{"a\x00b", "input.invisible"},
		{"a\nb", "input.invisible"},
		{"a\u202eb", "input.invisible"},
		{"a\u2066b", "input.invisible"},
		{"\xff", "input.no-text"},
	} {
		_, err := f.SetUp(t.Context(), SetUp{tt.name, "Ada", goodPassword})
		wantInvalid(t, err, "practice", tt.code)
		_, err = f.SetUp(t.Context(), SetUp{"Riverside", tt.name, goodPassword})
		wantInvalid(t, err, "name", tt.code)
	}
	if _, err := f.SetUp(t.Context(), SetUp{long, "Zoë <b>&amp; Co</b> عمر", goodPassword}); err != nil {
		t.Errorf("got %v for good names", err)
	}
}
