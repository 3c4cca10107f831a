package relay

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"anteroom/node/admit"
)

// A limit lets so many units a second pass, one second's worth at once. It is
// the moment until which what has passed is paid for, in nanoseconds of now.
type limit struct {
	cost int64 // nanoseconds each
	paid atomic.Int64
}

func newLimit(perSecond int) *limit { return &limit{cost: costOf(perSecond)} }

func costOf(perSecond int) int64 { return max(1, int64(time.Second)/int64(max(1, perSecond))) }

// take reports whether n more units may pass.
func (l *limit) take(now int64, n int) bool { return take(&l.paid, now, l.cost*int64(n)) }

func take(paid *atomic.Int64, now, price int64) bool {
	for {
		was := paid.Load()
		is := max(was, now) + price
		if is-now > int64(time.Second) {
			return false
		}
		if paid.CompareAndSwap(was, is) {
			return true
		}
	}
}

// spent reports whether take of one unit would fail.
func (l *limit) spent(now int64) bool { return spent(&l.paid, now, l.cost) }

func spent(paid *atomic.Int64, now, price int64) bool {
	return max(paid.Load(), now)+price-now > int64(time.Second)
}

var started = time.Now()

// now is the time that limits go by.
func now() int64 { return int64(time.Since(started)) + int64(time.Second) }

// A prefixLimit is a limit for every prefix there is, in constant memory: in
// rare cases two of them share one.
type prefixLimit struct {
	cost int64
	seed maphash.Seed
	paid [1 << 14]atomic.Int64
}

func newPrefixLimit(perSecond int) *prefixLimit {
	return &prefixLimit{cost: costOf(perSecond), seed: maphash.MakeSeed()}
}

func (l *prefixLimit) of(a netip.Addr) *atomic.Int64 {
	return &l.paid[maphash.Comparable(l.seed, admit.Prefix(a))%uint64(len(l.paid))]
}

func (l *prefixLimit) take(a netip.Addr) bool { return take(l.of(a), now(), l.cost) }

// spent reports whether take would fail.
func (l *prefixLimit) spent(a netip.Addr) bool { return spent(l.of(a), now(), l.cost) }
