package audit

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"anteroom/node/store"
	"anteroom/node/store/storetest"
	"anteroom/rendezvous/wire"
)

const (
	who         = "0011223344556677"
	appointment = "00112233445566778899aabbccddeeff"
)

// noon is when tests begin: a second like any other.
var noon = time.Unix(1_800_000_000, 0)

// A fixture is the trail of a practice that is set up.
type fixture struct {
	*Trail
	t     *testing.T
	store *store.Store
	dir   string
	now   time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, now: noon, dir: filepath.Join(t.TempDir(), "data")}
	f.open()
	t.Cleanup(func() { f.store.Close() })
	must(t, f.store.Write(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO practice (id, name) VALUES (1, x'00')"); err != nil {
			return err
		}
		return f.Add(t.Context(), tx, Entry{Event: EventSetUp, By: who})
	}))
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	f.store = storetest.Open(f.t, f.dir)
	trail, err := New(f.store, func() time.Time { return f.now })
	must(f.t, err)
	must(f.t, f.store.Write(f.t.Context(), func(tx *sql.Tx) error { return trail.Begin(f.t.Context(), tx) }))
	f.Trail = trail
}

func (f *fixture) reopen() {
	f.t.Helper()
	must(f.t, f.store.Close())
	f.open()
}

func (f *fixture) tamper(queries ...string) {
	f.t.Helper()
	must(f.t, f.store.Close())
	storetest.Tamper(f.t, f.dir, queries...)
}

// events returns the events of the trail so far, and fails unless it verifies.
func (f *fixture) events() []string {
	f.t.Helper()
	entries, err := f.Entries(f.t.Context(), 0, 1000)
	must(f.t, err)
	if good, err := f.Verify(f.t.Context()); err != nil || good != int64(len(entries)) {
		f.t.Fatalf("%d of %d entries are good: %v", good, len(entries), err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Event)
	}
	return list
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEntriesSurviveEncoding(t *testing.T) {
	text := rapid.StringMatching(`[a-z0-9-]{0,32}`)
	rapid.Check(t, func(t *rapid.T) {
		want := Entry{
			Time:        time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "time"), 0),
			Event:       rapid.StringMatching(`[a-z-]{1,32}`).Draw(t, "event"),
			By:          text.Draw(t, "by"),
			Appointment: text.Draw(t, "appointment"),
		}
		plain, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeEntry(plain); err != nil || got != want {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
		for n := range plain {
			if _, err := decodeEntry(plain[:n]); err == nil {
				t.Fatalf("took %d of %d bytes", n, len(plain))
			}
		}
		if _, err := decodeEntry(append(plain, 0)); err == nil {
			t.Fatal("took one byte more")
		}
	})
}

func TestRecordedEntries(t *testing.T) {
	f := newFixture(t)
	m := memberID(1)
	must(t, f.Record(t.Context(), Entry{Event: EventCreate, By: who, Appointment: appointment}))
	f.now = noon.Add(90*time.Second + 7)
	must(t, f.Note(t.Context(), "other-device", appointment, m))
	must(t, f.Record(t.Context(), Entry{Event: "sign-out", By: who, Code: "timeout", Seq: 99}))
	f.reopen()
	got, err := f.Entries(t.Context(), 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	later := noon.Add(90 * time.Second)
	want := []Entry{
		{2, noon, EventCreate, who, appointment, "", ""},
		{3, later, "other-device", "", appointment, m, ""},
		{4, later, "sign-out", who, "", "", "timeout"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%v, want\n%v", got, want)
	}
	if got, err := f.Entries(t.Context(), 0, 2); err != nil || len(got) != 2 || got[0].Event != EventSetUp {
		t.Errorf("got %v, %v for the first two", got, err)
	}
	if good, err := f.Verify(t.Context()); good != 4 || err != nil {
		t.Errorf("%d are good, %v", good, err)
	}
}

func TestWhatIsNoPseudonymIsNotRecorded(t *testing.T) {
	f := newFixture(t)
	for _, e := range []Entry{
		{},
		{Event: "Ann Lee"},
		{Event: "knock", By: "Dr. Lee"},
		{Event: "knock", Member: "Ann"},
		{Event: "knock", Appointment: strings.Repeat("a", 33)},
		{Event: "knock", Code: "192.0.2.1"},
	} {
		if err := f.Record(t.Context(), e); err == nil {
			t.Errorf("recorded %v", e)
		}
	}
	if got := f.events(); len(got) != 1 {
		t.Errorf("got events %v", got)
	}
}

func TestAuditIsAppendOnly(t *testing.T) {
	f := newFixture(t)
	for _, query := range []string{"DELETE FROM audit", "UPDATE audit SET entry = x'00'"} {
		err := f.store.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec(query); return err })
		if err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: got %v", query, err)
		}
	}
	f.events()
}

