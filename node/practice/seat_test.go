package practice

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

func TestLookupFindsTheSeatOfALink(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann", "Ben")
	f.create("Cem")
	f.reopen()
	for _, inv := range a.Links {
		seat, err := f.lookup(inv)
		if err != nil {
			t.Fatal(err)
		}
		if seat.Member != inv.Member || seat.Label != inv.Label || seat.Appointment.ID != a.ID || seat.Appointment.Label != "Review" {
			t.Errorf("got %+v for %+v", seat, inv)
		}
		if seat.Bound || seat.Admitted || seat.Revoked || len(seat.ResumeHash) != 0 {
			t.Errorf("got %+v for a fresh invite", seat)
		}
		// The keys are those that the link leads to, and the key pair the one it commits to.
		want := inv.Link.Keys()
		if !seat.Keys.PSK.Equal(want.PSK) || !seat.Keys.Admit.Equal(want.Admit) || !seat.Keys.Hello.Equal(want.Hello) {
			t.Error("other keys than the link's")
		}
		if seat.Keys.Commitment() != inv.Link.Commitment() {
			t.Error("another host key than the link's")
		}
	}
	stranger, err := invite.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, rid := range [][32]byte{{}, stranger.Host.Rendezvous.RID()} {
		if seat, err := f.Lookup(t.Context(), rid); !errors.Is(err, ErrNotFound) || seat.Keys != nil {
			t.Errorf("got %+v, %v for a rid of nobody", seat, err)
		}
	}
}

func TestBindIsExactToTheSecond(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann")
	m := a.Invites[0].Member
	for _, tt := range []struct {
		now  time.Time
		want error
	}{
		{a.Opens().Add(-time.Second), wire.ErrEarly},
		{a.Opens().Add(-time.Nanosecond), wire.ErrEarly},
		{a.Opens(), nil},
		{a.Opens().Add(time.Second), nil},
		{a.Closes().Add(-time.Second), nil},
		{a.Closes().Add(-time.Nanosecond), nil},
		{a.Closes(), wire.ErrEnded},
		{a.Closes().Add(time.Second), wire.ErrEnded},
	} {
		f.set(tt.now)
		if err := f.Bind(t.Context(), m, device(1)); !errors.Is(err, tt.want) {
			t.Errorf("bind at %v: got %v, want %v", tt.now, err, tt.want)
		}
		must(t, f.Release(t.Context(), m))
		if _, err := f.Create(t.Context(), f.who.ID, New{Starts: a.Starts, Minutes: a.Minutes, Guests: []string{"x"}}); (err == nil) != (tt.want != wire.ErrEnded) {
			t.Errorf("create at %v: got %v", tt.now, err)
		}
	}
}

// The window's end cuts nothing off: who knocked in time may be let in, put
// back and let in again. Once the seat is free it stays so.
func TestHeldSeatOutlastsTheWindow(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann")
	m := a.Invites[0].Member
	f.set(a.Closes().Add(-time.Second))
	must(t, f.Bind(t.Context(), m, device(1)))
	f.set(a.Closes().Add(time.Hour))
	must(t, f.Bind(t.Context(), m, device(1)))
	for range 2 {
		must(t, f.MarkAdmitted(t.Context(), m))
		must(t, f.MarkWaiting(t.Context(), m))
		if seat, err := f.lookup(a.Links[0]); err != nil || seat.Admitted || !slices.Equal(seat.ResumeHash, device(1)) {
			t.Fatalf("put back: got %+v, %v", seat, err)
		}
	}
	must(t, f.Release(t.Context(), m))
	must(t, f.MarkWaiting(t.Context(), m)) // too late: nobody is there
	if err := f.MarkAdmitted(t.Context(), m); !errors.Is(err, ErrNotSeated) {
		t.Errorf("admitted nobody: %v", err)
	}
	if err := f.Bind(t.Context(), m, device(1)); !errors.Is(err, wire.ErrEnded) {
		t.Errorf("bound after the window: %v", err)
	}
}

