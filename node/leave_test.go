package node_test

import (
	"os"
	"path/filepath"
	"testing"

	"anteroom/node/nodetest"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// TestAllWhoLeaveAtOnceAreRecorded has everybody leave in the same moment and
// stops the node right after them.
func TestAllWhoLeaveAtOnceAreRecorded(t *testing.T) {
	home := nodetest.Start(t, "home", nodetest.Options{})
	var guests []*nodetest.Member
	for range 20 {
		a := home.Appointment("Ann", "Ben", "Cleo")
		for _, inv := range a.Links {
			guest := home.MustGuest(inv.Link)
			guest.Join("Guest", nil)
			guests = append(guests, guest)
		}
	}
	for _, guest := range guests {
		nodetest.Expect[*wire.Seat](guest, nil)
	}
	for _, guest := range guests {
		guest.Say(&wire.Leave{})
	}
	for _, guest := range guests {
		if err := <-guest.Done; err != nil {
			t.Error(err)
		}
	}
	home.Stop()

	if _, err := os.Stat(filepath.Join(home.Dir, "anteroom.db-wal")); err == nil {
		t.Error("a log is left after the stop")
	}
	p, err := practice.Open(t.Context(), practice.Config{Dir: home.Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Trail.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	entries, err := p.Trail.Entries(t.Context(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	left := map[wire.MemberID]int{}
	for _, e := range entries {
		if e.Event == "leave" {
			left[e.Member]++
		}
	}
	if len(left) != len(guests) {
		t.Errorf("%d of %d are recorded as having left", len(left), len(guests))
	}
	list, err := p.Appointments(t.Context(), home.Practitioner.ID, home.Practice.Now().AddDate(0, 0, -1), home.Practice.Now().AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		for _, inv := range a.Invites {
			if left[inv.Member] != 1 || inv.State != practice.InviteUnused {
				t.Errorf("recorded %d times, and the seat is %s", left[inv.Member], inv.State)
			}
		}
	}
}