// without lifts what protects the table from our own mistakes; it does not
// protect from someone with the file.
var without = []string{"DROP TRIGGER audit_keeps", "DROP TRIGGER audit_stays"}

func TestTamperedAuditIsDetected(t *testing.T) {
	const swap = `CREATE TEMP TABLE t AS SELECT * FROM audit WHERE seq IN (3, 5);
		UPDATE audit SET %[1]s = (SELECT %[1]s FROM t WHERE t.seq = 8 - audit.seq) WHERE seq IN (3, 5)`
	for _, tt := range []struct {
		what, query string
		bad         int64 // the first bad entry
		was         string
	}{
		{"an entry deleted", "DELETE FROM audit WHERE seq = 4", 4, "missing"},
		{"the first deleted", "DELETE FROM audit WHERE seq = 1", 1, "missing"},
		{"the last cut off", "DELETE FROM audit WHERE seq = 8", 8, "missing"},
		{"the tail cut off", "DELETE FROM audit WHERE seq > 3", 4, "missing"},
		{"all deleted", "DELETE FROM audit", 1, "missing"},
		{"a gap closed", "DELETE FROM audit WHERE seq = 4; UPDATE audit SET seq = seq - 1 WHERE seq > 4", 4, "changed"},
		{"two whole rows swapped", "UPDATE audit SET seq = -seq WHERE seq IN (3, 5); UPDATE audit SET seq = 8 + seq WHERE seq < 0", 3, "changed"},
		{"two entries swapped", fmt.Sprintf(swap, "entry"), 3, "changed"},
		{"two hashes swapped", fmt.Sprintf(swap, "hash"), 3, "changed"},
		{"two MACs swapped", fmt.Sprintf(swap, "mac"), 3, "changed"},
		{"an entry repeated at the end", "INSERT INTO audit SELECT 9, entry, hash, mac FROM audit WHERE seq = 8", 9, "added"},
		{"the head deleted", "DELETE FROM audit_head", 0, "missing"},
		{"the head damaged", "UPDATE audit_head SET head = zeroblob(82)", 0, "changed"},
		{"all of it deleted", "DELETE FROM audit; DELETE FROM audit_head", 0, "missing"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			f := newFixture(t)
			for i := range 7 {
				must(t, f.Note(t.Context(), "knock", "", memberID(i)))
			}
			f.tamper(append(without, tt.query)...)
			f.open()
			_, err := f.Verify(t.Context())
			bad, ok := errors.AsType[*Error](err)
			if !ok || bad.Seq != tt.bad || !strings.Contains(bad.Was, tt.was) {
				t.Errorf("got %v, want entry %d %s", err, tt.bad, tt.was)
			}

			// Work goes on, and on top of it the trail stays what it is.
			must(t, f.Record(t.Context(), Entry{Event: EventCreate, Appointment: appointment}))
			for range 2 {
				if err := f.Check(t.Context()); !errors.As(err, &bad) {
					t.Errorf("after another entry: got %v", err)
				}
			}
		})
	}
}

