package store

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// fill makes the database as large as it may get.
func (s *Store) fill(t *testing.T) {
	t.Helper()
	if _, err := s.writer.Exec("PRAGMA max_page_count = 1"); err != nil { // as small as it can be: what it is now
		t.Fatal(err)
	}
}

func TestAFullDiskIsNamed(t *testing.T) {
	s := mustOpen(t, newDir(t))
	mustPut(t, s, "before", []byte("1"))
	s.fill(t)
	err := s.Write(t.Context(), func(tx *sql.Tx) error {
		return fmt.Errorf("write it down: %w", put(tx, "big", make([]byte, 1<<20)))
	})
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if got := get(t, s, "before"); string(got) != "1" {
		t.Errorf("what was written before is %q", got)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestADamagedDatabaseIsNamed(t *testing.T) {
	dir := newDir(t)
	s := mustOpen(t, dir)
	mustPut(t, s, "big", make([]byte, 1<<20))
	s.mustClose(t)
	path := filepath.Join(dir, "anteroom.db")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(content[len(content)/4 : len(content)/2])
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	err = s.Read(t.Context(), func(tx *sql.Tx) error {
		var n int
		return tx.QueryRow("SELECT sum(length(hex(data))) FROM session").Scan(&n)
	})
	if !errors.Is(err, ErrDamaged) || !errors.Is(s.Check(t.Context()), ErrDamaged) {
		t.Errorf("got %v and %v, want ErrDamaged", err, s.Check(t.Context()))
	}
}

// TestADiskThatTakesNothingIsNamed: it is there, and read-only.
func TestADiskThatTakesNothingIsNamed(t *testing.T) {
	s := mustOpen(t, newDir(t))
	if _, err := s.writer.Exec("PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	err := s.Write(t.Context(), func(tx *sql.Tx) error { return put(tx, "small", []byte("1")) })
	if !errors.Is(err, ErrUnwritable) || errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrUnwritable", err)
	}
}
