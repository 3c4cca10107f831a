package practice

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anteroom/node/audit"
	"anteroom/node/people"
	"anteroom/node/store"
	"anteroom/rendezvous/wire"
)

// loosen lets the database hold what only a damaged file can.
var loosen = []string{
	"PRAGMA writable_schema = on",
	`UPDATE sqlite_schema SET sql = replace(replace(replace(replace(sql, 'B NOT NULL', 'B'), 'T NOT NULL', 'T'), 'R NOT NULL', 'R'), ') STRICT', ')')
		WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
	"PRAGMA writable_schema = reset",
	"PRAGMA ignore_check_constraints = on",
}

// harms are what may have become of a sealed value.
var harms = map[string]string{
	"zeroes":    "zeroblob(length($))",
	"cut short": "substr($, 1, length($) / 2)",
	"empty":     "x''",
	"missing":   "NULL",
	"a number":  "17",
	"a text":    "'seventeen'",
	"too large": "zeroblob(100000)",
}

// wantDamaged fails unless Check finds this many records that do not open.
func (f *fixture) wantDamaged(want int) {
	f.t.Helper()
	var found *store.UnreadableError
	if err := f.Check(f.t.Context()); !errors.As(err, &found) {
		if want > 0 {
			f.t.Errorf("got %v, want %d records that do not open", err, want)
		}
	} else if found.Damaged != want || found.All < want {
		f.t.Errorf("got %v, want %d", found, want)
	}
}

// diary returns the practitioner's appointments from today on, by id.
func (f *fixture) diary() map[string]Appointment {
	f.t.Helper()
	list, err := f.Appointments(f.t.Context(), f.who.ID, f.Now().Add(-time.Hour), time.Time{})
	must(f.t, err)
	byID := make(map[string]Appointment)
	for _, a := range list {
		byID[a.ID] = a
	}
	return byID
}

// TestADamagedValueCostsItsOwnRecord damages one value after the other: the
// record that it is in is marked, and all others are as before.
func TestADamagedValueCostsItsOwnRecord(t *testing.T) {
	for _, tt := range []struct {
		table, column string
		enters        bool // the guest still gets in
	}{
		{"appointment", "label", true},
		{"appointment", "plan", false},
		{"invite", "label", true},
		{"invite", "seat", false},
		{"invite", "key", false},
		{"invite", "link", true},
		{"invite", "host", false},
		{"invite", "rid", false},
	} {
		for harm, value := range harms {
			t.Run(tt.table+"."+tt.column+" "+harm, func(t *testing.T) {
				f := newFixture(t)
				f.wantDamaged(0)
				bad, good := f.create("Ann"), f.create("Ben", "Col")
				which := fmt.Sprintf("id = '%s'", bad.ID)
				if tt.table == "invite" {
					which = fmt.Sprintf("appointment = '%s'", bad.ID)
				}
				f.tamper(append(loosen, fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s", tt.table, tt.column, strings.ReplaceAll(value, "$", tt.column), which))...)
				f.open()

				diary := f.diary()
				if got := diary[good.ID]; got.Damaged || len(got.Invites) != 2 || got.Label != "Review" {
					t.Errorf("the other one is %+v", got)
				}
				if got := diary[bad.ID]; !got.Damaged || len(got.Invites) != 1 {
					t.Errorf("the damaged one is %+v", got)
				}
				f.wantDamaged(1)

				f.set(bad.Opens())
				if err := f.Bind(t.Context(), good.Invites[0].Member, device(1)); err != nil {
					t.Errorf("another guest does not get in: %v", err)
				}
				_, err := f.lookup(bad.Links[0])
				if entered := err == nil; entered != tt.enters {
					t.Errorf("the guest gets in: %v (%v), want %v", entered, err, tt.enters)
				}
				if seats, err := f.Publishable(t.Context(), f.Now()); err != nil || len(seats) < 2 {
					t.Errorf("got %d seats to be found, %v", len(seats), err)
				}
				if _, err := f.Bound(t.Context(), bad.ID); err != nil {
					t.Error(err)
				}
				must(t, f.Sweep(t.Context(), f.Now()))

				// What is taken back is whole again.
				must(t, f.Cancel(t.Context(), f.who.ID, bad.ID))
				f.wantDamaged(0)
				if got := f.diary()[bad.ID]; got.State(f.Now()) != StateCancelled {
					t.Errorf("after cancelling it is %+v", got)
				}
				f.events()
			})
		}
	}
}

func TestADamagedInviteCanBeReplaced(t *testing.T) {
	for _, column := range []string{"label", "seat", "key", "link", "host", "rid"} {
		t.Run(column, func(t *testing.T) {
			f := newFixture(t)
			a := f.create("Ann")
			f.tamper(fmt.Sprintf("UPDATE invite SET %s = zeroblob(length(%[1]s))", column))
			f.open()
			fresh, err := f.Rotate(t.Context(), f.who.ID, a.Invites[0].Member)
			must(t, err)
			if _, err := f.lookup(fresh); err != nil {
				t.Errorf("the new link does not work: %v", err)
			}
			f.wantDamaged(0)
			if got := f.reread(a.ID); got.Damaged || len(got.Invites) != 1 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestDamagedNamesAndSessionsAreCounted(t *testing.T) {
	for _, query := range []string{
		"UPDATE practice SET name = zeroblob(60)",
		"DELETE FROM practice",
		"UPDATE practitioner SET name = x''",
		"UPDATE practitioner SET password = zeroblob(150)",
		"UPDATE practitioner SET name_index = x'00'",
		"UPDATE session SET data = x'0001'",
	} {
		t.Run(query, func(t *testing.T) {
			f := newFixture(t)
			a := f.create("Ann")
			must(t, f.People.Sessions().Commit("token", []byte("x"), noon.Add(time.Hour)))
			f.tamper(query)
			f.open()
			f.wantDamaged(1)
			if list, err := f.People.Practitioners(t.Context()); err != nil || len(list) != 1 || list[0].ID != f.who.ID || list[0].Name == "" {
				t.Errorf("got practitioners %+v, %v", list, err)
			}
			if got := f.diary()[a.ID]; got.Damaged || len(got.Invites) != 1 {
				t.Errorf("got %+v", got)
			}
			if _, err := f.People.SetUp(t.Context(), people.SetUp{Practice: "Another", Name: "Eve", Password: goodPassword}); err == nil {
				t.Error("a practice that is in use was set up again")
			}
		})
	}
}

// TestDamagedPlainColumnsHideNobody: what is not sealed is in the way of
// nothing either.
func TestDamagedPlainColumnsHideNobody(t *testing.T) {
	for _, tt := range []struct {
		query   string
		damaged int
	}{
		{"UPDATE invite SET position = 0 WHERE position = 1", 1},
		{"UPDATE invite SET position = 9223372036854775807 WHERE position = 1", 0},
		{"UPDATE invite SET position = NULL WHERE position = 1", 1},
		{"UPDATE invite SET position = 'x' WHERE position = 1", 1},
		{"UPDATE invite SET member = NULL WHERE position = 1", 1},
		{"UPDATE appointment SET practitioner = NULL WHERE label = (SELECT min(label) FROM appointment)", 1},
		{"UPDATE appointment SET practitioner = 'nobody' WHERE label = (SELECT min(label) FROM appointment)", 1},
	} {
		t.Run(tt.query, func(t *testing.T) {
			f := newFixture(t)
			f.create("Ann", "Ben")
			f.tamper(append(loosen, tt.query)...)
			f.open()
			diary := f.diary()
			if len(diary) != 1 {
				t.Fatalf("got %+v", diary)
			}
			for _, a := range diary {
				if len(a.Invites) != 2 {
					t.Errorf("got invites %+v", a.Invites)
				}
			}
			f.wantDamaged(tt.damaged)
		})
	}
}

func TestALossIsAcceptedAndRecorded(t *testing.T) {
	f := newFixture(t)
	kept := f.create("Ann")
	must(t, f.store.Forget(t.Context()))
	gone := f.create("Ben")
	killed := filepath.Join(t.TempDir(), "killed")
	must(t, os.Mkdir(killed, 0o700))
	for _, name := range []string{"anteroom.db", "store.key"} {
		content, err := os.ReadFile(filepath.Join(f.dir, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(killed, name), content, 0o600))
	}
	must(t, f.Close())
	f.dir = killed
	if err := f.tryOpen(); !errors.Is(err, store.ErrLogMissing) {
		t.Fatalf("got %v, want ErrLogMissing", err)
	}
	cfg := Config{Dir: f.dir, Clock: f.clock.Now}
	for _, want := range []bool{true, false} {
		if lost, err := AcceptLoss(t.Context(), cfg); err != nil || lost != want {
			t.Fatalf("got %v, %v, want %v", lost, err, want)
		}
	}
	f.open()
	f.reread(kept.ID)
	if _, err := f.Appointment(t.Context(), gone.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if events := f.events(); events[len(events)-1] != audit.EventLoss {
		t.Errorf("got %v", events)
	}
}

// breakColumn damages a column of an invite while the practice is open.
func (f *fixture) breakColumn(column string, m wire.MemberID) {
	f.t.Helper()
	must(f.t, f.store.Write(f.t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(fmt.Sprintf("UPDATE invite SET %s = randomblob(length(%[1]s)) WHERE member = ?", column), m)
		return err
	}))
}
