package discovery

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"

	"anteroom/discovery/address"
)

const (
	// Relays in use are pinged every pulseEvery; nodes behind them, by who
	// called, every farPulse, which takes a third of a megabyte of a circuit's
	// eight in four hours. Without a pulse it takes 30 s to notice that one is
	// gone.
	pulseEvery = 3 * time.Second
	farPulse   = 4 * pulseEvery
	pulseTime  = 4 * time.Second

	// roamPulse bounds the wait for the other end of a connection that may have
	// survived a change of addresses, at either end.
	roamPulse = 2 * time.Second
)

// keepPulse closes connections to relays in use, and through relays, whose
// other end has gone, until ctx ends.
func (d *Discovery) keepPulse(ctx context.Context) {
	ticker := time.NewTicker(pulseEvery)
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
			n += pulseEvery
			for p := range d.lifelines(n%farPulse == 0) {
				if busy[p] {
					continue
				}
				busy[p] = true
				pings.Go(func() { // ends by pulseTime
					d.feelPulse(ctx, p, pulseTime)
					select {
					case ended <- p:
					case <-ctx.Done():
					}
				})
			}
		}
	}
}

// lifelines are the peers on whom circuits hang: relays, and those at the far
// end of one if wanted.
func (d *Discovery) lifelines(far bool) map[peer.ID]bool {
	lines := make(map[peer.ID]bool)
	for _, b := range d.berths {
		if d.isDirect(b.ID) {
			lines[b.ID] = true
		}
	}
	for _, c := range d.host.Network().Conns() {
		e, _ := address.Parse(c.RemoteMultiaddr())
		if e.Relay == "" {
			continue
		}
		lines[e.Relay] = true
		if p := c.RemotePeer(); far && c.Stat().Direction == network.DirOutbound && !d.isDirect(p) {
			lines[p] = true
		}
	}
	return lines
}

// feelPulse closes those connections to p whose other end does not answer by
// limit.
func (d *Discovery) feelPulse(ctx context.Context, p peer.ID, limit time.Duration) {
	var pulses sync.WaitGroup
	for _, c := range d.host.Network().ConnsToPeer(p) {
		pulses.Go(func() { d.feelPulseOf(ctx, c, limit) })
	}
	pulses.Wait()
}

// feelPulseOf closes a connection if its other end does not answer by limit.
// Whoever refuses is alive.
func (d *Discovery) feelPulseOf(ctx context.Context, c network.Conn, limit time.Duration) {
	pinging, cancel := context.WithTimeout(network.WithAllowLimitedConn(ctx, "pulse"), limit)
	defer cancel()
	ask(pinging, c)
	if ctx.Err() != nil || !errors.Is(pinging.Err(), context.DeadlineExceeded) {
		return
	}
	p := c.RemotePeer()
	d.log.Debug("connection without life closed", "node", short(p))
	if len(d.directConns(p)) <= 1 {
		d.forgetCircuits(p)
	}
	_ = c.Close()
}

// ask returns when the other end of a connection has said anything, or the
// connection, or ctx, has ended. libp2p's own ping takes whichever of a peer's
// connections has the most streams.
func ask(ctx context.Context, c network.Conn) {
	s, err := c.NewStream(ctx)
	if err != nil {
		return
	}
	defer func() { _ = s.Reset() }()
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if s.SetProtocol(ping.ID) == nil && s.Scope().SetService(ping.ServiceName) == nil {
		_ = multistream.SelectProtoOrFail(ping.ID, s)
	}
}

// doubt has the pulse of connections felt in the background, of each once at a
// time.
func (d *Discovery) doubt(limit time.Duration, conns ...network.Conn) {
	for _, c := range conns {
		d.mu.Lock()
		busy := d.doubted[c.ID()]
		d.doubted[c.ID()] = true
		d.mu.Unlock()
		if busy || !d.enter() {
			continue
		}
		go func() { // ends by limit, or with the node
			defer d.handlers.Done()
			d.feelPulseOf(d.life, c, limit)
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.doubted, c.ID())
		}()
	}
}

// doubtOlder has the pulse felt of a peer's connections beside its newest: it
// may have come by that because it has moved and the others are dead, and until
// they are known to be, libp2p would go on opening streams on the one that has
// the most.
func (d *Discovery) doubtOlder(_ network.Network, newest network.Conn) {
	d.doubt(roamPulse, slices.DeleteFunc(d.host.Network().ConnsToPeer(newest.RemotePeer()), func(c network.Conn) bool { return c == newest })...)
}

// forgetCircuits forgets that peers with circuits through a relay can be had
// there, so that the next call does not begin with the relay that is gone.
func (d *Discovery) forgetCircuits(relay peer.ID) {
	for _, c := range d.host.Network().Conns() {
		if e, _ := address.Parse(c.RemoteMultiaddr()); e.Relay != relay {
			continue
		}
		stale := slices.DeleteFunc(d.host.Peerstore().Addrs(c.RemotePeer()), func(a ma.Multiaddr) bool {
			e, _ := address.Parse(a)
			return e.Relay != relay
		})
		d.host.Peerstore().SetAddrs(c.RemotePeer(), stale, 0)
	}
}
