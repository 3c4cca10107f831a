package practice

import (
	"errors"
	"testing"

	"anteroom/node/audit"
	"anteroom/rendezvous/wire"
)

// shown returns whose links the trail says that by was shown.
func (f *fixture) shown(by string) (members []wire.MemberID) {
	f.t.Helper()
	entries, err := f.Trail.Entries(f.t.Context(), 0, 1000)
	must(f.t, err)
	for _, e := range entries {
		if e.Event == audit.EventShowLink && e.By == by {
			members = append(members, e.Member)
		}
	}
	return members
}

// TestLinksAreOnRecord: none is shown without an entry, and none that opens
// nothing is.
func TestLinksAreOnRecord(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann", "Ben", "Cem")
	must(t, f.Revoke(t.Context(), f.who.ID, a.Invites[1].Member))
	fresh, err := f.Rotate(t.Context(), f.who.ID, a.Invites[2].Member)
	must(t, err)
	f.reopen()
	links, err := f.Links(t.Context(), f.who.ID, a.ID)
	must(t, err)
	if len(links) != 2 || links[0].Member != a.Invites[0].Member || links[0].Link.Payload() != a.Links[0].Link.Payload() ||
		links[1].Member != fresh.Member || links[1].Label != "Cem" || links[1].Link.Payload() != fresh.Link.Payload() {
		t.Errorf("got %d links", len(links))
	}
	if got := f.shown(f.who.ID); len(got) != 2 || got[0] != links[0].Member || got[1] != links[1].Member {
		t.Errorf("on record are %v", got)
	}
	if links, err := f.Links(t.Context(), "Dr. Ada Lee", a.ID); err == nil || len(links) > 0 {
		t.Errorf("%d links were shown to whom the trail cannot name: %v", len(links), err)
	}
	if _, err := f.Links(t.Context(), f.who.ID, "0123456789abcdef0123456789abcdef"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v for an unknown one", err)
	}
	f.set(a.Closes())
	if links, err := f.Links(t.Context(), f.who.ID, a.ID); err != nil || len(links) > 0 {
		t.Errorf("got %d links after the window, %v", len(links), err)
	}
	if got := f.shown(f.who.ID); len(got) != 2 {
		t.Errorf("on record are %v", got)
	}
}

// TestListingOpensNoLink breaks, while the practice is open, all that the diary
// has no business with. It cannot tell; whoever asks for the links can, and from
// then on the diary tells too.
func TestListingOpensNoLink(t *testing.T) {
	for _, column := range []string{"link", "host", "key", "rid"} {
		t.Run(column, func(t *testing.T) {
			f := newFixture(t)
			a, other := f.create("Ann"), f.create("Ben")
			f.breakColumn(column, a.Invites[0].Member)
			for _, list := range [][]Appointment{{f.diary()[a.ID]}, {f.reread(a.ID)}} {
				if got := list[0]; got.Damaged || len(got.Invites) != 1 || got.Invites[0] != a.Invites[0] {
					t.Errorf("listing looks where it has no business: %+v", got)
				}
			}
			links, err := f.Links(t.Context(), f.who.ID, a.ID)
			must(t, err)
			readable := column == "host" || column == "rid" // without them it leads nowhere
			if len(links) > 0 != readable {
				t.Errorf("got %d links", len(links))
			}
			got := f.diary()[a.ID]
			if !readable && (!got.Damaged || got.Invites[0].HasLink) {
				t.Errorf("a link that cannot be shown is listed as %+v", got)
			}
			f.wantDamaged(1)
			if got := f.diary()[a.ID]; !got.Damaged {
				t.Errorf("after a check it is listed as %+v", got)
			}
			if got := f.diary()[other.ID]; got.Damaged || !got.Invites[0].HasLink {
				t.Errorf("the other one is listed as %+v", got)
			}
			_, err = f.Rotate(t.Context(), f.who.ID, a.Invites[0].Member)
			must(t, err)
			if got := f.diary()[a.ID]; got.Damaged || !got.Invites[0].HasLink {
				t.Errorf("with a new link it is listed as %+v", got)
			}
		})
	}
}

// TestWhoseGuestIsIt: no link and no seal is needed for that.
func TestWhoseGuestIsIt(t *testing.T) {
	f := newFixture(t)
	a := f.create("Ann")
	m := a.Invites[0].Member
	for _, column := range []string{"link", "host", "key", "seat", "label"} {
		f.breakColumn(column, m)
	}
	if who, err := f.InviteOwner(t.Context(), m); err != nil || who != f.who.ID {
		t.Errorf("the guest is %q's, %v", who, err)
	}
	if who, err := f.Owner(t.Context(), a.ID); err != nil || who != f.who.ID {
		t.Errorf("the appointment is %q's, %v", who, err)
	}
	if _, err := f.InviteOwner(t.Context(), "0123456789abcdef"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v for an unknown guest", err)
	}
	if _, err := f.Owner(t.Context(), "0123456789abcdef0123456789abcdef"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v for an unknown appointment", err)
	}
}
