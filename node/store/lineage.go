package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// SQLite replays any log that lies beside a database, also beside one that was
// put back from a backup, which the log then destroys or undoes. So both say
// what they are. The database carries a random mark, and the first transaction
// after the log was emptied replaces it, and notes the one before. Then a log
// belongs to a database whose mark it replaces or has replaced, and no crash at
// any moment makes it another:
//
//	database  own=A           own=A                        own=B (folded in)  own=B
//	log       empty      →    own=B base=A and more   →    the same      →    empty
//
// A database that is open is not complete without its log; closing it says that
// it is. So a log that was removed, or left behind by a copy, is missed.

var (
	// ErrForeignLog says that the write-ahead log beside the database was not
	// written for it. Nothing of it was replayed.
	ErrForeignLog = errors.New("the write-ahead log belongs to another state of the database")

	// ErrLogMissing says that a database was not closed and its log is gone, and
	// with it what was recorded last.
	ErrLogMissing = errors.New("the write-ahead log is missing")
)

type lineage struct {
	own, base []byte // empty own: it is from before there were any
	open      bool
	blank     bool // there are no tables
}

// checkLog fails if the log beside the database at path is not the one that
// belongs to it. It changes neither.
func checkLog(ctx context.Context, path, keyFile string, acceptLoss bool) error {
	log := path + "-wal"
	info, err := os.Stat(log)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return fmt.Errorf("look at write-ahead log: %w", err)
	}
	alone, aloneErr := readLineage(ctx, path, url.Values{"immutable": {"1"}}, false)
	switch {
	case (missing || info.Size() == 0) && aloneErr == nil && alone.blank:
		return noDatabase(keyFile, path)
	case missing && aloneErr == nil && alone.open && !acceptLoss:
		return fmt.Errorf("%w: %s was copied, or %s removed, while Anteroom ran or after it was killed, so what was recorded last is not there: "+
			"put both files back, or run \"anteroom accept-loss\" to go on without it", ErrLogMissing, path, log)
	case missing || info.Size() == 0:
		return nil
	}
	// Half folded in, the database alone may be unreadable: then the two must be
	// sound together, and so must those that say nothing.
	logged, err := readLineage(ctx, path, url.Values{"mode": {"ro"}}, aloneErr != nil || len(alone.own) == 0)
	switch {
	case err != nil && !errors.Is(err, ErrDamaged):
		return fmt.Errorf("look at write-ahead log: %w", err)
	case err == nil && aloneErr != nil,
		err == nil && len(alone.own) == 0 && len(logged.base) == 0,
		err == nil && len(alone.own) > 0 && (bytes.Equal(alone.own, logged.own) || bytes.Equal(alone.own, logged.base)):
		return nil
	}
	return fmt.Errorf("%w: %s was left by other records than those in %s. If you have put back a backup, remove %[2]s and start again; nothing was changed",
		ErrForeignLog, log, path)
}

// readLineage reads from a database that it cannot write to: with immutable=1
// as it is without its log, with mode=ro as the log makes it. If whole, all of it
// must be sound.
func readLineage(ctx context.Context, path string, mode url.Values, whole bool) (l lineage, err error) {
	db, err := pool(path, 1, url.Values{"_error_rc": {"1"}, "_query_only": {"1"}}, mode)
	if err != nil {
		return lineage{}, err
	}
	defer db.Close()
	err = transact(ctx, db, func(tx *sql.Tx) error {
		var known bool
		const tables = "SELECT count(*) = 0, ifnull(max(name = 'lineage'), 0) FROM sqlite_schema"
		if err := tx.QueryRowContext(ctx, tables).Scan(&l.blank, &known); err != nil {
			return err
		}
		if known {
			if err := tx.QueryRowContext(ctx, "SELECT own, base, open FROM lineage").Scan(&l.own, &l.base, &l.open); err != nil {
				return err
			}
		}
		if whole {
			return quickCheck(ctx, tx)
		}
		return nil
	})
	return l, explain(filepath.Dir(path), err)
}

// beginning is what says in the database that it is open. Whatever an earlier
// run left is folded in before its mark is replaced.
func (s *Store) beginning() []step {
	return []step{
		s.readMarked,
		s.Forget,
		func(ctx context.Context) error { return s.markOpen(ctx, true) },
		s.Forget,
	}
}

// ending is what says that the database is complete, so that its log may go.
func (s *Store) ending() []step {
	return []step{
		func(ctx context.Context) error { return s.markOpen(ctx, false) },
		func(ctx context.Context) error { return s.keepLog(ctx, false) },
	}
}

// A step is a part of opening or closing, behind each of which the power may go.
type step func(context.Context) error

func (s *Store) readMarked(ctx context.Context) error {
	return s.Read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'lineage')").Scan(&s.marked)
	})
}

func (s *Store) begin(ctx context.Context) error {
	for _, do := range s.beginning() {
		if err := do(ctx); err != nil {
			return err
		}
	}
	s.begun = true
	return nil
}

// finish ends what begin began. If there is no room to say so, the log stays.
func (s *Store) finish(ctx context.Context) error {
	for _, do := range s.ending() {
		if err := do(ctx); errors.Is(err, ErrFull) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) markOpen(ctx context.Context, open bool) error {
	if !s.marked {
		return nil
	}
	err := s.commit(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE lineage SET open = ?", open)
		return err
	})
	if err != nil {
		return fmt.Errorf("mark database as open or closed: %w", explain(s.dir, err))
	}
	return nil
}

// keepLog tells SQLite whether to leave the log where it is, if only as an
// empty file, when the last connection closes.
func (s *Store) keepLog(ctx context.Context, keep bool) error {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	mode := 0
	if keep {
		mode = 1
	}
	return conn.Raw(func(c any) error {
		_, err := c.(sqlite.FileControl).FileControlPersistWAL("main", mode)
		return err
	})
}

// commit runs fn in a writing transaction, which also marks the log if it is
// the first since the log was emptied.
func (s *Store) commit(ctx context.Context, fn func(*sql.Tx) error) error {
	first := false
	err := transact(ctx, s.writer, func(tx *sql.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if first = s.marked && s.newLog.CompareAndSwap(true, false); !first {
			return nil
		}
		_, err := tx.Exec("UPDATE lineage SET base = own, own = randomblob(16)")
		return err
	})
	if err != nil && first {
		s.newLog.Store(true)
	}
	return err
}

// A queryer is a connection, or a pool of one.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// foldLog moves what is in the log into the database and empties it. That a
// reader held it up is no error.
func (s *Store) foldLog(ctx context.Context, on queryer) error {
	var busy bool
	var pages, folded int
	if err := on.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &folded); err != nil {
		return err
	}
	if pages == folded { // SQLite begins the log anew, now or when the readers have gone
		s.newLog.Store(true)
	}
	return nil
}
