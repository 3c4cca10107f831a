package practice

import (
	"database/sql"
	"errors"
	"testing"
	"time"
)

// stored counts the rows that the query counts.
func (f *fixture) stored(query string) (n int) {
	f.t.Helper()
	err := f.store.Read(f.t.Context(), func(tx *sql.Tx) error { return tx.QueryRow("SELECT count(*) FROM " + query).Scan(&n) })
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// sweepAt lets time pass until now, and sweeps.
func (f *fixture) sweepAt(now time.Time) {
	f.t.Helper()
	f.pass(now.Sub(f.Now()))
	if err := f.Sweep(f.t.Context(), now); err != nil {
		f.t.Fatal(err)
	}
}

func TestSweepForgetsStepByStep(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann", "Ben")
	ann, ben := a.Links[0], a.Links[1]
	must(t, f.Revoke(t.Context(), f.who.ID, ben.Member))
	changed, stop := f.Watch()
	defer stop()

	f.sweepAt(a.Closes().Add(-time.Second))
	if _, err := f.lookup(ben); err != nil {
		t.Errorf("a revoked link's holder hears nothing within the window: %v", err)
	}
	if ticked(changed) {
		t.Error("ticked, and nothing was forgotten")
	}

	f.sweepAt(a.Closes())
	if _, err := f.lookup(ben); !errors.Is(err, ErrNotFound) {
		t.Errorf("a revoked invite's keys outlive the window: %v", err)
	}
	if !ticked(changed) {
		t.Error("no tick after something was forgotten")
	}

	f.sweepAt(a.Closes().Add(24*time.Hour - time.Second))
	if _, err := f.lookup(ann); err != nil {
		t.Errorf("gone within a day: %v", err)
	}
	f.sweepAt(a.Closes().Add(24 * time.Hour))
	if _, err := f.lookup(ann); !errors.Is(err, ErrNotFound) {
		t.Errorf("not gone after a day: %v", err)
	}
	if n := f.stored("invite WHERE rid IS NOT NULL OR key IS NOT NULL OR link IS NOT NULL OR host IS NOT NULL"); n != 0 {
		t.Errorf("%d invites still have keys", n)
	}

	// The diary remembers who came, without links, for a month.
	f.sweepAt(a.Closes().Add(30*24*time.Hour - time.Second))
	got := f.reread(a.ID)
	if got.Label != "Review" || len(got.Invites) != 2 || got.Invites[0].Label != "Ann" || got.Invites[0].HasLink {
		t.Errorf("got %+v", got)
	}
	if seats, err := f.Bound(t.Context(), a.ID); err != nil || len(seats) != 0 {
		t.Errorf("got held seats %v, %v", seats, err)
	}
	f.sweepAt(a.Closes().Add(30 * 24 * time.Hour))
	if _, err := f.Appointment(t.Context(), a.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("not gone after a month: %v", err)
	}
	if n := f.stored("invite"); n != 0 {
		t.Errorf("%d invites are left", n)
	}
	f.events() // what was forgotten does not break the trail
}

func TestSweepForgetsTheSeatOfAGuestWhoNeverLeft(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann")
	f.set(a.Opens())
	must(t, f.Bind(t.Context(), a.Invites[0].Member, device(1)))
	f.sweepAt(a.Closes().Add(24 * time.Hour))
	if seats, err := f.Bound(t.Context(), a.ID); err != nil || len(seats) != 0 {
		t.Errorf("got held seats %v, %v", seats, err)
	}
	must(t, f.Release(t.Context(), a.Invites[0].Member))
	must(t, f.Revoke(t.Context(), f.who.ID, a.Invites[0].Member))
	f.reread(a.ID)
}
