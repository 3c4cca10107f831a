package practice

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"anteroom/node/audit"
	"anteroom/node/people"
	"anteroom/rendezvous/wire"
)

func TestWindowIsExactToTheSecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Appointment{
			Starts:  time.Unix(rapid.Int64Range(1e9, 4e9).Draw(t, "starts"), 0),
			Minutes: rapid.IntRange(minMinutes, maxMinutes).Draw(t, "minutes"),
		}
		opens := a.Starts.Unix() - 15*60
		closes := a.Starts.Unix() + int64(a.Minutes)*60 + 30*60
		for _, tt := range []struct {
			at    int64
			nanos int64
			want  State
		}{
			{opens - 1, 0, StateEarly},
			{opens - 1, 999_999_999, StateEarly},
			{opens, 0, StateOpen},
			{opens + 1, 0, StateOpen},
			{a.Starts.Unix(), 0, StateOpen},
			{closes - 1, 0, StateOpen},
			{closes - 1, 999_999_999, StateOpen},
			{closes, 0, StateEnded},
			{closes + 1, 0, StateEnded},
		} {
			now := time.Unix(tt.at, tt.nanos)
			if got := a.State(now); got != tt.want {
				t.Fatalf("got %s at %v, want %s", got, now, tt.want)
			}
			cancelled := a
			cancelled.Cancelled = true
			if got := cancelled.State(now); got != StateCancelled {
				t.Fatalf("got %s for a cancelled one", got)
			}
		}
		if a.Closes().Sub(a.Opens()) > 24*time.Hour {
			t.Fatal("a window of more than a day")
		}
	})
}

func TestBadAppointmentsAreRefused(t *testing.T) {
	f := newFixture(t)
	good := New{Starts: noon.Add(time.Hour), Minutes: 30, Label: "Review", Guests: []string{"Ann"}}
	for _, tt := range []struct {
		change      func(*New)
		field, code string
		n           any // the bound that the sentence names
	}{
		{func(n *New) { n.Minutes = 4 }, "minutes", "input.minutes.few", 5},
		{func(n *New) { n.Minutes = 0 }, "minutes", "input.minutes.few", 5},
		{func(n *New) { n.Minutes = -30 }, "minutes", "input.minutes.few", 5},
		{func(n *New) { n.Minutes = 481 }, "minutes", "input.minutes.many", 480},
		{func(n *New) { n.Minutes = 1 << 62 }, "minutes", "input.minutes.many", 480},
		{func(n *New) { n.Starts = noon.Add(-time.Hour) }, "starts", "input.starts.over", nil},
		{func(n *New) { n.Starts = time.Time{} }, "starts", "input.starts.over", nil},
		{func(n *New) { n.Starts = time.Unix(-1<<62, 0) }, "starts", "input.starts.over", nil},
		{func(n *New) { n.Starts = noon.AddDate(2, 0, 0) }, "starts", "input.starts.far", nil},
		{func(n *New) { n.Starts = time.Unix(1<<50, 0) }, "starts", "input.starts.far", nil},
		{func(n *New) { n.Guests = nil }, "guests", "input.guests.none", nil},
		{func(n *New) { n.Guests = make([]string, 4) }, "guests", "input.guests.many", 3},
		{func(n *New) { n.Guests = []string{"a", strings.Repeat("x", 65)} }, "guests", "input.long", 64},
		{func(n *New) { n.Guests = []string{"a\u202e"} }, "guests", "input.invisible", nil},
		{func(n *New) { n.Guests = []string{"\xff"} }, "guests", "input.no-text", nil},
		{func(n *New) { n.Label = strings.Repeat("x", 65) }, "label", "input.long", 64},
		{func(n *New) { n.Label = "a\nb" }, "label", "input.invisible", nil},
	} {
		n := good
		tt.change(&n)
		_, err := f.Create(t.Context(), f.who.ID, n)
		wantInvalid(t, err, tt.field, tt.code)
		if invalid, ok := errors.AsType[*InvalidError](err); ok && invalid.Message.Args["n"] != tt.n {
			t.Errorf("%s names %v, want %v", tt.code, invalid.Message.Args["n"], tt.n)
		}
	}
	if _, err := f.Create(t.Context(), "0123456789abcdef", good); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v for an unknown practitioner", err)
	}
	if list, err := f.Appointments(t.Context(), f.who.ID, time.Time{}, time.Time{}); err != nil || len(list) != 0 {
		t.Errorf("%d were made, %v", len(list), err)
	}
}