func TestBadResumeHashesAreRefused(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann")
	f.set(a.Opens())
	for _, n := range []int{0, 31, 33} {
		if err := f.Bind(t.Context(), a.Invites[0].Member, make([]byte, n)); err == nil {
			t.Errorf("took %d bytes", n)
		}
	}
	if seat, err := f.lookup(a.Links[0]); err != nil || seat.Bound {
		t.Errorf("got %+v, %v", seat, err)
	}
}

func TestOneOfManyDevicesGetsTheSeat(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann")
	f.set(a.Opens())
	const devices = 16
	var wg sync.WaitGroup
	errs := make([]error, devices)
	for i := range devices {
		wg.Go(func() { errs[i] = f.Bind(context.Background(), a.Invites[0].Member, device(i)) })
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case !errors.Is(err, wire.ErrSeatTaken):
			t.Errorf("device %d: got %v, and device %d has the seat", i, err, winner)
		}
	}
	if seat, err := f.lookup(a.Links[0]); err != nil || winner < 0 || !slices.Equal(seat.ResumeHash, device(winner)) {
		t.Errorf("device %d won, but the seat is %+v, %v", winner, seat, err)
	}
}

func TestHeldSeatsSurviveARestart(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann", "Ben", "Cem")
	other := f.create("Dan")
	f.set(a.Opens())
	must(t, f.Bind(t.Context(), a.Invites[2].Member, device(2)))
	must(t, f.Bind(t.Context(), a.Invites[0].Member, device(0)))
	must(t, f.MarkAdmitted(t.Context(), a.Invites[0].Member))
	must(t, f.Bind(t.Context(), other.Invites[0].Member, device(3)))
	f.reopen()
	seats, err := f.Bound(t.Context(), a.ID)
	if err != nil || len(seats) != 2 {
		t.Fatalf("got %d seats, %v, want 2", len(seats), err)
	}
	for i, want := range []struct {
		n        int
		admitted bool
	}{{0, true}, {2, false}} {
		s := seats[i]
		if s.Member != a.Invites[want.n].Member || s.Admitted != want.admitted || !s.Bound || !slices.Equal(s.ResumeHash, device(want.n)) || s.Keys == nil {
			t.Errorf("got %+v", s)
		}
	}
	states := []InviteState{InviteAdmitted, InviteUnused, InviteWaiting}
	for i, inv := range f.reread(a.ID).Invites {
		if inv.State != states[i] {
			t.Errorf("%s is %s, want %s", inv.Label, inv.State, states[i])
		}
	}
	if seats, err := f.Bound(t.Context(), "unknown"); err != nil || len(seats) != 0 {
		t.Errorf("got %v, %v", seats, err)
	}
}

