package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
)

// ErrNoDatabase says that there is a key, but not the records that it opens.
// That is no first run: they were lost.
var ErrNoDatabase = errors.New("there is a key but no database")

func noDatabase(keyFile, path string) error {
	return fmt.Errorf("%w: %s is missing or empty, and %s says that there were records; "+
		"put the database back from a backup, or move the key away to begin a new practice", ErrNoDatabase, path, keyFile)
}

// rootKey returns the key of the database, and on the first run makes both. A
// new database gets its name after its key has got its own: so a key without a
// database is always that of one that was lost, and whatever goes wrong before
// leaves neither.
func (s *Store) rootKey(ctx context.Context, keyFile string, steps []migration) ([]byte, error) {
	empty, err := privateDatabase(s.path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	root, err := readKey(keyFile)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !missing:
		return nil, err
	case !empty && missing:
		return nil, fmt.Errorf("key file %s is missing, and without it %s cannot be read: put it back", keyFile, s.path)
	case !empty:
		return root, nil
	case !missing && !s.opens(ctx, s.unnamed(), root):
		return nil, noDatabase(keyFile, s.path)
	case !missing: // the power went between the two names
		return root, s.name()
	}
	if info, err := os.Stat(s.path + "-wal"); err == nil && info.Size() > 0 {
		return nil, fmt.Errorf("%s-wal is there, but neither the database nor its key: put them back from a backup, or move that file away to begin a new practice", s.path)
	}
	if root, err = s.makeDatabase(ctx, keyFile, steps); err != nil {
		return nil, errors.Join(err, remove(s.unnamed()))
	}
	return root, s.name()
}

// unnamed is where a new database waits for its key.
func (s *Store) unnamed() string { return s.path + ".new" }

// name gives a new database its name.
func (s *Store) name() error {
	if err := os.Rename(s.unnamed(), s.path); err != nil {
		return fmt.Errorf("make database: %w", err)
	}
	if err := syncDir(s.dir); err != nil {
		return fmt.Errorf("make database: %w", err)
	}
	return nil
}

func (s *Store) makeDatabase(ctx context.Context, keyFile string, steps []migration) ([]byte, error) {
	root := make([]byte, KeySize)
	rand.Read(root) // never fails
	path := s.unnamed()
	if err := remove(path); err != nil {
		return nil, fmt.Errorf("make database: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // SQLite gives its mode to the files beside it
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("make database: %w", explainFile(err))
	}
	made := newStore(path, s.log)
	made.making = true
	err = made.unlock(root)
	if err == nil {
		err = made.connect(path)
	}
	if err == nil {
		_, _, err = made.migrate(ctx, keyFile, steps)
	}
	if err := errors.Join(err, made.Close()); err != nil {
		return nil, err
	}
	return root, writeKey(keyFile, root)
}

// opens reports whether there is a database at path that root is the key of.
func (s *Store) opens(ctx context.Context, path string, root []byte) bool {
	if _, err := os.Stat(path); err != nil {
		return false
	}
	var other Store
	if other.unlock(root) != nil {
		return false
	}
	db, err := pool(path, 1, url.Values{"_query_only": {"1"}}, url.Values{"immutable": {"1"}})
	if err != nil {
		return false
	}
	defer db.Close()
	return transact(ctx, db, func(tx *sql.Tx) error {
		var sealed []byte
		if err := tx.QueryRowContext(ctx, "SELECT sealed FROM canary").Scan(&sealed); err != nil {
			return err
		}
		_, err := other.Unseal(canaryCell, sealed)
		return err
	}) == nil
}

// remove removes a database and what is beside it.
func remove(path string) error {
	var errs []error
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
