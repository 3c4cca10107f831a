package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// An UnreadableError says how many records are not as they were written.
type UnreadableError struct{ Damaged, All int }

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%d of %d records cannot be opened", e.Damaged, e.All)
}

// A TrailError says which entry of the audit trail is the first that is not as
// it was recorded.
type TrailError struct {
	Seq int64 // 0: the record of how many there are
	Was string
}

func (e *TrailError) Error() string {
	if e.Seq == 0 {
		return "the record of its length " + e.Was
	}
	return fmt.Sprintf("entry %d %s", e.Seq, e.Was)
}

// CheckFiles fails if the files of a store in dir are not there, or if others
// may read them. It opens and makes nothing. keyFile empty: store.key in dir.
func CheckFiles(dir, keyFile string) error {
	if keyFile == "" {
		keyFile = filepath.Join(dir, "store.key")
	}
	path := filepath.Join(dir, "anteroom.db")
	for _, f := range []struct {
		path, mode string
		beside     bool // may be missing
	}{{dir, "700", false}, {path, "600", false}, {keyFile, "600", false}, {path + "-wal", "600", true}, {path + "-shm", "600", true}} {
		info, err := os.Stat(f.path)
		missing := errors.Is(err, fs.ErrNotExist)
		switch {
		case missing && f.beside:
			continue
		case missing && f.path == path && exists(keyFile):
			return noDatabase(keyFile, path)
		case missing && f.path == keyFile: // the database is there
			return fmt.Errorf("key file %s is missing, and without it %s cannot be read", keyFile, path)
		case err != nil:
			return fmt.Errorf("look at data directory: %w", err)
		}
		if err := private(f.path, info, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// CheckDir fails if dir is there and is not for us alone. It makes nothing.
func CheckDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	}
	return private(dir, info, "700")
}

// CheckKey fails if there is a key file at path that cannot be used. It makes
// nothing.
func CheckKey(path string) error {
	key, err := readKey(path)
	clear(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Check reads all of the database and fails with ErrDamaged if it is not whole.
func (s *Store) Check(ctx context.Context) error {
	err := s.Read(ctx, func(tx *sql.Tx) error {
		return quickCheck(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("check database: %w", err)
	}
	return nil
}

func quickCheck(ctx context.Context, tx *sql.Tx) error {
	var found string
	if err := tx.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" { // what it found may quote a row
		return ErrDamaged
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
