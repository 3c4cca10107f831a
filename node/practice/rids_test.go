package practice

import (
	"maps"
	"slices"
	"testing"
	"time"

	"anteroom/rendezvous/wire"
)

// rids returns those of the invites of appointments, by member.
func rids(appointments ...Made) map[wire.MemberID][32]byte {
	all := make(map[wire.MemberID][32]byte)
	for _, a := range appointments {
		for _, inv := range a.Links {
			all[inv.Member] = inv.Link.Keys().Rendezvous.RID()
		}
	}
	return all
}

// A rid is among them exactly as long as Lookup finds it.
func TestRIDsAreThoseThatLookupFinds(t *testing.T) {
	f := newFixture(t)
	kept, revoked, cancelled := f.create("Ann", "Ben"), f.create("Cem"), f.create("Dee")
	all := rids(kept, revoked, cancelled)
	check := func(when string) {
		t.Helper()
		got, err := f.RIDs(t.Context(), f.Now(), 100, nil)
		if err != nil {
			t.Fatal(err)
		}
		for m, rid := range all {
			_, err := f.Lookup(t.Context(), rid)
			if told, ok := got[m]; ok != (err == nil) || ok && told != rid {
				t.Errorf("%s: told %v, and Lookup says %v", when, ok, err)
			}
		}
	}
	check("at first")
	if err := f.Revoke(t.Context(), f.who.ID, revoked.Invites[0].Member); err != nil {
		t.Fatal(err)
	}
	if err := f.Cancel(t.Context(), f.who.ID, cancelled.ID); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, 2 * time.Hour, 2*time.Hour + shredAfter} {
		f.set(noon.Add(after))
		if err := f.Sweep(t.Context(), f.Now()); err != nil {
			t.Fatal(err)
		}
		check(after.String())
	}
	if got, err := f.RIDs(t.Context(), f.Now(), 100, nil); err != nil || len(got) != 0 {
		t.Errorf("a day later %d are left, %v", len(got), err)
	}
}

// If there are too many, the nearest are among them: those that are not over
// come first.
func TestRIDsAreOfTheNearest(t *testing.T) {
	f := newFixture(t)
	at := func(in time.Duration) Made {
		t.Helper()
		a, err := f.Create(t.Context(), f.who.ID, New{Starts: noon.Add(in), Minutes: 30, Guests: []string{"Ann"}})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	list := []Made{at(5 * time.Hour), at(6 * time.Hour), at(100 * time.Hour), at(2 * time.Hour), at(time.Hour)} // the nearest first, at four
	f.set(noon.Add(4 * time.Hour))
	for n := range len(list) + 1 {
		got, err := f.RIDs(t.Context(), f.Now(), n, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := rids(list[:n]...); !maps.Equal(got, want) {
			t.Errorf("of the nearest %d, %d are right", n, len(slices.Collect(maps.Keys(got))))
		}
	}
}

// What the caller knows already is taken from it.
func TestRIDsThatAreKnown(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann", "Ben")
	known := map[wire.MemberID][32]byte{a.Invites[0].Member: {1}, "of nobody": {2}}
	got, err := f.RIDs(t.Context(), f.Now(), 100, known)
	if err != nil || len(got) != 2 || got[a.Invites[0].Member] != [32]byte{1} || got[a.Invites[1].Member] != a.Links[1].Link.Keys().Rendezvous.RID() {
		t.Errorf("%v, %v", got, err)
	}
}
