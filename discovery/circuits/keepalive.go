package circuits

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery/address"
	"anteroom/discovery/host"
)

const (
	// Relays in use are pinged every keepaliveEvery; nodes behind them, by who
	// called, every farEvery, which takes a third of a megabyte of a circuit's
	// eight in four hours. Without that it takes 30 s to notice that one is
	// gone.
	keepaliveEvery = 3 * time.Second
	farEvery       = 4 * keepaliveEvery
)

// keepAlive closes connections to relays in use, and through relays, whose
// other end has gone, until ctx ends.
func (r *Reservations) keepAlive(ctx context.Context, h *host.Host) {
	ticker := time.NewTicker(keepaliveEvery)
	defer ticker.Stop()
	var pings sync.WaitGroup
	defer pings.Wait()
	busy := make(map[peer.ID]bool)
	ended := make(chan peer.ID) // nobody is left to receive once ctx has ended
	for n := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case p := <-ended:
			delete(busy, p)
		case <-ticker.C:
			n += keepaliveEvery
			for p := range r.inUse(h, n%farEvery == 0) {
				if busy[p] {
					continue
				}
				busy[p] = true
				pings.Go(func() { // ends by CheckTime
					h.CheckPeer(ctx, p, host.CheckTime)
					select {
					case ended <- p:
					case <-ctx.Done():
					}
				})
			}
		}
	}
}

// inUse are the peers on whom circuits hang: relays, and those at the far
// end of one if wanted.
func (r *Reservations) inUse(h *host.Host, far bool) map[peer.ID]bool {
	lines := make(map[peer.ID]bool)
	for _, b := range r.list {
		if h.IsDirect(b.ID) {
			lines[b.ID] = true
		}
	}
	for _, c := range h.Network().Conns() {
		e, _ := address.Parse(c.RemoteMultiaddr())
		if e.Relay == "" {
			continue
		}
		lines[e.Relay] = true
		if p := c.RemotePeer(); far && c.Stat().Direction == network.DirOutbound && !h.IsDirect(p) {
			lines[p] = true
		}
	}
	return lines
}