func TestAppointmentsAtTheLimits(t *testing.T) {
	f := newFixture(t)
	long := strings.Repeat("ü", wire.MaxLabel)
	for _, n := range []New{
		{Starts: noon.Add(-34 * time.Minute), Minutes: 5, Guests: []string{""}}, // a minute is left
		{Starts: noon.Add(time.Hour), Minutes: 480, Label: long, Guests: []string{long, long, "same"}},
		{Starts: noon.AddDate(1, 0, 0), Minutes: 30, Guests: []string{"Ann", "Ann"}},
	} {
		if _, err := f.Create(t.Context(), f.who.ID, n); err != nil {
			t.Errorf("%v: %v", n, err)
		}
	}
}

func TestCreatedAppointmentIsKept(t *testing.T) {
	f := newFixture(t)
	starts := noon.Add(time.Hour)
	made, err := f.Create(t.Context(), f.who.ID, New{
		Starts: starts.Add(123 * time.Millisecond), Minutes: 45, Label: " Review ", Guests: []string{"Ann", " Ben\t", ""}, Test: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.reopen()
	a := f.reread(made.ID)
	if a.ID != made.ID || len(a.ID) != 32 || a.Practitioner != f.who.ID || a.Label != "Review" ||
		!a.Starts.Equal(starts) || a.Minutes != 45 || !a.Test || a.Cancelled {
		t.Errorf("got %+v", a)
	}
	if !a.Ends().Equal(starts.Add(45*time.Minute)) || !a.Opens().Equal(starts.Add(-15*time.Minute)) || !a.Closes().Equal(starts.Add(75*time.Minute)) {
		t.Errorf("got a window from %v to %v and an end at %v", a.Opens(), a.Closes(), a.Ends())
	}
	labels := []string{"Ann", "Ben", ""}
	seen := map[string]bool{}
	for i, inv := range a.Invites {
		if inv.Label != labels[i] || inv.State != InviteUnused || len(inv.Member) != 16 || inv.Member != made.Invites[i].Member {
			t.Errorf("got invite %+v, want %+v", inv, made.Invites[i])
		}
		payload := f.payload(inv.Member)
		if payload != made.Links[i].Link.Payload() {
			t.Error("the link changed")
		}
		seen[payload], seen[string(inv.Member)] = true, true
	}
	if len(a.Invites) != 3 || len(seen) != 6 {
		t.Errorf("got %d invites with %d different links and members", len(a.Invites), len(seen))
	}
	if got := f.events(); !slices.Equal(got, []string{audit.EventSetUp, audit.EventCreate}) {
		t.Errorf("got events %v", got)
	}
}

func TestAppointmentsAreThoseThatOverlap(t *testing.T) {
	f := newFixture(t)
	hours := []int{9, 3, 6}
	ids := map[string]int{}
	for _, h := range hours {
		a, err := f.Create(t.Context(), f.who.ID, New{Starts: noon.Add(time.Duration(h) * time.Hour), Minutes: 30, Guests: []string{"Ann"}})
		if err != nil {
			t.Fatal(err)
		}
		ids[a.ID] = h
	}
	opens := func(h int) time.Time { return noon.Add(time.Duration(h)*time.Hour - 15*time.Minute) }
	closes := func(h int) time.Time { return noon.Add(time.Duration(h)*time.Hour + time.Hour) }
	var never time.Time
	for _, tt := range []struct {
		what     string
		from, to time.Time
		want     []int
	}{
		{"no bounds", never, never, []int{3, 6, 9}},
		{"all of it", noon, noon.Add(24 * time.Hour), []int{3, 6, 9}},
		{"from the last second of one", closes(3).Add(-time.Second), never, []int{3, 6, 9}},
		{"from its end", closes(3), never, []int{6, 9}},
		{"to the first second of one", never, opens(9).Add(time.Second), []int{3, 6, 9}},
		{"to its opening", never, opens(9), []int{3, 6}},
		{"inside one", opens(6).Add(time.Minute), opens(6).Add(2 * time.Minute), []int{6}},
		{"between two", closes(3), opens(6), nil},
	} {
		list, err := f.Appointments(t.Context(), f.who.ID, tt.from, tt.to)
		var got []int
		for _, a := range list {
			got = append(got, ids[a.ID])
			if len(a.Invites) != 1 {
				t.Errorf("%s: %d invites", tt.what, len(a.Invites))
			}
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", tt.what, got, err, tt.want)
		}
	}
	if list, err := f.Appointments(t.Context(), "somebody else", never, never); err != nil || len(list) != 0 {
		t.Errorf("somebody else has %d, %v", len(list), err)
	}
	if _, err := f.Appointment(t.Context(), strings.Repeat("0", 32)); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v for an unknown one", err)
	}
}

func TestCancelEndsEverything(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann", "Ben")
	f.set(a.Opens())
	ann, ben := a.Links[0], a.Links[1]
	must(t, f.Bind(t.Context(), ann.Member, device(1)))
	must(t, f.MarkAdmitted(t.Context(), ann.Member))

	must(t, f.Cancel(t.Context(), f.who.ID, a.ID))
	must(t, f.Cancel(t.Context(), f.who.ID, a.ID)) // once more changes nothing

	f.reopen()
	got := f.reread(a.ID)
	if !got.Cancelled || got.State(f.Now()) != StateCancelled || got.Label != "Review" {
		t.Errorf("got %+v", got)
	}
	for i, inv := range got.Invites {
		if inv.State != InviteRevoked || inv.HasLink || inv.Label != a.Invites[i].Label {
			t.Errorf("got invite %+v", inv)
		}
	}
	// Whoever has the link can be told so, and no more.
	for _, inv := range []Issued{ann, ben} {
		seat, err := f.lookup(inv)
		if err != nil || !seat.Revoked || seat.Bound || seat.Admitted || !seat.Appointment.Cancelled {
			t.Errorf("got seat %+v, %v", seat, err)
		}
		if err := f.Bind(t.Context(), inv.Member, device(1)); !errors.Is(err, wire.ErrCancelled) {
			t.Errorf("got %v, want cancelled", err)
		}
		if err := f.MarkAdmitted(t.Context(), inv.Member); !errors.Is(err, wire.ErrEnded) {
			t.Errorf("got %v, want ended", err)
		}
		if _, err := f.Rotate(t.Context(), f.who.ID, inv.Member); !errors.Is(err, wire.ErrEnded) {
			t.Errorf("got %v, want ended", err)
		}
	}
	if err := f.Cancel(t.Context(), f.who.ID, strings.Repeat("0", 32)); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v for an unknown one", err)
	}
	if got := f.events(); !slices.Equal(got, []string{audit.EventSetUp, audit.EventCreate, audit.EventAdmit, audit.EventCancel}) {
		t.Errorf("got events %v", got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkAppointmentsOfAMonth(b *testing.B) {
	f := &fixture{clock: &clock{now: noon}}
	p, err := Open(context.Background(), Config{Dir: b.TempDir() + "/data", Clock: f.clock.Now, passwords: cheap})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	who, err := p.People.SetUp(b.Context(), people.SetUp{Practice: "Riverside", Name: "Ada", Password: goodPassword})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 330 { // eleven a day
		starts := noon.Add(time.Duration(i/11*24+i%11) * time.Hour)
		if _, err := p.Create(b.Context(), who.ID, New{Starts: starts, Minutes: 30, Guests: []string{"Ann"}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if list, err := p.Appointments(b.Context(), who.ID, noon, noon.Add(12*time.Hour)); err != nil || len(list) != 11 {
			b.Fatal(len(list), err)
		}
	}
}
