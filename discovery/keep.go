package discovery

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// A contact that is down is dialled after a second, then after twice as
	// long each time, up to maxBackoff, give or take a fifth.
	minBackoff = time.Second
	maxBackoff = 2 * time.Minute

	// relayDelay and relayBackoff are the shortest and the longest wait for
	// relays, without which nobody gets here.
	relayDelay   = 250 * time.Millisecond
	relayBackoff = 2 * time.Second

	// contactTime bounds dialling a contact in the background.
	contactTime = 10 * time.Second

	// lookAround is how often contacts are looked at when nothing is due.
	lookAround = 30 * time.Second
)

// keepConnected dials contacts that are due until ctx ends. Dials do not wait
// for each other; each ends by contactTime.
func (d *Discovery) keepConnected(ctx context.Context) {
	var dials sync.WaitGroup
	defer dials.Wait()
	for {
		now := time.Now()
		due, next := d.book.due(now, func(c *contact) bool {
			if c.relay {
				return !d.isDirect(c.ID)
			}
			return !d.Connected(c.ID) && !(c.bootstrap && d.dht.RoutingTable().Size() > 0)
		})
		for _, c := range due {
			dials.Go(func() { d.dial(ctx, c) })
		}
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-d.book.changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// dial opens a connection to a contact, for its own sake.
func (d *Discovery) dial(ctx context.Context, c contact) {
	ctx, cancel := context.WithTimeout(ctx, contactTime)
	defer cancel()
	d.book.dials(c.ID, cancel)
	start := time.Now()
	d.clearBackoff(c.ID) // ours is kinder to a peer that comes back
	err := d.host.Connect(network.WithAllowLimitedConn(ctx, "keep connected"), peer.AddrInfo{
		ID:    c.ID,
		Addrs: d.dialable(c.ID, c.addrs()),
	})
	if ctx.Err() == context.Canceled { // by hurry, or this is the end
		d.book.gaveUp(c.ID)
		return
	}
	switch failures := d.book.dialled(c.ID, err == nil, time.Now()); {
	case err == nil:
		d.log.Info("peer connected", "node", short(c.ID), "dur", time.Since(start))
	case failures == 1:
		d.log.Warn("peer not reachable", "node", short(c.ID), "err", err)
	case failures >= maxLANFailures && d.book.dropNeighbour(c.ID):
		d.gater.lan.forget(c.ID)
	}
}

// due returns the contacts to dial now, marked as being dialled, and when to
// ask again at the latest. wanted says of a contact whether it is missed.
func (b *book) due(now time.Time, wanted func(*contact) bool) (due []contact, next time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next = now.Add(lookAround)
	for _, c := range b.contacts {
		if c.dialing || len(c.addrs()) == 0 || !wanted(c) {
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

// dials notes how a dial can be ended that has begun.
func (b *book) dials(id peer.ID, giveUp context.CancelFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.contacts[id]; c != nil {
		c.giveUp = giveUp
	}
}

// gaveUp notes that a dial was ended, which says nothing about the peer.
func (b *book) gaveUp(id peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.contacts[id]; c != nil {
		c.dialing, c.giveUp = false, nil
		b.tickLocked()
	}
}

// dialled notes how a dial ended and returns how many in a row have failed.
func (b *book) dialled(id peer.ID, ok bool, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.contacts[id]
	if c == nil {
		return 0
	}
	c.dialing, c.giveUp = false, nil
	if ok {
		c.failures = 0
	} else {
		longest := maxBackoff
		if c.relay {
			longest = relayBackoff
		}
		c.next = now.Add(jitter(min(longest, minBackoff<<min(c.failures, 10))))
		c.failures++
	}
	b.tickLocked()
	return c.failures
}

// connected notes that a peer is there, whoever dialled.
func (b *book) connected(id peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.contacts[id]; c != nil {
		c.failures, c.next = 0, time.Time{}
	}
}

// lost notes that a connection is gone. The first dial follows in a moment,
// lest two nodes that lost each other dial at the same time.
func (b *book) lost(id peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.contacts[id]; c != nil {
		wait := minBackoff
		if c.relay {
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
