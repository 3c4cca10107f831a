// Package store keeps a practice's rows: one SQLite file that this process
// alone opens, sealed columns, and the key that opens them.
//
// It knows files, keys, versions and transactions; what the rows mean is for
// package practice to know. The layout of the tables is in migrations.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"modernc.org/sqlite"
)

// Config says where the files are.
type Config struct {
	// Dir is made with mode 0700 if it is missing.
	Dir string
	// KeyFile holds the 32-byte root key. It is made on the first run, never
	// before it.
	// Empty: store.key in Dir.
	KeyFile string
	Log     *slog.Logger

	// AcceptLoss opens a database whose write-ahead log is missing, without
	// what was in it.
	AcceptLoss bool
}

// ErrInUse says that another process has the directory open.
var ErrInUse = errors.New("in use by another Anteroom: stop that one first")

// A Store is safe for concurrent use. Writers take turns; readers see the last
// committed state and wait for nobody.
type Store struct {
	Sealer // under the root key
	keys   // what else the root key is good for
	index  func() []byte
	dir    string
	path   string // of the database
	lock   *flock.Flock
	log    *slog.Logger
	writer *sql.DB // one connection
	reader *sql.DB // cannot write
	queue  *queue
	foldAt int64        // how long the write-ahead log may get; owned by who has the turn
	making bool         // it is a new one, under another name
	marked bool         // there is a lineage
	begun  bool         // and it says that the database is open
	noRoom time.Time    // when there was none to set aside
	newLog *atomic.Bool // nothing has been written since the log was emptied
	copied string       // the copy that was made at the opening; empty: none
}

// readers is how many transactions may read at once. Two cores are not kept
// busier by more.
const readers = 4

// busyTimeout is how many milliseconds connections wait for each other. There
// are only our own.
const busyTimeout = 5000

// Open opens the store in cfg.Dir, makes it if there is none, and brings an
// older one up to date. It refuses files that others may read, a key that is
// not the database's, and a database that a newer version has written.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	steps, err := embedded()
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, cfg, steps)
	if errors.Is(err, ErrFull) && newStore(filepath.Join(cfg.Dir, "anteroom.db"), cfg.Log).release() {
		s, err = open(ctx, cfg, steps)
	}
	if err != nil {
		return nil, err
	}
	if err := s.SetAside(); err != nil {
		cfg.Log.Warn("no room set aside for a full disk", "err", err)
	}
	return s, nil
}

func newStore(path string, log *slog.Logger) *Store {
	return &Store{dir: filepath.Dir(path), path: path, log: log, queue: newQueue(), foldAt: logLimit, newLog: new(atomic.Bool)}
}

func open(ctx context.Context, cfg Config, steps []migration) (_ *Store, err error) {
	if cfg.KeyFile == "" {
		cfg.KeyFile = filepath.Join(cfg.Dir, "store.key")
	}
	if err := privateDir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	s := newStore(filepath.Join(cfg.Dir, "anteroom.db"), cfg.Log)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()

	s.lock = flock.New(filepath.Join(cfg.Dir, "anteroom.db.lock"), flock.SetPermissions(0o600))
	if mine, err := s.lock.TryLock(); err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	} else if !mine {
		return nil, fmt.Errorf("data directory %s is %w", cfg.Dir, ErrInUse)
	}

	root, err := s.rootKey(ctx, cfg.KeyFile, steps)
	if err != nil {
		return nil, err
	}
	defer clear(root)
	if err := s.unlock(root); err != nil {
		return nil, err
	}
	if err := checkLog(ctx, s.path, cfg.KeyFile, cfg.AcceptLoss); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := s.connect(s.path); err != nil {
		return nil, err
	}
	if err := s.keepLog(ctx, true); err != nil {
		return nil, fmt.Errorf("open database: %w", explain(s.dir, err))
	}
	from, to, err := s.migrate(ctx, cfg.KeyFile, steps)
	if err != nil {
		return nil, err
	}
	if from != to {
		cfg.Log.Info("database migrated", "version", to, "n", to-from)
	}
	if err := s.begin(ctx); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return s, nil
}

// unlock derives from the root key what the store itself needs.
func (s *Store) unlock(root []byte) (err error) {
	if s.keys, err = newKeys(root); err != nil {
		return err
	}
	db, err := s.Subkey("db")
	if err != nil {
		return err
	}
	if s.Sealer, err = NewSealer(db); err != nil {
		return err
	}
	index, err := s.Subkey("index")
	s.index = func() []byte { return index }
	return err
}

// connect opens both pools. It reads nothing yet.
func (s *Store) connect(path string) error {
	every := url.Values{
		"_busy_timeout": {strconv.Itoa(busyTimeout)},
		"_foreign_keys": {"1"},
		"_defensive":    {"1"},
		"_dqs":          {"0"},
		"_error_rc":     {"1"},
		"_pragma":       {"trusted_schema(0)", "cell_size_check(1)", "temp_store(memory)", "secure_delete(1)"},
	}
	var err error
	// FULL: what was acknowledged survives a power cut, not only a crash. The
	// write-ahead log is for boundLog to empty.
	s.writer, err = pool(path, 1, every, url.Values{"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_txlock": {"immediate"}, "_pragma": {"wal_autocheckpoint(0)"}})
	if err != nil {
		return err
	}
	s.reader, err = pool(path, readers, every, url.Values{"_query_only": {"1"}})
	return err
}

func pool(path string, size int, every, own url.Values) (*sql.DB, error) {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a drive letter
	}
	dsn := url.URL{Scheme: "file", Path: slashed, RawQuery: every.Encode() + "&" + own.Encode()}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// Close ends the store. What was written stays.
func (s *Store) Close() error {
	var errs []error
	if s.begun {
		errs = append(errs, s.finish(context.Background()))
	}
	if s.reader != nil {
		errs = append(errs, s.reader.Close())
	}
	if s.writer != nil { // the last to close, so it folds the log in
		errs = append(errs, s.writer.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}
