package reach

import (
	"context"
	"log/slog"
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
	// lookEvery is how often this computer's own addresses are looked at.
	// libp2p does so once a minute, for which a laptop that has changed
	// networks would publish where it was.
	lookEvery = time.Second

	// staleFor is for how long libp2p may go on naming an address that is gone.
	staleFor = 70 * time.Second

	// slept is how much longer than it seems to be a step must have taken for
	// the computer to have been asleep meanwhile: Go's timers stand still then.
	slept = 3 * time.Second
)

// A Roamer follows the addresses of the computer's interfaces, which it knows more
// recently than libp2p does.
type Roamer struct {
	Interfaces func() ([]ma.Multiaddr, error) // of this computer
	Wall       func() time.Time               // goes on while this computer sleeps
	Moved      func()                         // called when addresses have changed, or the computer has slept
	Log        *slog.Logger

	mu   sync.Mutex
	own  []ma.Multiaddr           // of the interfaces, without ports
	gone map[netip.Addr]time.Time // since when; for staleFor
}

// Run follows the addresses of the computer's interfaces until ctx ends. When they
// change, or when the computer has slept, it calls Moved, and lets go of connections that may have died of it: neither end would
// notice for long.
func (r *Roamer) Run(ctx context.Context, h *host.Host) {
	var checks sync.WaitGroup
	defer checks.Wait()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last, lastWall := time.Now(), r.Wall()
	for first := true; ; first = false {
		now, wall := time.Now(), r.Wall()
		woken := wall.Sub(lastWall)-now.Sub(last) > slept
		last, lastWall = now, wall
		if own, err := r.Interfaces(); err == nil {
			if changed, gone := r.lookOut(own, now); (changed || woken) && !first {
				r.Log.Info("own addresses changed, or the computer has slept")
				letGo(ctx, h, gone, &checks)
				r.Moved()
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
func (r *Roamer) lookOut(own []ma.Multiaddr, now time.Time) (changed bool, gone map[netip.Addr]bool) {
	own = slices.DeleteFunc(own, manet.IsIP6LinkLocal)
	r.mu.Lock()
	defer r.mu.Unlock()
	for a, since := range r.gone {
		if now.Sub(since) > staleFor {
			delete(r.gone, a)
		}
	}
	slices.SortFunc(own, ma.Multiaddr.Compare)
	if slices.EqualFunc(own, r.own, ma.Multiaddr.Equal) {
		return false, nil
	}
	gone = make(map[netip.Addr]bool)
	for _, a := range r.own {
		gone[address.IP(a)] = true
	}
	for _, a := range own {
		delete(gone, address.IP(a))
		delete(r.gone, address.IP(a))
	}
	if r.gone == nil {
		r.gone = make(map[netip.Addr]time.Time)
	}
	for a := range gone {
		r.gone[a] = now
	}
	r.own = own
	return true, gone
}

// Renew returns addresses of this node as libp2p knows them, without those
// that are gone and with those that are new.
func (r *Roamer) Renew(h *host.Host, addrs []ma.Multiaddr) []ma.Multiaddr {
	r.mu.Lock()
	own := r.own
	addrs = slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool {
		_, gone := r.gone[address.IP(a)]
		return gone
	})
	r.mu.Unlock()
	return append(addrs, Listening(h, own)...)
}

// Listening returns where a node listens if its computer has these
// addresses, and nothing if it has none.
func Listening(h *host.Host, own []ma.Multiaddr) []ma.Multiaddr {
	if len(own) == 0 {
		return nil
	}
	addrs, err := manet.ResolveUnspecifiedAddresses(address.Direct(h.Network().ListenAddresses()), own)
	if err != nil {
		return nil // it does not listen
	}
	return addrs
}

// letGo closes connections from addresses that are gone. Others may have died
// with the network, or go on: over QUIC even from another address. They
// are checked, by goroutines that checks counts and that end by QuickCheckTime.
func letGo(ctx context.Context, h *host.Host, gone map[netip.Addr]bool, checks *sync.WaitGroup) {
	for _, c := range h.Network().Conns() {
		switch {
		case address.IsCircuit(c.RemoteMultiaddr()): // ends with the connection to its relay
		case gone[address.IP(c.LocalMultiaddr())]:
			checks.Go(func() { _ = c.Close() }) // may wait for what was being sent
		default:
			checks.Go(func() { h.Check(ctx, c, host.QuickCheckTime) })
		}
	}
}
