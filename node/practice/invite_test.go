package practice

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"anteroom/node/audit"
	"anteroom/rendezvous/wire"
)

func TestSeatStateSurvivesEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := seatState{
			revoked: rapid.Bool().Draw(t, "revoked"), admitted: rapid.Bool().Draw(t, "admitted"), used: rapid.Bool().Draw(t, "used"),
		}
		if rapid.Bool().Draw(t, "bound") {
			want.resume = device(rapid.IntRange(0, 255).Draw(t, "device"))
		}
		got, err := decodeSeat(want.encode())
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
	})
	for _, bad := range [][]byte{nil, {1}, {2, 0}, {1, 0, 0}, make([]byte, 34), make([]byte, 35)} {
		if _, err := decodeSeat(bad); err == nil {
			t.Errorf("took %v", bad)
		}
	}
}

func TestRevokeForgetsTheLinkAtOnce(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann", "Ben")
	ann, ben := a.Links[0], a.Links[1]
	f.set(a.Opens())
	must(t, f.Bind(t.Context(), ann.Member, device(1)))

	must(t, f.Revoke(t.Context(), f.who.ID, ann.Member))
	must(t, f.Revoke(t.Context(), f.who.ID, ann.Member))

	got := f.reread(a.ID).Invites
	if len(got) != 2 || got[0].State != InviteRevoked || got[0].HasLink || got[0].Label != "Ann" {
		t.Errorf("got %+v", got)
	}
	if got[1].State != InviteUnused || !got[1].HasLink {
		t.Errorf("the other guest's invite became %+v", got[1])
	}
	seat, err := f.lookup(ann)
	if err != nil || !seat.Revoked || seat.Bound || seat.Keys == nil {
		t.Errorf("got %+v, %v; its holder cannot be told", seat, err)
	}
	if err := f.Bind(t.Context(), ann.Member, device(1)); !errors.Is(err, wire.ErrRevoked) {
		t.Errorf("got %v, want revoked", err)
	}
	must(t, f.Release(t.Context(), ann.Member)) // as the room does when it sends them away
	must(t, f.Bind(t.Context(), ben.Member, device(2)))
	if err := f.Revoke(t.Context(), f.who.ID, "0123456789abcdef"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v for an unknown one", err)
	}
	if got := f.events(); !slices.Equal(got, []string{audit.EventSetUp, audit.EventCreate, audit.EventRevoke}) {
		t.Errorf("got events %v", got)
	}
}

func TestRotateReplacesTheLink(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann", "Ben")
	old := a.Links[0]
	f.set(a.Opens())
	must(t, f.Bind(t.Context(), old.Member, device(1)))
	must(t, f.MarkAdmitted(t.Context(), old.Member))

	fresh, err := f.Rotate(t.Context(), f.who.ID, old.Member)
	if err != nil {
		t.Fatal(err)
	}
	if fresh.Label != "Ann" || fresh.State != InviteUnused || fresh.Member == old.Member || fresh.Link.Payload() == old.Link.Payload() {
		t.Errorf("got %+v for %+v", fresh, old)
	}
	f.reopen()
	got := f.reread(a.ID).Invites
	if len(got) != 2 || got[0].Member != fresh.Member || f.payload(got[0].Member) != fresh.Link.Payload() || got[1].Member != a.Invites[1].Member {
		t.Errorf("got %+v, want the new one in the place of the old", got)
	}
	if seat, err := f.lookup(old); err != nil || !seat.Revoked || seat.Bound {
		t.Errorf("the old link: %+v, %v", seat, err)
	}
	if seat, err := f.lookup(fresh); err != nil || seat.Revoked || seat.Member != fresh.Member {
		t.Errorf("the new link: %+v, %v", seat, err)
	}
	must(t, f.Bind(t.Context(), fresh.Member, device(1)))

	// The old one has been replaced: doing it again would make a fourth guest.
	if _, err := f.Rotate(t.Context(), f.who.ID, old.Member); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v for one that was replaced", err)
	}
	// One that was revoked and not replaced gets a new link.
	must(t, f.Revoke(t.Context(), f.who.ID, fresh.Member))
	if _, err := f.Rotate(t.Context(), f.who.ID, fresh.Member); err != nil {
		t.Errorf("got %v for one that was revoked", err)
	}
	if got := f.reread(a.ID).Invites; len(got) != 2 {
		t.Errorf("there are %d invites", len(got))
	}
	if _, err := f.Rotate(t.Context(), f.who.ID, "0123456789abcdef"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v for an unknown one", err)
	}
	f.set(a.Closes())
	if _, err := f.Rotate(t.Context(), f.who.ID, a.Invites[1].Member); !errors.Is(err, wire.ErrEnded) {
		t.Errorf("got %v after the window", err)
	}
	if got := f.events(); !slices.Equal(got, []string{audit.EventSetUp, audit.EventCreate, audit.EventAdmit, audit.EventRotate, audit.EventRevoke, audit.EventRotate}) {
		t.Errorf("got events %v", got)
	}
}

func TestLinksAreNotPrinted(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann")
	seat, err := f.lookup(a.Links[0])
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	secret := a.Links[0].Link.Payload()
	psk := seat.Keys.PSK.Reveal()
	printed := []string{string(asJSON)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		for _, v := range []any{a, a.Invites[0], a.Links[0], seat, f.Practice, *f.Practice.store} {
			printed = append(printed, fmt.Sprintf(verb, v))
		}
	}
	for _, printed := range printed {
		for _, form := range []string{secret, secret[4:24], fmt.Sprintf("%x", psk), strings.Trim(fmt.Sprint(psk), "[]"), string(psk)} {
			if strings.Contains(printed, form) {
				t.Errorf("a secret is in %.60s…", printed)
			}
		}
	}
}
