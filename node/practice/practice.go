// Package practice knows which appointments the people of a practice have, who
// is invited to them and who holds which seat. It owns the store, and with it
// who the people are and the trail of what was done; it decides, by its own clock
// and in the transaction that writes it down, what may happen.
//
// It does not ask who is calling: that a practitioner touches only their own
// appointments is for the caller to see to.
package practice

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"anteroom/node/audit"
	"anteroom/node/people"
	"anteroom/node/store"
)

// Config is what a Practice is made of.
type Config struct {
	Dir     string           // holds anteroom.db, mode 0700; made if missing
	KeyFile string           // the store's key; empty: store.key in Dir
	Clock   func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged

	acceptLoss bool
	count      func() time.Duration // of time that passes; nil: the computer's own
	passwords  people.Cost          // zero: the usual one
}

var (
	// ErrNotFound says that there is no such appointment, invite or rid, or no
	// practitioner whose it could be.
	ErrNotFound = store.ErrNotFound
	// ErrUnreadable says that a record is not as it was written, so that
	// nobody can tell what it says.
	ErrUnreadable = errors.New("record is damaged")
	// ErrFull says that there is no room for what was to be kept.
	ErrFull = store.ErrFull
	// ErrUnwritable says that nothing can be kept, for another reason.
	ErrUnwritable = store.ErrUnwritable
	// ErrDamaged says that the database as a whole is not what was written.
	ErrDamaged = store.ErrDamaged
)

// An InvalidError says what is wrong with a value.
type InvalidError = people.InvalidError

// A Practice is safe for concurrent use. It starts no goroutines.
type Practice struct {
	// constant after Open
	People *people.People
	Trail  *audit.Trail // of what was done here
	store  *store.Store
	clock  func() time.Time
	log    *slog.Logger
	decoy  seatRow
	life   lifetime
	harms  harmList

	mu       sync.Mutex
	watchers map[chan struct{}]struct{}
}

// Open opens the practice in cfg.Dir, or makes a new one there.
func Open(ctx context.Context, cfg Config) (_ *Practice, err error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Practice{clock: cfg.Clock, log: cfg.Log, watchers: make(map[chan struct{}]struct{})}
	p.store, err = store.Open(ctx, store.Config{Dir: cfg.Dir, KeyFile: cfg.KeyFile, Log: cfg.Log, AcceptLoss: cfg.acceptLoss})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.store.Close())
		}
	}()
	if p.Trail, err = audit.New(p.store, cfg.Clock); err != nil {
		return nil, err
	}
	p.People = people.New(p.store, p.Trail, cfg.Clock, cfg.passwords)
	if p.decoy, err = p.newDecoy(); err != nil {
		return nil, err
	}
	if err := p.store.Write(ctx, func(tx *sql.Tx) error { return p.Trail.Begin(ctx, tx) }); err != nil {
		return nil, fmt.Errorf("open practice: %w", err)
	}
	p.life.count = cfg.count
	if err := p.beginLife(ctx); err != nil {
		return nil, err
	}
	err = p.store.Read(ctx, func(tx *sql.Tx) error { return p.eachInvite(ctx, tx, func(bool) {}) }) // looks for harms
	if err != nil {
		p.log.Error("records not looked through", "err", err) // whoever needs them is told as much
	}
	return p, nil
}

// Inspect opens the practice of a node that does not run, to Check it
// and its Trail. It fails where Open would, and changes nothing.
func Inspect(ctx context.Context, cfg Config) (*Practice, error) {
	s, err := store.Inspect(ctx, store.Config{Dir: cfg.Dir, KeyFile: cfg.KeyFile, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	trail, err := audit.New(s, time.Now)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &Practice{People: people.New(s, trail, time.Now, people.Cost{}), Trail: trail, store: s, clock: time.Now}, nil
}

// Leave ends an Inspect.
func (p *Practice) Leave() error { return p.store.Close() }

// AcceptLoss makes the practice in cfg.Dir one that Open opens although its
// write-ahead log is missing, and records that. It reports whether it was.
func AcceptLoss(ctx context.Context, cfg Config) (lost bool, err error) {
	if err := store.CheckFiles(cfg.Dir, cfg.KeyFile); err != nil {
		return false, err
	}
	p, err := Open(ctx, cfg)
	if !errors.Is(err, store.ErrLogMissing) {
		if err == nil {
			err = p.Close()
		}
		return false, err
	}
	cfg.acceptLoss = true
	if p, err = Open(ctx, cfg); err != nil {
		return false, err
	}
	return true, errors.Join(p.Trail.Record(ctx, audit.Entry{Event: audit.EventLoss}), p.Close())
}

// Close ends the use of the store.
func (p *Practice) Close() error {
	p.Lived()
	return errors.Join(p.keepLife(context.Background()), p.store.Close())
}

// Now returns the practice's time, by which windows open and close.
func (p *Practice) Now() time.Time { return p.clock() }

// Watch returns a channel that ticks after appointments or seats have changed,
// and a function that ends it. Ticks that nobody has received yet are one.
func (p *Practice) Watch() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1) // full: the tick that waits says it all
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchers[c] = struct{}{}
	return c, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, c)
	}
}

// change runs fn in a writing transaction and, if it was committed, ticks. On a
// full disk it uses what was set aside.
func (p *Practice) change(ctx context.Context, fn func(*sql.Tx) error) error {
	return p.tickAfter(p.store.WriteFromReserve(ctx, fn))
}

// extend is change for what can wait until there is room.
func (p *Practice) extend(ctx context.Context, fn func(*sql.Tx) error) error {
	return p.tickAfter(p.store.Write(ctx, fn))
}

func (p *Practice) tickAfter(err error) error {
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
	return nil
}
