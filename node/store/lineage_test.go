package store

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// contents returns what is in dir, but for SQLite's shared memory and the lock,
// which tell nothing.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]byte)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "-shm") || strings.HasSuffix(e.Name(), ".lock") {
			continue
		}
		if all[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// lay makes a directory with these files.
func lay(t *testing.T, all map[string][]byte) string {
	t.Helper()
	dir := newDir(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range all {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const dbName, walName = "anteroom.db", "anteroom.db-wal"

func with(all map[string][]byte, name string, content []byte) map[string][]byte {
	other := make(map[string][]byte)
	for k, v := range all {
		other[k] = v
	}
	if other[name] = content; content == nil {
		delete(other, name)
	}
	return other
}

// wantRefused fails unless dir is refused for this reason, in a sentence with
// these words, and unless its files stay as they are.
func wantRefused(t *testing.T, dir string, reason error, words ...string) {
	t.Helper()
	before := contents(t, dir)
	s, err := Open(t.Context(), config(dir))
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, reason) {
		t.Errorf("got %v, want %v", err, reason)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	after := contents(t, dir)
	for name := range before {
		if !bytes.Equal(before[name], after[name]) {
			t.Errorf("%s was changed", name)
		}
	}
	if len(after) != len(before) {
		t.Errorf("there were %d files, and now %d", len(before), len(after))
	}
}

// TestALogOfOtherRecordsIsNotReplayed puts every state that a database had
// beside every log that it had: those of one moment open, all others are
// refused, and nothing is changed.
func TestALogOfOtherRecordsIsNotReplayed(t *testing.T) {
	dir := newDir(t)
	type moment struct {
		name  string
		files map[string][]byte // as kill -9 then would leave them
		rows  int
		cycle int // how often the log had been emptied before
		shut  bool
	}
	var moments []moment
	rows, cycle := 0, 0
	snap := func(name string, shut bool) {
		moments = append(moments, moment{name, contents(t, dir), rows, cycle, shut})
	}
	for run := range 3 {
		s := mustOpen(t, dir)
		cycle++
		snap(fmt.Sprintf("run %d begun", run), false)
		for part := range 3 {
			for range 5 {
				mustPut(t, s, fmt.Sprintf("%d", rows), bytes.Repeat([]byte{1}, 3000))
				rows++
			}
			snap(fmt.Sprintf("run %d written %d", run, part), false)
			if part == 1 {
				if err := s.Forget(t.Context()); err != nil {
					t.Fatal(err)
				}
				cycle++
				snap(fmt.Sprintf("run %d folded", run), false)
			}
		}
		s.mustClose(t)
		cycle++
		snap(fmt.Sprintf("run %d closed", run), true)
	}
	count := func(s *Store) (n int) {
		if err := s.Read(t.Context(), func(tx *sql.Tx) error { return tx.QueryRow("SELECT count(*) FROM session").Scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	refused := 0
	for _, base := range moments {
		for _, log := range moments {
			if len(log.files[walName]) == 0 || base.cycle == log.cycle+1 { // it is what this log was folded into
				continue
			}
			at := lay(t, with(base.files, walName, log.files[walName]))
			if base.cycle != log.cycle {
				refused++
				wantRefused(t, at, ErrForeignLog, "remove "+filepath.Join(at, walName))
				if t.Failed() {
					t.Fatalf("database of %q beside the log of %q", base.name, log.name)
				}
				continue
			}
			s, err := Open(t.Context(), config(at))
			if err != nil {
				t.Fatalf("database of %q beside the log of %q: %v", base.name, log.name, err)
			}
			if got := count(s); got != log.rows {
				t.Errorf("database of %q beside the log of %q: %d rows, want %d", base.name, log.name, got, log.rows)
			}
			s.mustClose(t)
		}
		at := lay(t, with(base.files, walName, nil))
		if !base.shut {
			wantRefused(t, at, ErrLogMissing, "accept-loss")
			cfg := config(at)
			cfg.AcceptLoss = true
			s, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatalf("%s: %v", base.name, err)
			}
			s.mustClose(t)
		}
		mustOpen(t, at).mustClose(t) // a backup, or what has been accepted
	}
	if refused < 30 {
		t.Errorf("only %d pairs were refused", refused)
	}
}

// TestALogOfTheVersionBeforeIsReplayed: a program without lineages was killed,
// and this one is started.
func TestALogOfTheVersionBeforeIsReplayed(t *testing.T) {
	dir := newDir(t)
	s := mustOpen(t, dir, mustEmbedded(t)[:1]...)
	mustPut(t, s, "red", []byte("1"))
	killed := lay(t, contents(t, dir))
	if len(contents(t, killed)[walName]) == 0 {
		t.Fatal("there is no log")
	}
	s = mustOpen(t, killed)
	if got := get(t, s, "red"); string(got) != "1" {
		t.Errorf("got %q", got)
	}
	killed = lay(t, contents(t, killed)) // and again, just after the migration
	if got := get(t, mustOpen(t, killed), "red"); string(got) != "1" {
		t.Errorf("got %q", got)
	}
}

func TestAKeyWithoutItsDatabaseIsRefused(t *testing.T) {
	dir := newDir(t)
	mustOpen(t, dir).mustClose(t)
	whole := contents(t, dir)
	blank := lay(t, nil)
	db, err := sql.Open("sqlite", filepath.Join(blank, dbName))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA journal_mode = wal; PRAGMA application_id = 7; CREATE TABLE t (a); DROP TABLE t"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	for name, content := range map[string][]byte{"missing": nil, "empty": {}, "blank": contents(t, blank)[dbName]} {
		t.Run(name, func(t *testing.T) {
			at := lay(t, with(whole, dbName, content))
			wantRefused(t, at, ErrNoDatabase, "put the database back", "move the key away", filepath.Join(at, "store.key"))
		})
	}
	t.Run("a log is left", func(t *testing.T) {
		at := lay(t, map[string][]byte{walName: []byte("something")})
		if _, err := Open(t.Context(), config(at)); err == nil || !strings.Contains(err.Error(), walName) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAFailedFirstStartLeavesNothing(t *testing.T) {
	dir := newDir(t)
	cfg := config(dir)
	cfg.KeyFile = filepath.Join(t.TempDir(), "missing", "root")
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "make key file") {
		t.Errorf("got %v", err)
	}
	if got := contents(t, dir); len(got) > 0 {
		t.Errorf("%d files are left", len(got))
	}
	mustOpen(t, dir)
}

// TestAFirstStartThatWasCutShort goes on where the power went.
func TestAFirstStartThatWasCutShort(t *testing.T) {
	dir := newDir(t)
	mustOpen(t, dir).mustClose(t)
	whole := contents(t, dir)
	part := dbName + ".new"

	t.Run("before the key", func(t *testing.T) {
		mustOpen(t, lay(t, map[string][]byte{part: whole[dbName][:5000], part + "-wal": []byte("x")}))
	})
	t.Run("between the names", func(t *testing.T) {
		at := lay(t, map[string][]byte{part: whole[dbName], "store.key": whole["store.key"]})
		mustOpen(t, at)
		if got := contents(t, at); got[part] != nil || got[dbName] == nil {
			t.Error("it did not get its name")
		}
	})
	t.Run("with another key", func(t *testing.T) {
		at := lay(t, map[string][]byte{part: whole[dbName], "store.key": bytes.Repeat([]byte{7}, KeySize)})
		wantRefused(t, at, ErrNoDatabase)
	})
}

// killedWith returns what a kill leaves of a store with this many rows, some
// folded into the database and some in the log.
func killedWith(t *testing.T, rows int) map[string][]byte {
	t.Helper()
	dir := newDir(t)
	s := mustOpen(t, dir)
	for i := range rows {
		mustPut(t, s, fmt.Sprint(i), []byte("1"))
		if i == rows/2 {
			if err := s.Forget(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return contents(t, dir)
}

func mustHave(t *testing.T, dir string, rows int) {
	t.Helper()
	s := mustOpen(t, dir)
	for i := range rows {
		get(t, s, fmt.Sprint(i))
	}
	s.mustClose(t)
}

// TestAKillDuringOpeningLosesNothing kills at each step of opening what another
// kill left, and at each step of closing it.
func TestAKillDuringOpeningLosesNothing(t *testing.T) {
	const rows = 6
	for step := 0; ; step++ {
		dir := lay(t, killedWith(t, rows))
		s := newStore(filepath.Join(dir, dbName), slog.New(slog.DiscardHandler))
		if err := errors.Join(s.connect(s.path), s.keepLog(t.Context(), true)); err != nil {
			t.Fatal(err)
		}
		steps := append(s.beginning(), s.ending()...)
		for _, do := range steps[:step] {
			if err := do(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		killed := contents(t, dir)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		mustHave(t, lay(t, killed), rows)
		if step == len(steps) {
			return
		}
	}
}

// TestARefusedStartLeavesTheLog: the next one, with the right key, finds it.
func TestARefusedStartLeavesTheLog(t *testing.T) {
	const rows = 6
	all := killedWith(t, rows)
	dir := lay(t, with(all, "store.key", bytes.Repeat([]byte{7}, KeySize)))
	if _, err := Open(t.Context(), config(dir)); !errors.Is(err, ErrWrongKey) {
		t.Fatalf("got %v, want ErrWrongKey", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "store.key"), all["store.key"], 0o600); err != nil {
		t.Fatal(err)
	}
	mustHave(t, dir, rows)
}
