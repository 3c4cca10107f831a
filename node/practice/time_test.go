package practice

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const day = 24 * time.Hour

// has fails unless the appointment is there, and with it its link, or both are
// gone.
func (f *fixture) has(a Made, want bool) {
	f.t.Helper()
	_, err := f.Appointment(f.t.Context(), a.ID)
	if got := err == nil; got != want || err != nil && !errors.Is(err, ErrNotFound) {
		f.t.Errorf("the appointment is there: %v (%v), want %v", got, err, want)
	}
	if _, err := f.lookup(a.Links[0]); want && err != nil {
		f.t.Errorf("its link: %v", err)
	}
}

func (f *fixture) createIn(d time.Duration) Made {
	f.t.Helper()
	a, err := f.Create(f.t.Context(), f.who.ID, New{Starts: f.Now().Add(d), Minutes: 30, Guests: []string{"Ann"}})
	must(f.t, err)
	return a
}

// leapt returns whether the clock is not believed.
func (f *fixture) leaptNow() bool { _, leapt := f.Leapt(); return leapt }

// TestAClockThatIsAheadDeletesNothing: the first sweep of a run whose clock is
// forty days ahead, and then right again.
func TestAClockThatIsAheadDeletesNothing(t *testing.T) {
	f := newFixture(t)
	a := f.createIn(2 * day)
	must(t, f.People.Sessions().Commit("token", []byte("x"), noon.Add(day)))
	must(t, f.Close())
	f.set(noon.Add(40 * day))
	f.open()
	must(t, f.Sweep(t.Context(), f.Now()))
	for range 60 { // and for an hour
		f.pass(time.Minute)
		must(t, f.Sweep(t.Context(), f.Now()))
	}
	f.has(a, true)
	if leap, ok := f.Leapt(); !ok || leap.Clock.Sub(leap.Lived) != 40*day || leap.Wait <= 0 {
		t.Errorf("got %+v, %v", leap, ok)
	}
	must(t, f.Close())
	f.set(noon.Add(time.Hour))
	f.open()
	if f.leaptNow() {
		t.Error("a clock that is right again is not believed")
	}
	f.has(a, true)
	if _, ok, err := f.People.Sessions().Find("token"); err != nil || !ok {
		t.Errorf("the session is gone: %v", err)
	}
	f.sweepAt(a.Closes().Add(forgetAfter))
	f.has(a, false)
}

func TestAClockThatLeapsWhileItRunsDeletesNothing(t *testing.T) {
	f := newFixture(t)
	a := f.createIn(2 * day)
	f.set(noon.Add(40 * day))
	must(t, f.Sweep(t.Context(), f.Now()))
	if got := f.Lived(); !got.Equal(noon) {
		t.Errorf("lived until %v, want %v", got, noon)
	}
	f.has(a, true)
	f.set(noon.Add(-40 * day))
	must(t, f.Sweep(t.Context(), f.Now()))
	if !f.leaptNow() {
		t.Error("a clock that was set back is believed")
	}
	f.has(a, true)
	f.set(noon)
	if f.leaptNow() {
		t.Error("a clock that is right again is not believed")
	}
}

// TestWhatIsOverGoesAfterALongAbsence: after six weeks without this computer
// the clock is believed once it has been on for a week, in whatever pieces.
func TestWhatIsOverGoesAfterALongAbsence(t *testing.T) {
	f := newFixture(t)
	a := f.createIn(10 * day)
	must(t, f.Close())
	f.set(noon.Add(42 * day))
	f.open()
	for worked := time.Duration(0); worked < steadyFor; worked += 8 * time.Hour {
		f.has(a, true)
		for range 8 {
			f.pass(time.Hour)
			must(t, f.Sweep(t.Context(), f.Now()))
		}
		must(t, f.Close()) // and at night it is off
		f.set(f.Now().Add(16 * time.Hour))
		f.open()
	}
	f.pass(time.Hour)
	must(t, f.Sweep(t.Context(), f.Now()))
	f.has(a, false)
	if f.leaptNow() {
		t.Error("the clock is not believed yet")
	}
}

func TestAClockThatOthersConfirmIsBelieved(t *testing.T) {
	f := newFixture(t)
	a := f.createIn(2 * day)
	must(t, f.Close())
	f.set(noon.Add(42 * day))
	f.open()
	f.BelieveClock()
	must(t, f.Sweep(t.Context(), f.Now()))
	f.has(a, false)
}

// TestWithoutARecordedTimeTheTrailTellsIt: the database is one from before, or
// what it says of the time is damaged.
func TestWithoutARecordedTimeTheTrailTellsIt(t *testing.T) {
	for _, query := range []string{"DELETE FROM clock", "UPDATE clock SET seen = zeroblob(58)", "UPDATE clock SET seen = x''"} {
		t.Run(query, func(t *testing.T) {
			f := newFixture(t)
			a := f.createIn(2 * day)
			f.tamper(query)
			f.set(noon.Add(40 * day))
			f.open()
			must(t, f.Sweep(t.Context(), f.Now()))
			f.has(a, true)
			if !f.leaptNow() {
				t.Error("the clock is believed")
			}
		})
	}
}

// TestCopiesOfAWrongClock: the database as it was before a migration stays for a
// week, whatever the clock said when it was copied.
func TestCopiesOfAWrongClock(t *testing.T) {
	migrated := func(t *testing.T) (f *fixture, copied string) {
		f = newFixture(t)
		f.set(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)) // to which the files' clock is far behind
		f.BelieveClock()
		f.createIn(day)
		f.tamper("DROP TABLE clock", "DROP TABLE lineage", "PRAGMA user_version = 1")
		return f, filepath.Join(f.dir, "anteroom.db.before-v2")
	}
	wantFile := func(t *testing.T, name string, want bool) {
		t.Helper()
		if _, err := os.Stat(name); (err == nil) != want {
			t.Errorf("the copy is there: %v, want %v", err == nil, want)
		}
	}
	t.Run("behind", func(t *testing.T) {
		f, copied := migrated(t)
		right := f.Now()
		f.set(time.Unix(0, 0))
		f.open()
		must(t, f.Sweep(t.Context(), f.Now()))
		wantFile(t, copied, true)
		f.set(right.Add(time.Minute))
		must(t, f.Sweep(t.Context(), f.Now()))
		wantFile(t, copied, true)
		f.sweepAt(right.Add(copiesFor + time.Hour))
		wantFile(t, copied, false)
	})
	t.Run("ahead", func(t *testing.T) {
		f, copied := migrated(t)
		right := f.Now()
		f.open()
		must(t, os.Chtimes(copied, right.Add(400*day), right.Add(400*day)))
		f.set(time.Unix(0, 0)) // what is wrong for a minute dates nothing
		must(t, f.Sweep(t.Context(), f.Now()))
		f.set(right.Add(time.Hour))
		must(t, f.Sweep(t.Context(), f.Now()))
		wantFile(t, copied, true)
		f.sweepAt(right.Add(copiesFor))
		wantFile(t, copied, true)
		f.sweepAt(right.Add(copiesFor + 2*time.Hour))
		wantFile(t, copied, false)
	})
}
