package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// On a full disk a link must still be revoked, and whoever is expected must get
// in. So a file keeps some room, and gives it up when there is no other.

const (
	// reserveSize is room for some hundred small transactions: each writes a few
	// pages of 4 KiB to the log, which is emptied after each.
	reserveSize = 1 << 20

	// reserveSpare is how much more must be free before room is set aside again,
	// or else the disk would be full because of it.
	reserveSpare = 4 << 20

	// reserveAgain is how long to leave a disk alone that had no room for it:
	// trying takes what is left for a moment.
	reserveAgain = 10 * time.Minute
)

func (s *Store) reserve() string { return filepath.Join(s.dir, "anteroom.reserve") }

// WriteFromReserve is Write for what cannot wait until somebody has made room:
// it may use what has been set aside for that.
func (s *Store) WriteFromReserve(ctx context.Context, fn func(*sql.Tx) error) error {
	err := s.Write(ctx, fn)
	if !errors.Is(err, ErrFull) {
		return err
	}
	// What is in the log may be all that is in the way; else the reserve is.
	if s.Forget(ctx) == nil {
		if err = s.Write(ctx, fn); !errors.Is(err, ErrFull) {
			return err
		}
	}
	if !s.release() {
		return err
	}
	err = s.Write(ctx, fn)
	if errors.Is(s.Forget(ctx), ErrFull) { // it holds the room that others will need
		s.log.Warn("write-ahead log not emptied, for the disk is full")
	}
	return err
}

// release gives up the room that was set aside, and reports whether there was any.
func (s *Store) release() bool {
	if err := os.Remove(s.reserve()); err != nil {
		return false
	}
	s.log.Error("the disk is full: what was set aside for that is in use")
	return true
}

// SetAside sets room aside if it was used, or has never been, and if there is
// enough. Call it from time to time, and not twice at once.
func (s *Store) SetAside() error {
	if info, err := os.Stat(s.reserve()); err == nil && info.Size() == reserveSize {
		return nil
	}
	if time.Since(s.noRoom) < reserveAgain {
		return nil
	}
	part := s.reserve() + ".part"
	err := func() error {
		f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		noise := make([]byte, reserveSize) // nothing that a file system could fold up
		rand.Read(noise)
		for range 1 + reserveSpare/reserveSize {
			if err == nil {
				_, err = f.Write(noise)
			}
		}
		if err == nil {
			err = f.Sync()
		}
		if err == nil {
			err = f.Truncate(reserveSize)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		return os.Rename(part, s.reserve())
	}()
	if err == nil {
		return nil
	}
	err = errors.Join(err, os.Remove(part))
	if isFull(err) {
		s.noRoom = time.Now()
		return nil // that is for others to say
	}
	return fmt.Errorf("set room aside: %w", err)
}
