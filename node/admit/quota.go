package admit

import (
	"net/netip"
	"sync"
)

// A Quota counts who is there, in all and of each prefix.
type Quota struct {
	max, maxOf int

	mu  sync.Mutex
	all int
	of  Networks
}

// NewQuota returns an empty Quota for max, maxOf of them from one prefix.
func NewQuota(max, maxOf int) *Quota {
	return &Quota{max: max, maxOf: maxOf, of: make(Networks)}
}

// Enter reports whether one more may come, and if not, whether that is because
// there are too many in all. If so, Leave must follow.
func (c *Quota) Enter(a netip.Addr) (ok, full bool) {
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
func (c *Quota) Leave(a netip.Addr) {
	p := Prefix(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	c.of.Remove(p)
}

// Size returns how many are there.
func (c *Quota) Size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

// Most returns how many are there of the prefix that has most.
func (c *Quota) Most() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of.Most()
}
