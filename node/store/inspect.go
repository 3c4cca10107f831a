package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// Inspect opens the store of a node that does not run, for reading alone. It
// fails where Open would, and changes nothing.
func Inspect(ctx context.Context, cfg Config) (_ *Store, err error) {
	steps, err := embedded()
	if err != nil {
		return nil, err
	}
	if cfg.KeyFile == "" {
		cfg.KeyFile = filepath.Join(cfg.Dir, "store.key")
	}
	s := newStore(filepath.Join(cfg.Dir, "anteroom.db"), cfg.Log)
	if err := writable(s.dir); err != nil {
		return nil, err
	}
	root, err := readKey(cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	defer clear(root)
	if err := s.unlock(root); err != nil {
		return nil, err
	}
	if empty, err := privateDatabase(s.path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	} else if empty {
		return nil, noDatabase(cfg.KeyFile, s.path)
	}
	if err := checkLog(ctx, s.path, cfg.KeyFile, false); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	mode := url.Values{"immutable": {"1"}}
	if s.logSize() > 0 {
		mode = url.Values{"mode": {"ro"}}
	}
	if s.reader, err = pool(s.path, readers, url.Values{"_error_rc": {"1"}, "_query_only": {"1"}}, mode); err != nil {
		return nil, err
	}
	err = s.Read(ctx, func(tx *sql.Tx) error {
		version, err := s.readVersion(ctx, tx, s.path)
		if err == nil && version > len(steps) {
			err = tooNew(s.path, version, len(steps))
		}
		return err
	})
	if err == nil {
		err = s.checkCanary(ctx, cfg.KeyFile, s.path)
	}
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", s.path, errors.Join(err, s.Close()))
	}
	return s, nil
}

// writable fails if nothing can be written in dir.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".room-*")
	if err != nil {
		return fmt.Errorf("write to data directory: %w", explainFile(err))
	}
	f.Close()
	return os.Remove(f.Name())
}
