// Package limit bounds what each peer may do: how often, and how much at a time.
package limit

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
)

// A Rate bounds how often each peer may do something: it holds a token bucket for
// each. Every and Burst are constant once it is used.
type Rate struct {
	Every time.Duration // one token
	Burst int

	mu    sync.Mutex
	peers map[peer.ID]*rate.Limiter
}

// maxLimited is how many buckets a Rate holds. Buckets that are full again are forgotten
// first, which loses nothing; more than this many peers at work within one
// burst are a flood, and its newcomers are refused.
const maxLimited = 4096

// NewRate lets every peer do something once in a while, and at first so often.
func NewRate(every time.Duration, burst int) *Rate {
	return &Rate{Every: every, Burst: burst, peers: make(map[peer.ID]*rate.Limiter)}
}

// Allow takes one of p's tokens and reports whether there was one.
func (l *Rate) Allow(p peer.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, ok := l.peers[p]
	if !ok {
		if len(l.peers) >= maxLimited {
			l.forgetLocked()
		}
		if len(l.peers) >= maxLimited {
			return false
		}
		bucket = rate.NewLimiter(rate.Every(l.Every), l.Burst)
		l.peers[p] = bucket
	}
	return bucket.Allow()
}

func (l *Rate) forgetLocked() {
	for p, bucket := range l.peers {
		if bucket.Tokens() >= float64(l.Burst) {
			delete(l.peers, p)
		}
	}
}

// A Count bounds how many things each peer has going on at the same time.
type Count struct {
	max func(peer.ID) int

	mu sync.Mutex
	n  map[peer.ID]int
}

// NewCount lets a peer have so many things going on.
func NewCount(limit func(peer.ID) int) *Count {
	return &Count{max: limit, n: make(map[peer.ID]int)}
}

// Enter reports whether p may have one more; if so, Leave must follow.
func (c *Count) Enter(p peer.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[p] >= c.max(p) {
		return false
	}
	c.n[p]++
	return true
}

// Leave says that one of those that p had has ended.
func (c *Count) Leave(p peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[p]--; c.n[p] == 0 {
		delete(c.n, p)
	}
}
