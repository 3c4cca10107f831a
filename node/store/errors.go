package store

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrFull says that there is no room for what was to be written. Nothing of
	// it was, and what was written before is there.
	ErrFull = errors.New("the disk that the records are on is full: make room there, and try again")

	// ErrUnwritable says that nothing could be written for another reason: the disk
	// is gone, fails, or is not to be written to.
	ErrUnwritable = errors.New("the disk that the records are on cannot be written to: see whether it is connected, whole and not read-only")

	// ErrDamaged says that a database is not what was written.
	ErrDamaged = errors.New("the database is damaged")

	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("not found")
)

// Found turns the database's word for "no row" into ours.
func Found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// explain returns what an error of SQLite's means, if that can be told; any
// other as it is. dir is where the database lies.
func explain(dir string, err error) error {
	failed, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch failed.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w (code %d)", ErrDamaged, failed.Code()) // SQLite's own text may quote a row
	case sqlite3.SQLITE_FULL:
		return ErrFull
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN: // it could not grow one of the files beside the database
		if full(dir) {
			return ErrFull
		}
		return fmt.Errorf("%w (code %d)", ErrUnwritable, failed.Code())
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%w (code %d)", ErrUnwritable, failed.Code())
	}
	return err
}

// probeSize is more than SQLite ever adds to a file at once.
const probeSize = 64 << 10

// full reports whether dir has no room for another few pages, for which there
// are more reasons than a disk without free space: a quota is one.
func full(dir string) bool {
	f, err := os.CreateTemp(dir, ".room-*")
	if err == nil {
		defer os.Remove(f.Name())
		_, err = f.Write(make([]byte, probeSize))
		err = errors.Join(err, f.Sync(), f.Close())
	}
	return isFull(err)
}

// explainFile is explain for an error of the file system.
func explainFile(err error) error {
	if isFull(err) {
		return ErrFull
	}
	return err
}

// isFull reports whether err is of a file system without room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
