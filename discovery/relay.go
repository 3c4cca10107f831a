package discovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
	"anteroom/discovery/admission"
	"anteroom/discovery/host"
	"anteroom/discovery/limit"
)

const (
	// circuitsPerCaller is how many of them one caller may have, and
	// callsPerMinute how often it may ask for one. A gateway needs one for each
	// node that it has guests for.
	circuitsPerCaller = 16
	callsPerMinute    = 60

	// maxClients bounds Config.RelayFor.
	maxClients = 256

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

// circuitLimit is what one circuit may carry: signalling for a day of
// consultations, and no call. libp2p's limits, 128 KiB and 2 minutes, would
// cut off whoever waits in a waiting room.
var circuitLimit = relay.RelayLimit{Duration: 4 * time.Hour, Data: 8 << 20}

// newRelay starts the relay service, for cfg.RelayFor alone. Limits by address
// or network, which keep strangers from taking all places, would only hurt:
// one provider's customers can share an address.
func (d *Discovery) newRelay(cfg Config) (*relay.Relay, error) {
	if len(cfg.RelayFor) > maxClients {
		return nil, fmt.Errorf("for more than %d nodes", maxClients)
	}
	for _, p := range cfg.RelayFor {
		if p.Validate() != nil || p == d.ID() {
			return nil, errors.New("for a node without ID, or for itself")
		}
	}
	each := circuitLimit
	if env := cfg.environment; env != nil && env.circuit.Data != 0 {
		each = env.circuit
	}
	clients := len(cfg.RelayFor)
	d.gater.Manager.Serve(proto.ProtoIDv2Hop, relay.StreamTimeout)
	return relay.New(d.host,
		relay.WithACL(&accessList{
			clients: setOf(cfg.RelayFor),
			network: d.host.Network(),
			calls:   limit.NewRate(time.Minute/callsPerMinute, circuitsPerCaller),
		}),
		relay.WithResources(relay.Resources{
			Limit:                 &each,
			ReservationTTL:        time.Hour,
			MaxReservations:       clients,
			MaxReservationsPerIP:  clients,
			MaxReservationsPerASN: clients,
			MaxCircuits:           admission.CircuitsPerPeer,
			BufferSize:            4 << 10, // twice for each circuit
		}),
		relay.WithReservationAddressFilter(func(a ma.Multiaddr) bool {
			return !address.IsCircuit(a) && address.ReachOf(a).Allowed(cfg.AllowPrivate)
		}),
	)
}

// An accessList holds those that a relay serves. Whoever knows where they are
// may call them: that is what they are there for.
type accessList struct {
	clients map[peer.ID]bool // never changes
	network network.Network
	calls   *limit.Rate
}

var _ relay.ACLFilter = (*accessList)(nil)

// AllowReserve implements relay.ACLFilter. A client that comes from another
// address than before has moved, and callers must not be sent to where it was:
// that connection would swallow them until it is known to be dead.
func (l *accessList) AllowReserve(p peer.ID, from ma.Multiaddr) bool {
	if !l.clients[p] {
		return false
	}
	for _, c := range l.network.ConnsToPeer(p) {
		a := c.RemoteMultiaddr()
		if c.Stat().Direction == network.DirInbound && !address.IsCircuit(a) && !a.Equal(from) {
			_ = c.Close()
		}
	}
	return true
}

// AllowConnect implements relay.ACLFilter. libp2p has one bound for callers and
// called; theirs must be lower, lest one caller take all places of a client.
func (l *accessList) AllowConnect(from peer.ID, _ ma.Multiaddr, to peer.ID) bool {
	if !l.clients[to] || !l.calls.Allow(from) {
		return false
	}
	circuits := 0
	for _, c := range l.network.ConnsToPeer(from) {
		for _, s := range c.GetStreams() {
			if s.Protocol() == proto.ProtoIDv2Hop { // each is one, this call included
				circuits++
			}
		}
	}
	return circuits <= circuitsPerCaller
}

// A reservation is this node's place at one of its relays.
type reservation struct {
	PeerInfo               // as configured
	wake     chan struct{} // ticks when the connection came or went; full: a tick is waiting

	// guarded by Discovery.mu
	addrs   []ma.Multiaddr // at which the relay takes calls for us; none: it does not
	expires time.Time
	refused bool
}

func newReservations(relays []PeerInfo) (list []*reservation) {
	for _, r := range relays {
		list = append(list, &reservation{PeerInfo: r, wake: make(chan struct{}, 1)})
	}
	return list
}

// circuits are the addresses of this node at its relays: of every relay the
// best, then of every relay the next.
func (d *Discovery) circuits() (circuits []ma.Multiaddr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range addrsPerRelay {
		for _, b := range d.reservations {
			if i < len(b.addrs) {
				circuits = append(circuits, b.addrs[i])
			}
		}
	}
	return circuits
}

// keepReservation keeps a place at one relay until ctx ends; keepConnected keeps the
// connection. libp2p's AutoRelay would do it for a crowd of strangers: it dials
// as soon as it is made, asks relays in turn, and a relay that died takes it
// the time of a connection to notice.
func (d *Discovery) keepReservation(ctx context.Context, b *reservation) {
	defer d.note(b, nil, time.Time{}, false)
	var renew time.Time // the reservation is good until then
	var used []string   // if one of these connections lasts
	for {
		wait := keepaliveEvery // the end of one connection and the start of the next can pass unseen
		now := time.Now()
		conns := d.host.DirectConns(b.ID)
		switch {
		case len(conns) == 0:
			d.note(b, nil, time.Time{}, false)
		case now.Before(renew) && slices.ContainsFunc(conns, func(id string) bool { return slices.Contains(used, id) }):
		default:
			var err error
			used = conns
			if renew, err = d.reserve(ctx, b); refused(err) {
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
func (d *Discovery) reserve(ctx context.Context, b *reservation) (renew time.Time, err error) {
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "reserve"), host.RelayTime)
	defer cancel()
	r, err := client.Reserve(ctx, d.host, peer.AddrInfo{ID: b.ID})
	if err != nil {
		if d.note(b, nil, time.Time{}, refused(err)) {
			d.log.Warn("relay takes no calls for this node", "node", host.Short(b.ID), "err", err)
		}
		return time.Time{}, err
	}
	circuit, err := ma.NewMultiaddr("/p2p/" + b.ID.String() + "/p2p-circuit")
	if err != nil {
		return time.Time{}, fmt.Errorf("name relay: %w", err)
	}
	var addrs []ma.Multiaddr
	for _, a := range slices.Concat(r.Addrs, b.Addrs) {
		if direct, _ := peer.SplitAddr(a); direct != nil && !address.IsCircuit(direct) {
			addrs = append(addrs, direct.Encapsulate(circuit))
		}
	}
	addrs = address.Pick(addrs, d.allowPrivate, addrsPerRelay)
	if d.note(b, addrs, r.Expiration, false) {
		d.log.Info("relay takes calls for this node", "node", host.Short(b.ID))
	}
	now := time.Now()
	return now.Add(min(renewEvery, max(minRenewal, r.Expiration.Sub(now)/2))), nil
}

// refused reports whether a relay answered, and said no.
func refused(err error) bool {
	var reason client.ReservationError
	return errors.As(err, &reason) &&
		(reason.Status == pb.Status_PERMISSION_DENIED || reason.Status == pb.Status_RESERVATION_REFUSED)
}

// note notes how things stand at a relay, tells those who watch addresses
// if they changed, and reports whether there is news.
func (d *Discovery) note(b *reservation, addrs []ma.Multiaddr, expires time.Time, refused bool) (news bool) {
	d.mu.Lock()
	moved := !slices.EqualFunc(b.addrs, addrs, ma.Multiaddr.Equal)
	news = moved || b.refused != refused
	b.addrs, b.expires, b.refused = addrs, expires, refused
	d.mu.Unlock()
	if moved {
		d.moved.ring()
	}
	return news
}

func idsOf(peers []PeerInfo) (ids []peer.ID) {
	for _, p := range peers {
		ids = append(ids, p.ID)
	}
	return ids
}

func setOf(ids []peer.ID) map[peer.ID]bool {
	set := make(map[peer.ID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}
