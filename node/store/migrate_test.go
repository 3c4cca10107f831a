package store

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var (
	addColour = migration{"0002_colour.sql", "CREATE TABLE colour (name TEXT) STRICT; INSERT INTO colour SELECT token FROM session;"}
	addShade  = migration{"0003_shade.sql", "ALTER TABLE colour ADD COLUMN shade TEXT;"}
	fails     = migration{"0003_shade.sql", "DELETE FROM colour; CREATE TABLE colour (again TEXT);"}
)

func version(t *testing.T, s *Store) (n int) {
	t.Helper()
	err := s.Read(t.Context(), func(tx *sql.Tx) error { return tx.QueryRow("PRAGMA user_version").Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func copies(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*before*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestOlderDatabaseIsCopiedAndMigrated(t *testing.T) {
	dir := newDir(t)
	first := mustEmbedded(t)[:1]
	s := mustOpen(t, dir, first...)
	mustPut(t, s, "red", []byte("1"))
	s.mustClose(t)
	if got := copies(t, dir); len(got) != 0 {
		t.Errorf("a new database was copied: %v", got)
	}

	s = mustOpen(t, dir, append(first, addColour, addShade)...)
	if got := version(t, s); got != 3 {
		t.Errorf("got version %d, want 3", got)
	}
	var name string
	err := s.Read(t.Context(), func(tx *sql.Tx) error { return tx.QueryRow("SELECT name FROM colour").Scan(&name) })
	if err != nil || name != "red" {
		t.Errorf("got %q, %v, want red", name, err)
	}
	s.mustClose(t)

	got := copies(t, dir)
	if len(got) != 1 || filepath.Base(got[0]) != "anteroom.db.before-v2" {
		t.Fatalf("got copies %v, want one", got)
	}
	if info, err := os.Stat(got[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
	}

	// The copy is the database as it was: put back, the old program opens it.
	old := newDir(t)
	move(t, got[0], filepath.Join(old, "anteroom.db"))
	move(t, filepath.Join(dir, "store.key"), filepath.Join(old, "store.key"))
	s = mustOpen(t, old, first...)
	if got := get(t, s, "red"); string(got) != "1" || version(t, s) != 1 {
		t.Errorf("the copy has %q at version %d", got, version(t, s))
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestUpToDateDatabaseIsNotCopied(t *testing.T) {
	dir := newDir(t)
	mustOpen(t, dir).mustClose(t)
	mustOpen(t, dir)
	if got := copies(t, dir); len(got) != 0 {
		t.Errorf("copied %v", got)
	}
}

func TestFailedMigrationLeavesTheVersionBefore(t *testing.T) {
	dir := newDir(t)
	first := mustEmbedded(t)[:1]
	s := mustOpen(t, dir, first...)
	mustPut(t, s, "red", []byte("1"))
	s.mustClose(t)

	_, err := open(t.Context(), config(dir), append(first, addColour, fails))
	if err == nil || !strings.Contains(err.Error(), "0003_shade.sql") || !strings.Contains(err.Error(), "before-v2") {
		t.Fatalf("got %v, want the failing step and where the copy is", err)
	}
	s = mustOpen(t, dir, append(first, addColour)...)
	var n int
	err = s.Read(t.Context(), func(tx *sql.Tx) error { return tx.QueryRow("SELECT count(*) FROM colour").Scan(&n) })
	if err != nil || n != 1 || version(t, s) != 2 {
		t.Errorf("got %d rows at version %d, %v, want 1 at 2", n, version(t, s), err)
	}
}

func TestMigrationMayNotBreakReferences(t *testing.T) {
	dir := newDir(t)
	step := migration{"0002_bad.sql", `
		PRAGMA defer_foreign_keys = on;
		CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT;
		CREATE TABLE b (a INTEGER REFERENCES a (id)) STRICT;
		INSERT INTO b VALUES (7);`}
	first := mustEmbedded(t)[:1]
	_, err := open(t.Context(), config(dir), append(first, step))
	if err == nil || !strings.Contains(err.Error(), "refer") {
		t.Fatalf("got %v, want a refusal", err)
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	dir := newDir(t)
	first := mustEmbedded(t)
	mustOpen(t, dir, append(first, migration{"next", "CREATE TABLE next (n INTEGER) STRICT"})...).mustClose(t)
	_, err := Open(t.Context(), config(dir))
	if err == nil || !strings.Contains(err.Error(), "newer Anteroom") {
		t.Fatalf("got %v, want a refusal", err)
	}
	mustOpen(t, dir, append(first, migration{"next", ""})...) // and nothing was changed
}

func TestForeignAndDamagedDatabasesAreRefused(t *testing.T) {
	t.Run("foreign", func(t *testing.T) {
		dir := newDir(t)
		mustOpen(t, dir).mustClose(t)
		db, err := sql.Open("sqlite", filepath.Join(dir, "anteroom.db"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("PRAGMA application_id = 1"); err != nil {
			t.Fatal(err)
		}
		db.Close()
		if _, err := Open(t.Context(), config(dir)); err == nil || !strings.Contains(err.Error(), "not an Anteroom database") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		dir := newDir(t)
		mustOpen(t, dir).mustClose(t)
		path := filepath.Join(dir, "anteroom.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), config(dir)); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("got %v", err)
		}
	})
}

func TestOldCopiesAreForgotten(t *testing.T) {
	dir := newDir(t)
	first := mustEmbedded(t)[:1]
	mustOpen(t, dir, first...).mustClose(t)
	s := mustOpen(t, dir, append(first, addColour)...)
	now := time.Now()
	if err := s.ForgetCopies(now.Add(-time.Hour), now); err != nil || len(copies(t, dir)) != 1 {
		t.Errorf("a fresh copy was removed, %v", err)
	}
	if err := s.ForgetCopies(now.Add(time.Hour), now); err != nil || len(copies(t, dir)) != 0 {
		t.Errorf("an old copy was kept, %v", err)
	}
}

func TestMigrationsAreNumberedWithoutGap(t *testing.T) {
	if len(mustEmbedded(t)) == 0 {
		t.Error("there are none")
	}
	for _, names := range [][]string{{"0002_b.sql"}, {"0001_a.sql", "0003_c.sql"}, {"0001_a.sql", "0001_b.sql"}, {"1_a.sql"}} {
		fs := fstest.MapFS{}
		for _, name := range names {
			fs["migrations/"+name] = &fstest.MapFile{}
		}
		if _, err := readMigrations(fs); err == nil {
			t.Errorf("took %v", names)
		}
	}
}
