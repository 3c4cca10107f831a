package discovery

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery/contacts"
	"anteroom/discovery/host"
)

// contactTime bounds dialling a contact in the background.
const contactTime = 10 * time.Second

// keepConnected dials contacts that are due until ctx ends. Dials do not wait
// for each other; each ends by contactTime.
func (d *Discovery) keepConnected(ctx context.Context) {
	var dials sync.WaitGroup
	defer dials.Wait()
	for {
		now := time.Now()
		due, next := d.book.Due(now, func(c *contacts.Contact) bool {
			if c.Relay {
				return !d.host.IsDirect(c.ID)
			}
			return !d.Connected(c.ID) && !(c.Bootstrap && d.dht.RoutingTable().Size() > 0)
		})
		for _, c := range due {
			dials.Go(func() { d.dial(ctx, c) })
		}
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-d.book.Changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// dial opens a connection to a contact, for its own sake.
func (d *Discovery) dial(ctx context.Context, c contacts.Contact) {
	ctx, cancel := context.WithTimeout(ctx, contactTime)
	defer cancel()
	d.book.Dialling(c.ID, cancel)
	start := time.Now()
	d.host.ClearBackoff(c.ID) // ours is kinder to a peer that comes back
	err := d.host.Connect(network.WithAllowLimitedConn(ctx, "keep connected"), peer.AddrInfo{
		ID:    c.ID,
		Addrs: d.host.Dialable(c.ID, c.AllAddrs()),
	})
	if ctx.Err() == context.Canceled { // by hurry, or this is the end
		d.book.GaveUp(c.ID)
		return
	}
	switch failures := d.book.Dialled(c.ID, err == nil, time.Now()); {
	case err == nil:
		d.log.Info("peer connected", "node", host.Short(c.ID), "dur", time.Since(start))
	case failures == 1:
		d.log.Warn("peer not reachable", "node", host.Short(c.ID), "err", err)
	case failures >= maxLANFailures && d.book.DropNeighbour(c.ID):
		d.neighbours.forget(c.ID)
	}
}
