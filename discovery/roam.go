package discovery

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"anteroom/discovery/address"
	"anteroom/discovery/host"
)

const (
	// roamEvery is how often this computer's own addresses are looked at.
	// libp2p does so once a minute, for which a laptop that has changed
	// networks would publish where it was.
	roamEvery = time.Second

	// staleFor is for how long libp2p may go on naming an address that is gone.
	staleFor = 70 * time.Second

	// slept is how much longer than it seems to be a step must have taken for
	// the computer to have been asleep meanwhile: Go's timers stand still then.
	slept = 3 * time.Second
)

// An outlook is what this node knows of its computer's own addresses, more
// recently than libp2p does.
type outlook struct {
	own  []ma.Multiaddr           // of the interfaces, without ports
	gone map[netip.Addr]time.Time // since when; for staleFor
}

// keepRoaming follows the addresses of the computer's interfaces until ctx
// ends. When they change, or when the computer has slept, it tells those who
// watch, and lets go of connections that may have died of it: neither end would
// notice for long.
func (d *Discovery) keepRoaming(ctx context.Context) {
	var pulses sync.WaitGroup
	defer pulses.Wait()
	tick := time.NewTicker(roamEvery)
	defer tick.Stop()
	last, lastWall := time.Now(), d.wall()
	for first := true; ; first = false {
		now, wall := time.Now(), d.wall()
		woken := wall.Sub(lastWall)-now.Sub(last) > slept
		last, lastWall = now, wall
		if own, err := d.interfaces(); err == nil {
			if changed, gone := d.lookOut(own, now); (changed || woken) && !first {
				d.log.Info("own addresses changed, or the computer has slept")
				d.letGo(ctx, gone, &pulses)
				d.book.Hurry()
				d.moved.ring()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookOut notes the computer's addresses, and reports whether they are others
// than before and which of those are gone.
func (d *Discovery) lookOut(own []ma.Multiaddr, now time.Time) (changed bool, gone map[netip.Addr]bool) {
	own = slices.DeleteFunc(own, manet.IsIP6LinkLocal)
	d.mu.Lock()
	defer d.mu.Unlock()
	v := &d.outlook
	for a, since := range v.gone {
		if now.Sub(since) > staleFor {
			delete(v.gone, a)
		}
	}
	slices.SortFunc(own, ma.Multiaddr.Compare)
	if slices.EqualFunc(own, v.own, ma.Multiaddr.Equal) {
		return false, nil
	}
	gone = make(map[netip.Addr]bool)
	for _, a := range v.own {
		gone[address.IP(a)] = true
	}
	for _, a := range own {
		delete(gone, address.IP(a))
		delete(v.gone, address.IP(a))
	}
	for a := range gone {
		v.gone[a] = now
	}
	v.own = own
	return true, gone
}

// renew returns addresses of this node as libp2p knows them, without those
// that are gone and with those that are new.
func (d *Discovery) renew(addrs []ma.Multiaddr) []ma.Multiaddr {
	d.mu.Lock()
	own := d.outlook.own
	addrs = slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool {
		_, gone := d.outlook.gone[address.IP(a)]
		return gone
	})
	d.mu.Unlock()
	return append(addrs, d.listening(own)...)
}

// listening returns where this node listens if its computer has these
// addresses, and nothing if it has none.
func (d *Discovery) listening(own []ma.Multiaddr) []ma.Multiaddr {
	if len(own) == 0 {
		return nil
	}
	addrs, err := manet.ResolveUnspecifiedAddresses(address.Direct(d.host.Network().ListenAddresses()), own)
	if err != nil {
		return nil // it does not listen
	}
	return addrs
}

// letGo closes connections from addresses that are gone. Others may have died
// with the network, or go on: over QUIC even from another address. Their pulses
// are felt, by goroutines that pulses counts and that end by QuickCheckTime.
func (d *Discovery) letGo(ctx context.Context, gone map[netip.Addr]bool, pulses *sync.WaitGroup) {
	for _, c := range d.host.Network().Conns() {
		switch {
		case address.IsCircuit(c.RemoteMultiaddr()): // ends with the connection to its relay
		case gone[address.IP(c.LocalMultiaddr())]:
			pulses.Go(func() { _ = c.Close() }) // may wait for what was being sent
		default:
			pulses.Go(func() { d.host.Check(ctx, c, host.QuickCheckTime) })
		}
	}
}
