package httpui

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// tallyTime is how often the same thing that a stranger does is told.
const tallyTime = time.Minute

// A tally tells in the log what strangers can cause as often as they like: the
// first time at once, and after that how often it was, once in tallyTime.
type tally struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	seen map[event]*count // as many as the program has words for
}

// An event is a line of the log, in constant words.
type event struct {
	level       slog.Level
	msg, reason string
}

type count struct {
	n    int // since told
	told time.Time
	last []slog.Attr // what else is to be said of the last one
}

func newTally(log *slog.Logger, now func() time.Time) *tally {
	return &tally{log: log, now: now, seen: map[event]*count{}}
}

// add counts e, of which more says what is not the same each time.
func (t *tally) add(e event, more ...slog.Attr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[e] == nil {
		t.seen[e] = &count{}
	}
	t.seen[e].n++
	t.seen[e].last = more
	t.tellLocked(e)
}

// tell tells what is due.
func (t *tally) tell() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e := range t.seen {
		t.tellLocked(e)
	}
}

func (t *tally) tellLocked(e event) {
	c, now := t.seen[e], t.now()
	if c.n == 0 || now.Sub(c.told) < tallyTime {
		return
	}
	attrs := append([]slog.Attr{slog.Int("n", c.n)}, c.last...)
	if e.reason != "" {
		attrs = append(attrs, slog.String("reason", e.reason))
	}
	t.log.LogAttrs(context.Background(), e.level, e.msg, attrs...)
	c.n, c.told = 0, now
}

// watch tells what is due until ctx ends, and then the rest.
func (t *tally) watch(ctx context.Context) {
	tick := time.NewTicker(tallyTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.tell()
		case <-ctx.Done():
			t.mu.Lock()
			for _, c := range t.seen {
				c.told = time.Time{}
			}
			t.mu.Unlock()
			t.tell()
			return
		}
	}
}
