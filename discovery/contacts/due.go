package contacts

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// A Contact that is down is dialled after a second, then after twice as
	// long each time, up to maxBackoff, give or take a fifth.
	minBackoff = time.Second
	maxBackoff = 2 * time.Minute

	// relayDelay and relayBackoff are the shortest and the longest wait for
	// relays, without which nobody gets here.
	relayDelay   = 250 * time.Millisecond
	relayBackoff = 2 * time.Second

	// lookAround is how often contacts are looked at when nothing is due.
	lookAround = 30 * time.Second
)

// Due returns the contacts to dial now, marked as being dialled, and when to
// ask again at the latest. wanted says of a contact whether it is missed.
func (b *Book) Due(now time.Time, wanted func(*Contact) bool) (due []Contact, next time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next = now.Add(lookAround)
	for _, c := range b.contacts {
		if c.dialing || len(c.AllAddrs()) == 0 || !wanted(c) {
			continue
		}
		if !c.next.After(now) {
			c.dialing = true
			due = append(due, *c)
		} else if c.next.Before(next) {
			next = c.next
		}
	}
	return due, next
}

// Dialling notes how a dial can be ended that has begun.
func (b *Book) Dialling(id peer.ID, giveUp context.CancelFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.contacts[id]; c != nil {
		c.giveUp = giveUp
	}
}

// GaveUp notes that a dial was ended, which says nothing about the peer.
func (b *Book) GaveUp(id peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.contacts[id]; c != nil {
		c.dialing, c.giveUp = false, nil
		b.tickLocked()
	}
}

// Dialled notes how a dial ended and returns how many in a row have failed.
func (b *Book) Dialled(id peer.ID, ok bool, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.contacts[id]
	if c == nil {
		return 0
	}
	c.dialing, c.giveUp = false, nil
	if ok {
		c.Failures = 0
	} else {
		longest := maxBackoff
		if c.Relay {
			longest = relayBackoff
		}
		c.next = now.Add(jitter(min(longest, minBackoff<<min(c.Failures, 10))))
		c.Failures++
	}
	b.tickLocked()
	return c.Failures
}

// Connected notes that a peer is there, whoever dialled.
func (b *Book) Connected(id peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.contacts[id]; c != nil {
		c.Failures, c.next = 0, time.Time{}
	}
}

// Lost notes that a connection is gone. The first dial follows in a moment,
// lest two nodes that lost each other dial at the same time.
func (b *Book) Lost(id peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.contacts[id]; c != nil {
		wait := minBackoff
		if c.Relay {
			wait = relayDelay
		}
		c.next = time.Now().Add(jitter(wait))
		b.tickLocked()
	}
}

// jitter returns d give or take a fifth.
func jitter(d time.Duration) time.Duration {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	span := uint64(d) * 2 / 5
	return d*4/5 + time.Duration(binary.BigEndian.Uint64(b[:])%(span+1))
}

// Hurry makes contacts that could not be reached due, and gives up dials that
// have not got anywhere: what was in the way may have been the network that this
// node has left.
func (b *Book) Hurry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.contacts {
		if c.Failures > 0 || c.dialing {
			c.next = time.Time{}
		}
		if c.giveUp != nil {
			c.giveUp()
		}
	}
	b.tickLocked()
}
