package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(dir string) Config { return Config{Dir: dir, Log: slog.New(slog.DiscardHandler)} }

// newDir is a directory that does not exist yet, so Open makes it.
func newDir(t *testing.T) string { return filepath.Join(t.TempDir(), "data") }

// mustOpen opens dir with these steps, or the program's own if there are none.
func mustOpen(t *testing.T, dir string, steps ...migration) *Store {
	t.Helper()
	if steps == nil {
		steps = mustEmbedded(t)
	}
	s, err := open(t.Context(), config(dir), steps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustEmbedded(t *testing.T) []migration {
	t.Helper()
	steps, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func (s *Store) mustClose(t *testing.T) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// put and get use the session table: a text key and a blob.
func put(tx *sql.Tx, key string, value []byte) error {
	_, err := tx.Exec("INSERT OR REPLACE INTO session (token, data) VALUES (?, ?)", key, value)
	return err
}

func get(t *testing.T, s *Store, key string) (value []byte) {
	t.Helper()
	err := s.Read(t.Context(), func(tx *sql.Tx) error {
		err := tx.QueryRow("SELECT data FROM session WHERE token = ?", key).Scan(&value)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func mustPut(t *testing.T, s *Store, key string, value []byte) {
	t.Helper()
	if err := s.Write(t.Context(), func(tx *sql.Tx) error { return put(tx, key, value) }); err != nil {
		t.Fatal(err)
	}
}

func TestReopenKeepsRowsAndKeys(t *testing.T) {
	dir := newDir(t)
	s := mustOpen(t, dir)
	place := Cell{"session", "data", "k"}
	mustPut(t, s, "k", s.Seal(place, []byte("v")))
	index := s.Index("kind", []byte("value"))
	s.mustClose(t)

	s = mustOpen(t, dir)
	got, err := s.Unseal(place, get(t, s, "k"))
	if err != nil || string(got) != "v" {
		t.Errorf("got %q, %v after reopening, want v", got, err)
	}
	if !bytes.Equal(index, s.Index("kind", []byte("value"))) {
		t.Error("the blind index changed")
	}
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	s := mustOpen(t, newDir(t))
	want := errors.New("no")
	err := s.Write(t.Context(), func(tx *sql.Tx) error {
		return errors.Join(put(tx, "k", []byte("v")), want)
	})
	if !errors.Is(err, want) {
		t.Errorf("got %v, want the error of the function", err)
	}
	func() {
		defer func() { recover() }()
		s.Write(t.Context(), func(tx *sql.Tx) error {
			put(tx, "k", []byte("v"))
			panic("in the middle")
		})
	}()
	if got := get(t, s, "k"); got != nil {
		t.Errorf("got %q, want no row", got)
	}
	mustPut(t, s, "k", []byte("later")) // the writer is free again
}

func TestReadersNeitherWaitNorWrite(t *testing.T) {
	s := mustOpen(t, newDir(t))
	mustPut(t, s, "k", []byte("old"))
	err := s.Write(t.Context(), func(tx *sql.Tx) error {
		if err := put(tx, "k", []byte("new")); err != nil {
			return err
		}
		if got := get(t, s, "k"); string(got) != "old" {
			t.Errorf("a reader saw %q before it was committed", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Read(t.Context(), func(tx *sql.Tx) error { return put(tx, "k", nil) }); err == nil {
		t.Error("a reader could write")
	}
	if got := get(t, s, "k"); string(got) != "new" {
		t.Errorf("got %q, want new", got)
	}
}

func TestWritersTakeTurns(t *testing.T) {
	s := mustOpen(t, newDir(t))
	mustPut(t, s, "n", []byte{0})
	const writers = 40
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			errs[i] = s.Write(context.Background(), func(tx *sql.Tx) error {
				var n []byte
				if err := tx.QueryRow("SELECT data FROM session WHERE token = 'n'").Scan(&n); err != nil {
					return err
				}
				return put(tx, "n", []byte{n[0] + 1})
			})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "n")[0]; got != writers {
		t.Errorf("counted to %d, want %d", got, writers)
	}
}

func TestForgetEmptiesTheLog(t *testing.T) {
	dir := newDir(t)
	s := mustOpen(t, dir)
	secret := []byte("a secret that must be gone from the disk")
	mustPut(t, s, "k", secret)
	mustPut(t, s, "k", []byte("overwritten"))
	if !onDisk(t, dir, secret) {
		t.Fatal("the secret never reached the disk, so this test cannot fail")
	}
	if err := s.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if onDisk(t, dir, secret) {
		t.Error("an overwritten value is still on the disk")
	}
}

// onDisk reports whether any file of dir contains b.
func onDisk(t *testing.T, dir string, b []byte) bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) == 0 {
		t.Fatal("nothing to look at", err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, b) {
			return true
		}
	}
	return false
}

func TestOneProcessAtATime(t *testing.T) {
	dir := newDir(t)
	s := mustOpen(t, dir)
	if _, err := Open(t.Context(), config(dir)); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want ErrInUse naming the directory", err)
	}
	s.mustClose(t)
	mustOpen(t, dir)
}

func TestStrangeDirectoryNames(t *testing.T) {
	for _, name := range []string{"with space", "ques?tion", "100%25", "ha#sh", "ünï", "it's"} {
		dir := filepath.Join(t.TempDir(), name)
		s := mustOpen(t, dir)
		mustPut(t, s, "k", []byte("v"))
		s.mustClose(t)
		if _, err := os.Stat(filepath.Join(dir, "anteroom.db")); err != nil {
			t.Error(err)
		}
	}
}

func TestPragmas(t *testing.T) {
	s := mustOpen(t, newDir(t))
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "foreign_keys": "1",
		"trusted_schema": "0", "cell_size_check": "1", "temp_store": "2", "busy_timeout": "5000",
	} {
		for range 2 { // an idle connection keeps them
			var got string
			if err := s.writer.QueryRow("PRAGMA " + name).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %s, %v, want %s", name, got, err, want)
			}
		}
	}
	if _, err := s.writer.Exec(`SELECT "no such column"`); err == nil {
		t.Error("a misspelt column is taken for a text")
	}
}

func TestNothingPrintsKeys(t *testing.T) {
	dir := newDir(t)
	s := mustOpen(t, dir)
	root, err := os.ReadFile(filepath.Join(dir, "store.key"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := [][]byte{root}
	for _, purpose := range []string{"db", "index"} {
		key, err := s.Subkey(purpose)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, key)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
		printed := fmt.Sprintf(verb+" "+verb+" "+verb, s.Sealer, s.keys, *s)
		for _, key := range secrets {
			inDecimal := strings.Trim(fmt.Sprint(key[:8]), "[]")
			inGo := strings.Trim(strings.SplitN(fmt.Sprintf("%#v", key[:8]), "{", 2)[1], "}")
			inHex := fmt.Sprintf("%x", key[:8])
			for _, form := range []string{string(key[:8]), inDecimal, inGo, inHex} {
				if strings.Contains(printed, form) {
					t.Errorf("%s prints a key", verb)
				}
			}
		}
	}
}
