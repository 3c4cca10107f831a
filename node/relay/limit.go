package relay

import (
	"time"

	"anteroom/node/admit"
)

// A limit lets so many units a second pass, one second's worth at once.
type limit struct {
	cost   int64 // nanoseconds each
	bucket admit.Bucket
}

func newLimit(perSecond int) *limit {
	return &limit{cost: max(1, int64(time.Second)/int64(max(1, perSecond)))}
}

// take reports whether n more units may pass.
func (l *limit) take(now int64, n int) bool {
	return l.bucket.Take(now, l.cost*int64(n), int64(time.Second))
}

// spent reports whether take of one unit would fail.
func (l *limit) spent(now int64) bool { return !l.bucket.May(now, l.cost, int64(time.Second)) }

var started = time.Now()

// now is the time that limits go by.
func now() int64 { return int64(time.Since(started)) + int64(time.Second) }
