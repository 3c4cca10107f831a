package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A database carries the number of its last migration in user_version. Each
// migration is one transaction, and there is no way back but the copy that is
// made before the first of them. Once released, a file in migrations never
// changes.

//go:embed migrations/*.sql
var files embed.FS

// A migration is one step: the SQL that brings a database of the version
// before to this one.
type migration struct {
	name string // 0001_first.sql
	sql  string
}

// embedded returns this program's migrations, in order.
func embedded() ([]migration, error) { return readMigrations(files) }

// readMigrations reads migrations/NNNN_name.sql, which must be numbered from
// 1 without a gap.
func readMigrations(from fs.FS) ([]migration, error) {
	names, err := fs.Glob(from, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	slices.Sort(names)
	var steps []migration
	for i, name := range names {
		base := filepath.Base(name)
		if !strings.HasPrefix(base, fmt.Sprintf("%04d_", i+1)) {
			return nil, fmt.Errorf("list migrations: %s is not number %d", base, i+1)
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, fmt.Errorf("read migration: %w", err)
		}
		steps = append(steps, migration{base, string(text)})
	}
	return steps, nil
}

// applicationID marks the file as ours: "Ante", set by the first migration.
const applicationID = 0x416e7465

// migrate brings the database from the version it has to len(steps).
func (s *Store) migrate(ctx context.Context, keyFile string, steps []migration) (from, to int, err error) {
	path := s.path
	if from, err = s.version(ctx, path); err != nil {
		return 0, 0, err
	}
	if from == 0 && !s.making {
		return 0, 0, noDatabase(keyFile, path)
	}
	to = len(steps)
	if from > to {
		return 0, 0, tooNew(path, from, to)
	}
	if from > 0 {
		if err := s.checkCanary(ctx, keyFile, path); err != nil {
			return 0, 0, err
		}
	}
	var saved string
	if 0 < from && from < to {
		if saved, err = s.copyBefore(ctx, path, from); err != nil {
			return 0, 0, err
		}
	}
	for i := from; i < to; i++ {
		if err := s.apply(ctx, i+1, steps[i]); err != nil {
			err = fmt.Errorf("migrate database to version %d with %s: %w", i+1, steps[i].name, err)
			if saved != "" {
				err = fmt.Errorf("%w (as it was before: %s)", err, saved)
			}
			return 0, 0, err
		}
	}
	s.copied = saved
	return from, to, nil
}

// version returns the number of the last migration; 0 for an empty file.
func (s *Store) version(ctx context.Context, path string) (version int, err error) {
	err = s.Write(ctx, func(tx *sql.Tx) error {
		version, err = s.readVersion(ctx, tx, path)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("open database %s: %w", path, err)
	}
	return version, nil
}

func (s *Store) readVersion(ctx context.Context, tx *sql.Tx, path string) (version int, err error) {
	var app, tables int
	err = errors.Join(
		tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version),
		tx.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app),
		tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables))
	if err == nil && tables > 0 && app != applicationID {
		err = fmt.Errorf("%s is not an Anteroom database: move it away or choose another data directory", path)
	}
	return version, err
}

func tooNew(path string, version, known int) error {
	return fmt.Errorf("database %s has version %d, and this program knows up to %d: "+
		"it was written by a newer Anteroom, so install that one or a later one", path, version, known)
}

// apply runs one migration, all or nothing.
func (s *Store) apply(ctx context.Context, number int, step migration) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, step.sql); err != nil {
			return err
		}
		if number == 1 {
			if err := s.writeCanary(ctx, tx); err != nil {
				return err
			}
		}
		broken, err := tx.QueryContext(ctx, "PRAGMA foreign_key_check")
		if err != nil {
			return err
		}
		defer broken.Close()
		if broken.Next() {
			return errors.New("a row would refer to one that does not exist")
		}
		if err := broken.Err(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", number))
		return err
	})
}

const canaryText = "this opens with the right key only"

var canaryCell = Cell{"canary", "sealed", "1"}

func (s *Store) writeCanary(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO canary (id, sealed) VALUES (1, ?)", s.Seal(canaryCell, []byte(canaryText)))
	return err
}

// checkCanary fails if the key is not the one that the database was made with.
func (s *Store) checkCanary(ctx context.Context, keyFile, path string) error {
	return s.Read(ctx, func(tx *sql.Tx) error {
		var sealed []byte
		if err := tx.QueryRowContext(ctx, "SELECT sealed FROM canary").Scan(&sealed); err != nil {
			return fmt.Errorf("check key: %w", err)
		}
		if _, err := s.Unseal(canaryCell, sealed); err != nil {
			return fmt.Errorf("%w: %s is not the key of %s, so put back the one that belongs to it", ErrWrongKey, keyFile, path)
		}
		return nil
	})
}

// ErrWrongKey says that the key file belongs to another database.
var ErrWrongKey = errors.New("wrong key")

// copyPattern names the copies that are made before migrations.
const copyPattern = "anteroom.db.before-v*"

// copyBefore copies the database beside itself and returns where. The copy
// opens with the same key.
func (s *Store) copyBefore(ctx context.Context, path string, version int) (string, error) {
	final := fmt.Sprintf("%s.before-v%d", path, version+1)
	part := final + ".part"
	err := func() error {
		// VACUUM INTO fills an empty file, and would make one that others can read.
		f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		if version > 1 { // the copy is complete without a log
			if _, err := s.writer.ExecContext(ctx, "UPDATE lineage SET open = 0"); err != nil {
				return err
			}
		}
		if _, err := s.writer.ExecContext(ctx, "VACUUM INTO ?", part); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		if err := os.Rename(part, final); err != nil {
			return err
		}
		return syncDir(s.dir)
	}()
	if err != nil {
		return "", fmt.Errorf("copy database before migrating it: %w", errors.Join(err, os.Remove(part)))
	}
	return final, nil
}

// DateCopy dates the copy that was made when the database was opened, if one
// was and it is dated earlier: the clock was behind.
func (s *Store) DateCopy(earliest time.Time) error {
	if s.copied == "" {
		return nil
	}
	info, err := os.Stat(s.copied)
	if err == nil && info.ModTime().Before(earliest) {
		err = os.Chtimes(s.copied, earliest, earliest)
	}
	if err != nil {
		return fmt.Errorf("date copy: %w", err)
	}
	return nil
}

// ForgetCopies removes copies from before a migration that are older than
// before: they hold what has been deleted since. Those that are dated after
// latest were made while the clock was ahead, and are taken to be of then.
func (s *Store) ForgetCopies(before, latest time.Time) error {
	names, err := filepath.Glob(filepath.Join(s.dir, copyPattern))
	if err != nil {
		return fmt.Errorf("list copies: %w", err)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("look at copy: %w", err)
		}
		switch made := info.ModTime(); {
		case made.Before(before):
			err = os.Remove(name)
		case made.After(latest):
			err = os.Chtimes(name, latest, latest)
		}
		if err != nil {
			return fmt.Errorf("forget copy: %w", err)
		}
	}
	return nil
}