// TestEveryByteOfTheAuditCounts flips each byte of each column of one entry.
func TestEveryByteOfTheAuditCounts(t *testing.T) {
	f := newFixture(t)
	for i := range 3 {
		must(t, f.Note(t.Context(), "knock", "", memberID(i)))
	}
	must(t, f.store.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec(strings.Join(without, ";")); return err }))
	for _, column := range []string{"entry", "hash", "mac"} {
		var good []byte
		must(t, f.store.Read(t.Context(), func(tx *sql.Tx) error {
			return tx.QueryRow("SELECT " + column + " FROM audit WHERE seq = 3").Scan(&good)
		}))
		set := func(b []byte) {
			must(t, f.store.Write(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.Exec("UPDATE audit SET "+column+" = ? WHERE seq = 3", b)
				return err
			}))
		}
		for i := range good {
			good[i] ^= 0x40
			set(good)
			if n, err := f.Verify(t.Context()); err == nil || n != 2 {
				t.Errorf("byte %d of %s: %d are good, %v, want 2", i, column, n, err)
			}
			good[i] ^= 0x40
		}
		set(good)
		f.events()
	}
}

// TestRewrittenAuditIsDetected shows what the MAC is for: someone without the
// key can make the hashes fit again, but not that.
func TestRewrittenAuditIsDetected(t *testing.T) {
	f := newFixture(t)
	for i := range 4 {
		must(t, f.Note(t.Context(), "knock", "", memberID(i)))
	}
	must(t, f.store.Write(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(strings.Join(without, ";") + "; DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3"); err != nil {
			return err
		}
		var last head
		return f.entries(t.Context(), tx, 0, -1, func(row sealedEntry) error {
			last = last.next(row.entry)
			_, err := tx.Exec("UPDATE audit SET hash = ? WHERE seq = ?", last.hash[:], row.seq)
			return err
		})
	}))
	n, err := f.Verify(t.Context())
	if bad, ok := errors.AsType[*Error](err); !ok || bad.Seq != 3 || n != 2 {
		t.Errorf("%d are good, %v, want entry 3 named", n, err)
	}
}

// TestEntriesOfAnotherHistoryAreDetected puts in entries that were sealed and
// chained with the right key, but in a copy of the practice that lived on.
func TestEntriesOfAnotherHistoryAreDetected(t *testing.T) {
	for what, columns := range map[string]string{"one entry": "entry", "a whole row": "entry, hash, mac"} {
		t.Run(what, func(t *testing.T) {
			f := newFixture(t)
			must(t, f.store.Close())
			fork := &fixture{t: t, now: f.now, dir: filepath.Join(t.TempDir(), "fork")}
			must(t, os.Mkdir(fork.dir, 0o700))
			for _, name := range []string{"anteroom.db", "store.key"} {
				content, err := os.ReadFile(filepath.Join(f.dir, name))
				must(t, err)
				must(t, os.WriteFile(filepath.Join(fork.dir, name), content, 0o600))
			}
			f.open()
			must(t, f.Note(t.Context(), "knock", "", memberID(1)))
			fork.open()
			must(t, fork.Note(t.Context(), "leave", "", memberID(2)))
			if what == "one entry" { // found by its hash; a whole row is found by what follows it, here the head
				must(t, f.Note(t.Context(), "knock", "", memberID(3)))
			}
			must(t, fork.store.Close())
			f.tamper(append(without,
				"ATTACH '"+filepath.Join(fork.dir, "anteroom.db")+"' AS fork",
				fmt.Sprintf("UPDATE audit SET (%[1]s) = (SELECT %[1]s FROM fork.audit WHERE seq = 2) WHERE seq = 2", columns))...)
			f.open()
			_, err := f.Verify(t.Context())
			if bad, ok := errors.AsType[*Error](err); !ok || bad.Seq != 2 {
				t.Errorf("got %v, want entry 2 named", err)
			}
		})
	}
}

// memberID is a member id.
func memberID(n int) wire.MemberID { return wire.MemberID(fmt.Sprintf("%016x", n)) }
