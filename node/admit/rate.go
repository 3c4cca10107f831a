package admit

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// A Bucket is a token bucket that keeps one number, by the generic cell rate
// algorithm: the moment until which all that has passed is paid for. Whoever
// uses it says the time, in nanoseconds of one clock. The zero Bucket is full.
type Bucket struct{ paid atomic.Int64 }

// Take pays price and reports true, unless that were ahead of now by more than
// depth: what may pass at once.
func (b *Bucket) Take(now, price, depth int64) bool {
	for {
		was := b.paid.Load()
		is := max(was, now) + price
		if is-now > depth {
			return false
		}
		if b.paid.CompareAndSwap(was, is) {
			return true
		}
	}
}

// May reports whether Take would.
func (b *Bucket) May(now, price, depth int64) bool {
	return max(b.paid.Load(), now)+price-now <= depth
}

// A Rate lets each prefix do something so often, in constant memory, 128 KiB: in
// rare cases two of them share one.
type Rate struct {
	cost, most int64 // nanoseconds, of one and at once
	seed       maphash.Seed
	started    time.Time
	buckets    [1 << 14]Bucket
}

// NewRate returns a Rate of perSecond, and atOnce for whoever has waited.
func NewRate(perSecond, atOnce int) *Rate {
	cost := max(1, int64(time.Second)/int64(max(1, perSecond)))
	return &Rate{cost: cost, most: cost * int64(atOnce), seed: maphash.MakeSeed(), started: time.Now()}
}

func (p *Rate) of(a netip.Addr) (b *Bucket, now int64) {
	b = &p.buckets[maphash.Comparable(p.seed, Prefix(a))%uint64(len(p.buckets))]
	return b, int64(time.Since(p.started))
}

// Take reports whether a may do it once more now.
func (p *Rate) Take(a netip.Addr) bool {
	b, now := p.of(a)
	return b.Take(now, p.cost, p.most)
}

// May reports whether Take would.
func (p *Rate) May(a netip.Addr) bool {
	b, now := p.of(a)
	return b.May(now, p.cost, p.most)
}
