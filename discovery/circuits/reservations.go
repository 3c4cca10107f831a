package circuits

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
	"anteroom/discovery/contacts"
	"anteroom/discovery/host"
)

const (
	// A reservation is renewed every renewEvery, although it lasts an hour: a relay
	// that has forgotten it does not say so.
	renewEvery = 10 * time.Minute

	// minRenewal is the shortest wait before a reservation is renewed.
	minRenewal = 2 * time.Second

	// refusedFor is how long a relay that refused is left alone: its operator
	// has to change something first.
	refusedFor = time.Minute

	// addrsPerRelay is in how many ways one relay is named to others.
	addrsPerRelay = 4
)

// Reservations are a node's places at all of its relays.
type Reservations struct {
	allowPrivate bool
	changed      func()         // called when Addrs returns something else
	list         []*reservation // never changes
	log          *slog.Logger

	mu sync.Mutex // guards what changes of the reservations
}

// A Status says how things stand at one relay.
type Status struct {
	contacts.Info
	Connected bool      // directly
	Reserved  bool      // it takes calls for this node
	Until     time.Time // if Reserved: unless renewed, which happens long before
	Refused   bool      // it said no: its operator must put this node on the list
}

// A reservation is this node's place at one of its relays.
type reservation struct {
	contacts.Info               // as configured
	wake          chan struct{} // ticks when the connection came or went; full: a tick is waiting

	// guarded by Reservations.mu
	addrs   []ma.Multiaddr // at which the relay takes calls for us; none: it does not
	expires time.Time
	refused bool
}

// NewReservations is for a node with these relays. changed is called when it gains
// or loses an address at one of them.
func NewReservations(relays []contacts.Info, allowPrivate bool, log *slog.Logger, changed func()) *Reservations {
	r := &Reservations{allowPrivate: allowPrivate, changed: changed, log: log}
	for _, info := range relays {
		r.list = append(r.list, &reservation{Info: info, wake: make(chan struct{}, 1)})
	}
	return r
}

// Addrs are the addresses of this node at its relays: of every relay the
// best, then of every relay the next.
func (r *Reservations) Addrs() (circuits []ma.Multiaddr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range addrsPerRelay {
		for _, b := range r.list {
			if i < len(b.addrs) {
				circuits = append(circuits, b.addrs[i])
			}
		}
	}
	return circuits
}

// Status says how things stand at the relays, in the order in which they were given.
func (r *Reservations) Status(h *host.Host) (list []Status) {
	for _, b := range r.list {
		s := Status{Info: b.Info, Connected: h.IsDirect(b.ID)}
		r.mu.Lock()
		s.Reserved, s.Until, s.Refused = len(b.addrs) > 0, b.expires, b.refused
		r.mu.Unlock()
		list = append(list, s)
	}
	return list
}

// Heed says that a connection to p came or went.
func (r *Reservations) Heed(p peer.ID) {
	for _, b := range r.list {
		if b.ID != p {
			continue
		}
		select {
		case b.wake <- struct{}{}:
		default: // a tick is waiting already
		}
	}
}

// Run keeps a place at every relay, and the connections alive on which circuits
// hang, until ctx ends.
func (r *Reservations) Run(ctx context.Context, h *host.Host) {
	var wg sync.WaitGroup
	wg.Go(func() { r.keepAlive(ctx, h) }) // this and the following end with ctx
	for _, b := range r.list {
		wg.Go(func() { r.keep(ctx, h, b) })
	}
	wg.Wait()
}

// keep keeps a place at one relay until ctx ends; others keep the connection. libp2p's AutoRelay would do it for a crowd of strangers: it dials
// as soon as it is made, asks relays in turn, and a relay that died takes it
// the time of a connection to notice.
func (r *Reservations) keep(ctx context.Context, h *host.Host, b *reservation) {
	defer r.note(b, nil, time.Time{}, false)
	var renew time.Time // the reservation is good until then
	var used []string   // if one of these connections lasts
	for {
		wait := keepaliveEvery // the end of one connection and the start of the next can pass unseen
		now := time.Now()
		conns := h.DirectConns(b.ID)
		switch {
		case len(conns) == 0:
			r.note(b, nil, time.Time{}, false)
		case now.Before(renew) && slices.ContainsFunc(conns, func(id string) bool { return slices.Contains(used, id) }):
		default:
			var err error
			used = conns
			if renew, err = r.reserve(ctx, h, b); refused(err) {
				wait = refusedFor
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-b.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// reserve asks a relay to take calls for this node and returns when to ask
// again.
func (r *Reservations) reserve(ctx context.Context, h *host.Host, b *reservation) (renew time.Time, err error) {
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "reserve"), host.RelayTime)
	defer cancel()
	reserved, err := client.Reserve(ctx, h, peer.AddrInfo{ID: b.ID})
	if err != nil {
		if r.note(b, nil, time.Time{}, refused(err)) {
			r.log.Warn("relay takes no calls for this node", "node", host.Short(b.ID), "err", err)
		}
		return time.Time{}, err
	}
	circuit, err := ma.NewMultiaddr("/p2p/" + b.ID.String() + "/p2p-circuit")
	if err != nil {
		return time.Time{}, fmt.Errorf("name relay: %w", err)
	}
	var addrs []ma.Multiaddr
	for _, a := range slices.Concat(reserved.Addrs, b.Addrs) {
		if direct, _ := peer.SplitAddr(a); direct != nil && !address.IsCircuit(direct) {
			addrs = append(addrs, direct.Encapsulate(circuit))
		}
	}
	addrs = address.Pick(addrs, r.allowPrivate, addrsPerRelay)
	if r.note(b, addrs, reserved.Expiration, false) {
		r.log.Info("relay takes calls for this node", "node", host.Short(b.ID))
	}
	now := time.Now()
	return now.Add(min(renewEvery, max(minRenewal, reserved.Expiration.Sub(now)/2))), nil
}

// refused reports whether a relay answered, and said no.
func refused(err error) bool {
	var reason client.ReservationError
	return errors.As(err, &reason) &&
		(reason.Status == pb.Status_PERMISSION_DENIED || reason.Status == pb.Status_RESERVATION_REFUSED)
}

// note notes how things stand at a relay, tells those who watch addresses
// if they changed, and reports whether there is news.
func (r *Reservations) note(b *reservation, addrs []ma.Multiaddr, expires time.Time, refused bool) (news bool) {
	r.mu.Lock()
	moved := !slices.EqualFunc(b.addrs, addrs, ma.Multiaddr.Equal)
	news = moved || b.refused != refused
	b.addrs, b.expires, b.refused = addrs, expires, refused
	r.mu.Unlock()
	if moved {
		r.changed()
	}
	return news
}
