package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
)

const (
	// maxBatch is how many writes may share one commit. What a commit costs is
	// by then divided by so many that more would only make the first wait.
	maxBatch = 256

	// logLimit is how long the write-ahead log may get before it is folded into
	// the database: half of what SQLite's own default is, as a batch, and readers
	// who hold the log up, go beyond it. After logStep more it is tried again.
	logLimit = 2 << 20
	logStep  = logLimit / 4

	// logPatience is for how many milliseconds the next writers wait for readers
	// who hold the log up. A long reader must not hold every writer up.
	logPatience = 100
)

// errLost is for writes that shared a transaction with one that panicked.
var errLost = errors.New("transaction lost")

// A write waits until a writer takes it along.
type write struct {
	ctx  context.Context
	fn   func(*sql.Tx) error
	done chan error // capacity 1: it is told once
}

// tell says how the write ended, unless it has been told.
func (w *write) tell(err error) {
	select {
	case w.done <- err:
	default:
	}
}

// A queue is the writes that wait, in the order in which they came.
type queue struct {
	turn chan struct{} // capacity 1; held by who writes for all

	mu      sync.Mutex
	waiting []*write // bounded by the goroutines that call Write
}

func newQueue() *queue { return &queue{turn: make(chan struct{}, 1)} }

func (q *queue) add(w *write) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, w)
}

// take returns the first of those that wait, as many as may share a commit.
func (q *queue) take() []*write {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxBatch)
	batch := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return batch
}

// leave takes w out and reports whether it still waited.
func (q *queue) leave(w *write) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, w)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// Write runs fn in a transaction and commits it if fn returns nil: then it is
// on the disk. fn must not call Write.
//
// Writers take turns, and whoever's turn it is writes for all that wait: what
// they do is committed together, in the order in which they came, and what one
// of them fails to do is undone alone. fn may therefore run on another
// goroutine, and again if the transaction that it shared could not be committed.
func (s *Store) Write(ctx context.Context, fn func(*sql.Tx) error) error {
	w := &write{ctx, fn, make(chan error, 1)}
	s.queue.add(w)
	for {
		select {
		case err := <-w.done:
			return err
		case s.queue.turn <- struct{}{}:
			s.writeBatch()
		case <-ctx.Done():
			if s.queue.leave(w) {
				return fmt.Errorf("begin transaction: %w", ctx.Err())
			}
			return <-w.done
		}
	}
}

// writeBatch writes what waits and passes the turn on.
func (s *Store) writeBatch() {
	defer func() { <-s.queue.turn }()
	batch := s.queue.take()
	defer func() {
		for _, w := range batch {
			w.tell(errLost) // after a panic; otherwise it has been told
		}
	}()
	if results, err := s.writeTogether(batch); err == nil {
		for i, w := range batch {
			w.tell(explain(s.dir, results[i]))
		}
	} else {
		for _, w := range batch {
			w.tell(explain(s.dir, s.commit(w.ctx, w.fn)))
		}
	}
	s.boundLog()
}

// errAlone says that writes have to be done one by one.
var errAlone = errors.New("nothing to share")

// writeTogether does all of batch in one transaction and returns how each of
// them ended. If it returns an error, nothing has been done.
func (s *Store) writeTogether(batch []*write) ([]error, error) {
	if len(batch) < 2 {
		return nil, errAlone
	}
	results := make([]error, len(batch))
	err := s.commit(context.Background(), func(tx *sql.Tx) error { // a context of one would end it for all
		for i, w := range batch {
			var lost error
			if results[i], lost = w.within(tx); lost != nil {
				return lost
			}
		}
		return nil
	})
	return results, err
}

// within does w as a part of tx, of which nothing is left if w fails. The second
// error says that tx is lost: SQLite has rolled it back, as for a full disk or
// a context that ended.
func (w *write) within(tx *sql.Tx) (result, lost error) {
	if w.ctx.Err() != nil {
		return fmt.Errorf("begin transaction: %w", w.ctx.Err()), nil
	}
	if _, err := tx.Exec("SAVEPOINT one"); err != nil {
		return nil, err
	}
	if result = w.fn(tx); result != nil {
		if _, err := tx.Exec("ROLLBACK TO one"); err != nil {
			return nil, err
		}
	}
	_, lost = tx.Exec("RELEASE one")
	return result, lost
}

// Read runs fn on one unchanging state of the database. fn cannot write.
func (s *Store) Read(ctx context.Context, fn func(*sql.Tx) error) error {
	return explain(s.dir, transact(ctx, s.reader, fn))
}

func transact(ctx context.Context, db *sql.DB, fn func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	defer tx.Rollback() // after Commit: nothing
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	return nil
}

// boundLog folds the write-ahead log into the database when it is too long.
// Were that left to SQLite's own checkpoints, which wait for no reader, readers
// that follow each other closely would let it grow for ever.
func (s *Store) boundLog() {
	if s.logSize() < s.foldAt {
		return
	}
	if err := s.fold(context.Background()); err != nil {
		s.log.Warn("write-ahead log not emptied", "err", explain(s.dir, err))
	}
	s.foldAt = max(logLimit, s.logSize()+logStep)
}

func (s *Store) fold(ctx context.Context) error {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", logPatience))
	if err == nil {
		err = s.foldLog(ctx, conn)
	}
	_, back := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", busyTimeout))
	return errors.Join(err, back)
}

// logSize is the length of the write-ahead log, 0 if there is none.
func (s *Store) logSize() int64 {
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// Forget moves the write-ahead log into the database and empties it, so that
// no older state of a row outlives its deletion there. A reader may hold it
// up; then the next call does it.
func (s *Store) Forget(ctx context.Context) error {
	if err := s.foldLog(ctx, s.writer); err != nil {
		return fmt.Errorf("empty write-ahead log: %w", explain(s.dir, err))
	}
	return nil
}

// NewID returns n random bytes in hex, by which a row is known.
func NewID(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