// TestSeatsFollowTheModel walks at random through everything that can happen
// to a seat and compares each step with a model of a few lines.
func TestSeatsFollowTheModel(t *testing.T) {
	f := newFixture(t)
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		f.set(noon)
		a, err := f.Create(ctx, f.who.ID, New{Starts: noon.Add(time.Hour), Minutes: 30, Guests: []string{"Ann"}})
		if err != nil {
			t.Fatal(err)
		}
		inv := a.Links[0]
		rid := inv.Link.Keys().Rendezvous.RID()

		var holder int // device, 0 for none
		var admitted, used, revoked bool
		window := func() error { return a.enter(f.Now()) }
		want := func(err, expected error) {
			if !errors.Is(err, expected) {
				t.Fatalf("got %v, want %v", err, expected)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"time": func(t *rapid.T) {
				f.set(rapid.SampledFrom([]time.Time{a.Opens().Add(-time.Second), a.Opens(), a.Starts, a.Closes().Add(-time.Second), a.Closes()}).Draw(t, "now"))
			},
			"bind": func(t *rapid.T) {
				d := rapid.IntRange(1, 2).Draw(t, "device")
				err := f.Bind(ctx, inv.Member, device(d))
				switch {
				case revoked:
					want(err, wire.ErrRevoked)
				case holder == d:
					want(err, nil)
				case holder != 0:
					want(err, wire.ErrSeatTaken)
				default:
					want(err, window())
					if err == nil {
						holder = d
					}
				}
			},
			"admit": func(*rapid.T) {
				err := f.MarkAdmitted(ctx, inv.Member)
				switch {
				case revoked:
					want(err, wire.ErrEnded)
				case holder == 0:
					want(err, ErrNotSeated)
				case admitted:
					want(err, nil)
				default:
					want(err, nil)
					admitted, used = true, true
				}
			},
			"put back": func(*rapid.T) {
				want(f.MarkWaiting(ctx, inv.Member), nil)
				admitted = false
			},
			"release": func(*rapid.T) {
				want(f.Release(ctx, inv.Member), nil)
				holder, admitted = 0, false
			},
			"revoke": func(t *rapid.T) {
				if rapid.IntRange(0, 4).Draw(t, "seldom") == 0 {
					want(f.Revoke(ctx, f.who.ID, inv.Member), nil)
					revoked, holder, admitted = true, 0, false
				}
			},
			"": func(*rapid.T) {
				seat, err := f.Lookup(ctx, rid)
				if err != nil {
					t.Fatal(err)
				}
				var resume []byte
				if holder != 0 {
					resume = device(holder)
				}
				if seat.Bound != (holder != 0) || !slices.Equal(seat.ResumeHash, resume) || seat.Admitted != admitted || seat.Revoked != revoked {
					t.Fatalf("got %+v, want device %d, admitted %v, revoked %v", seat, holder, admitted, revoked)
				}
				bound, err := f.Bound(ctx, a.ID)
				if err != nil || len(bound) != min(holder, 1) {
					t.Fatalf("%d seats are held, %v", len(bound), err)
				}
				state := InviteUnused
				switch {
				case revoked:
					state = InviteRevoked
				case admitted:
					state = InviteAdmitted
				case holder != 0:
					state = InviteWaiting
				case used:
					state = InviteUsed
				}
				got, err := f.Appointment(ctx, a.ID)
				if err != nil || got.Invites[0].State != state {
					t.Fatalf("the diary says %v, %v, want %s", got.Invites, err, state)
				}
			},
		})
	})
	f.events() // and the trail of all that verifies
}

func TestPublishable(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann", "Ben")
	later, err := f.Create(t.Context(), f.who.ID, New{Starts: noon.Add(48 * time.Hour), Minutes: 30, Guests: []string{"Cem"}})
	must(t, err)
	for _, tt := range []struct {
		now  time.Time
		want int
	}{
		{a.Opens().Add(-30*time.Minute - time.Second), 0},
		{a.Opens().Add(-30 * time.Minute), 2},
		{a.Starts, 2},
		{a.Closes().Add(30*time.Minute - time.Second), 2},
		{a.Closes().Add(30 * time.Minute), 0},
		{later.Starts, 1},
	} {
		seats, err := f.Publishable(t.Context(), tt.now)
		if err != nil || len(seats) != tt.want {
			t.Errorf("at %v: got %d, %v, want %d", tt.now, len(seats), err, tt.want)
		}
	}
	must(t, f.Revoke(t.Context(), f.who.ID, a.Invites[0].Member))
	seats, err := f.Publishable(t.Context(), a.Starts)
	if err != nil || len(seats) != 1 || seats[0].Member != a.Invites[1].Member {
		t.Fatalf("got %v, %v after one was revoked", seats, err)
	}
	if seats[0].Keys.Rendezvous.Reveal() != a.Links[1].Link.Keys().Rendezvous.Reveal() {
		t.Error("another rendezvous key than the link's")
	}
	// Nor is it published again by someone who writes a link back.
	f.tamper("UPDATE invite SET link = x'00' WHERE link IS NULL")
	f.open()
	if seats, err := f.Publishable(t.Context(), a.Starts); err != nil || len(seats) != 1 {
		t.Errorf("got %v, %v after a link was written back", seats, err)
	}
	must(t, f.Cancel(t.Context(), f.who.ID, a.ID))
	if seats, err := f.Publishable(t.Context(), a.Starts); err != nil || len(seats) != 0 {
		t.Errorf("got %v, %v after it was cancelled", seats, err)
	}
}
