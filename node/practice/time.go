package practice

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"anteroom/node/store"
)

// What is deleted is deleted for good, and a clock that is wrong for a minute
// must not do it. So beside the clock's time there is the time that has been
// lived: what the clock said when the practice was last open, and what has
// passed since by the computer's own count. As long as the two are close, the
// clock is right; else whatever is the earlier counts, until the clock has been
// steady for long enough, or somebody else says that it is right.

const (
	// leap is what a clock may be ahead of the time that has been lived: a night
	// and a morning without this computer.
	leap = 24 * time.Hour

	// steadyFor is how long a clock that has leapt further must run on before it
	// is believed: people have seen it by then. A shorter leap takes as long as
	// it was.
	steadyFor = 7 * 24 * time.Hour

	// keepEvery is how often the time is written down. What a crash forgets of
	// it only delays a deletion.
	keepEvery = 10 * time.Minute
)

// A lifetime is the time that has been lived.
type lifetime struct {
	count func() time.Duration // by the computer's own count, from some beginning

	mu      sync.Mutex
	counted time.Duration // what count said last
	lived   time.Time
	wait    time.Duration // for how much longer a clock that leapt is not believed; 0: it is
	kept    time.Time     // what of lived has been written down
}

// A Leap is why the clock is not believed.
type Leap struct {
	Lived, Clock time.Time     // the two that disagree
	Wait         time.Duration // until the clock is believed, if it goes on
}

// pass notes what has been lived, and returns the time by which things may be
// deleted, if the clock says now.
func (l *lifetime) pass(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	counted := l.count()
	elapsed := counted - l.counted
	l.counted = counted
	l.lived = l.lived.Add(elapsed)
	gap := now.Sub(l.lived).Abs()
	switch {
	case gap <= leap:
		l.wait = 0
	case l.wait == 0:
		l.wait = min(gap, steadyFor)
	default:
		l.wait = max(l.wait-elapsed, 0)
	}
	if l.wait == 0 {
		l.lived = now
	}
	if l.lived.Before(now) {
		return l.lived
	}
	return now
}

// latest returns the later of the two times, if the clock says now.
func (l *lifetime) latest(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lived.After(now) {
		return l.lived
	}
	return now
}

// believe takes the clock's word.
func (l *lifetime) believe(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lived, l.wait = now, 0
}

// leapt returns why the clock, which says now, is not believed.
func (l *lifetime) leapt(now time.Time) (Leap, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Leap{l.lived, now, l.wait}, l.wait > 0
}

// Lived returns the time by which what is over may be put away for good: the
// clock's, or an earlier one while the clock is not believed.
func (p *Practice) Lived() time.Time { return p.life.pass(p.Now()) }

// Leapt reports whether the clock has leapt so far that it is not believed yet.
func (p *Practice) Leapt() (Leap, bool) {
	p.Lived()
	return p.life.leapt(p.Now())
}

// BelieveClock is for who has compared the clock with others.
func (p *Practice) BelieveClock() { p.life.believe(p.Now()) }

var clockCell = store.Cell{Table: "clock", Column: "seen", Row: "1"}

// beginLife reads what was written down of the time. Without it, the last that
// the audit trail tells of was the last that was seen; and a new practice has
// nothing that a clock could delete.
func (p *Practice) beginLife(ctx context.Context) error {
	if p.life.count == nil {
		begun := time.Now()
		p.life.count = func() time.Duration { return time.Since(begun) }
	}
	p.life.lived = p.Now()
	err := p.store.Read(ctx, func(tx *sql.Tx) error {
		var sealed []byte
		err := tx.QueryRowContext(ctx, "SELECT seen FROM clock").Scan(&sealed)
		if err == nil {
			if plain, err := p.store.Unseal(clockCell, sealed); err == nil && len(plain) == 16 {
				p.life.lived = time.Unix(int64(binary.BigEndian.Uint64(plain)), 0)
				p.life.wait = time.Duration(binary.BigEndian.Uint64(plain[8:])) * time.Second
			} else {
				p.life.lived = time.Unix(0, 0) // it says nothing, so nothing is deleted on its word
			}
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		last, ok, err := p.Trail.Last(ctx, tx)
		if ok {
			p.life.lived = last.Time
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read time: %w", err)
	}
	p.life.counted = p.life.count()
	p.Lived()
	return errors.Join(p.keepLife(ctx), p.store.DateCopy(p.life.latest(p.Now())))
}

// keepLife writes the time down.
func (p *Practice) keepLife(ctx context.Context) error {
	p.life.mu.Lock()
	lived, wait := p.life.lived, p.life.wait
	p.life.mu.Unlock()
	plain := binary.BigEndian.AppendUint64(nil, uint64(lived.Unix()))
	plain = binary.BigEndian.AppendUint64(plain, uint64((wait+time.Second-1)/time.Second))
	err := p.store.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO clock (id, seen) VALUES (1, ?) ON CONFLICT DO UPDATE SET seen = excluded.seen",
			p.store.Seal(clockCell, plain))
		return err
	})
	if errors.Is(err, ErrFull) { // the next does it
		return nil
	}
	if err != nil {
		return fmt.Errorf("write time: %w", err)
	}
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	p.life.kept = lived
	return nil
}

// keepLifeIfDue writes the time down from time to time.
func (p *Practice) keepLifeIfDue(ctx context.Context) error {
	p.life.mu.Lock()
	due := p.life.lived.Sub(p.life.kept).Abs() >= keepEvery
	p.life.mu.Unlock()
	if !due {
		return nil
	}
	return p.keepLife(ctx)
}
