// Package admit bounds what strangers take of something that many share: so
// much in all, and so much for each customer of a provider, since whoever has
// one address has its neighbours.
package admit

import (
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Prefix is what one customer of a provider usually has.
func Prefix(a netip.Addr) netip.Prefix {
	bits := 56
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits) // fails for too many bits only
	return p
}

// Addr is the address of a connection's far end. Those without one are all
// taken for the same.
func Addr(a net.Addr) netip.Addr {
	at, _ := netip.ParseAddrPort(a.String())
	return at.Addr()
}

// A Crowd counts who is there, in all and of each prefix.
type Crowd struct {
	max, maxOf int

	mu  sync.Mutex
	all int
	of  map[netip.Prefix]int
}

// New returns an empty Crowd for max, maxOf of them from one prefix.
func New(max, maxOf int) *Crowd {
	return &Crowd{max: max, maxOf: maxOf, of: make(map[netip.Prefix]int)}
}

// Enter reports whether one more may come, and if not, whether that is because
// there are too many in all. If so, Leave must follow.
func (c *Crowd) Enter(a netip.Addr) (ok, full bool) {
	p := Prefix(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[p] >= c.maxOf {
		return false, false
	}
	if c.all >= c.max {
		return false, true
	}
	c.all++
	c.of[p]++
	return true, false
}

// Leave takes one who entered out again.
func (c *Crowd) Leave(a netip.Addr) {
	p := Prefix(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.of[p]--; c.of[p] == 0 {
		delete(c.of, p)
	}
}

// Size returns how many are there.
func (c *Crowd) Size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

// Most returns how many are there of the prefix that has most.
func (c *Crowd) Most() (most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.of {
		most = max(most, n)
	}
	return most
}

// A Pace lets each prefix do something so often, in constant memory: in rare
// cases two of them share one.
type Pace struct {
	cost, most int64 // nanoseconds, of one and at once
	seed       maphash.Seed
	started    time.Time

	// paid is the moment until which what has passed is paid for, in nanoseconds
	// since started.
	paid [1 << 10]atomic.Int64
}

// NewPace returns a Pace of perSecond, and atOnce for whoever has waited.
func NewPace(perSecond, atOnce int) *Pace {
	cost := int64(time.Second) / int64(perSecond)
	return &Pace{cost: cost, most: cost * int64(atOnce), seed: maphash.MakeSeed(), started: time.Now()}
}

func (p *Pace) of(a netip.Addr) *atomic.Int64 {
	return &p.paid[maphash.Comparable(p.seed, Prefix(a))%uint64(len(p.paid))]
}

// may reports whether Take would.
func (p *Pace) may(a netip.Addr) bool {
	now := int64(time.Since(p.started))
	return max(p.of(a).Load(), now)+p.cost-now <= p.most
}

// Take reports whether a may do it once more now.
func (p *Pace) Take(a netip.Addr) bool {
	paid := p.of(a)
	now := int64(time.Since(p.started))
	for {
		was := paid.Load()
		is := max(was, now) + p.cost
		if is-now > p.most {
			return false
		}
		if paid.CompareAndSwap(was, is) {
			return true
		}
	}
}
