// Package node is one member of the federation: it serves the rooms of its own
// practice and carries its visitors to the rooms of others.
//
// Join and Accept, in join.go, are the whole signalling path.
package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"anteroom/discovery"
	"anteroom/node/find"
	"anteroom/node/lend"
	"anteroom/node/practice"
	"anteroom/node/room"
	"anteroom/rendezvous"
	"anteroom/rendezvous/wire"
)

// signalProtocol carries a guest's frames from a gateway to the home node.
// PROTOCOL.md, "Carrying".
const signalProtocol = "/anteroom/signal/1"

// sweepEvery is how often rooms that nobody uses and invites that are over are
// cleared away.
const sweepEvery = time.Minute

// patienceAfter is how long after the window somebody may go on waiting for a
// practitioner who does not have the room open. PROTOCOL.md, "Joining".
const patienceAfter = 5 * time.Minute

// Config is what a Node is made of. Practice, Discovery and Log are required.
type Config struct {
	Practice  *practice.Practice
	Discovery *discovery.Discovery
	Log       *slog.Logger

	// Relay is this node's own. Nil: it has none.
	Relay lend.Relay

	// LendTo are the nodes whose calls may use the relay here, Lenders those
	// whose relays calls from here may use.
	LendTo, Lenders []peer.ID

	// GuestsOf are the nodes whose guests may come in through this node's
	// public page: who serves a page could change it.
	GuestsOf []peer.ID

	// Gateways are the nodes of the practice, which are told of its invites.
	Gateways []peer.ID

	// Searches bounds what links that no home node has told of may cost.
	Searches find.Searches

	// DHTOnly leaves the direct question to peers out of look-ups.
	DHTOnly bool
}

// A Node is one running member of the federation.
type Node struct {
	practice  *practice.Practice
	discovery *discovery.Discovery
	log       *slog.Logger
	gateways  []peer.ID
	finder    *find.Finder
	publisher *find.Publisher
	teller    *find.Teller
	relays    *lend.Relays
	tests     pathTests

	mu       sync.Mutex
	rooms    map[string]*openRoom
	changed  map[chan struct{}]bool // one per Watch, capacity 1: a tick is enough
	lifetime context.Context        // of what outlives a request: ends with Run
	stop     context.CancelCauseFunc
}

// An openRoom is a room and how many connections use it; guarded by the
// Node's mu.
type openRoom struct {
	*room.Room
	users  int
	pseud  string    // what logs call it
	owner  string    // whose it is: a practitioner
	ends   time.Time // as planned
	closes time.Time // the end of the window
}

// New returns a node that answers its peers' questions and guests at once.
func New(cfg Config) *Node {
	p, d, log := cfg.Practice, cfg.Discovery, cfg.Log
	n := &Node{
		practice: p, discovery: d, log: log, gateways: cfg.Gateways,
		finder:    find.NewFinder(find.Config{Network: d, Now: p.Now, Log: log, GuestsOf: cfg.GuestsOf, Searches: cfg.Searches, DHTOnly: cfg.DHTOnly}),
		publisher: find.NewPublisher(d, log),
		teller:    find.NewTeller(d, p, log),
		rooms:     make(map[string]*openRoom),
		changed:   make(map[chan struct{}]bool),
	}
	n.relays = lend.NewRelays(cfg.Relay, lend.NewBorrower(d, cfg.Lenders, n.tick, log), p.Now)
	n.lifetime, n.stop = context.WithCancelCause(context.Background())
	d.SetFinder(n.isMine)
	d.Handle(find.MineProtocol, n.finder.Hear)
	d.Handle(lend.Protocol, lend.NewLender(cfg.Relay, cfg.LendTo).Serve)
	d.Handle(signalProtocol, func(ctx context.Context, s network.Stream) {
		if err := n.Accept(ctx, rendezvous.Stream(s)); err != nil {
			log.Debug("guest from another node left", "err", err)
		}
	})
	return n
}

// Run works until ctx ends: it keeps records of open appointments in the DHT
// and clears away what is over. It returns when everything it started has.
func (n *Node) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.discovery.Run(ctx) })
	g.Go(func() error { n.publish(ctx); return nil })
	g.Go(func() error { n.forwardChanges(ctx); return nil })
	g.Go(func() error { n.relays.Run(ctx); return nil })
	g.Go(func() error { n.teller.Run(ctx, n.gateways); return nil })
	g.Go(func() error { n.sweep(ctx); return nil })
	err := g.Wait()
	n.stop(wire.ErrGoingAway)
	n.closeRooms(wire.ErrGoingAway)
	return err
}

// publish keeps the records of all appointments that are open, or soon will
// be, in the DHT until ctx ends.
func (n *Node) publish(ctx context.Context) {
	changed, stop := n.practice.Watch()
	defer stop()
	moved, stop := n.discovery.AddressesChanged()
	defer stop()
	n.publisher.Run(ctx, n.announcements, changed, moved)
}

// announcements returns whose records are wanted now.
func (n *Node) announcements(ctx context.Context) ([]find.Announcement, time.Time, error) {
	now := n.practice.Now()
	seats, err := n.practice.Publishable(ctx, now)
	if err != nil {
		return nil, now, fmt.Errorf("read open invites: %w", err)
	}
	var list []find.Announcement
	for _, s := range seats {
		list = append(list, find.Announcement{Key: s.Keys.Rendezvous, Opens: s.Appointment.Opens(), Closes: s.Appointment.Closes()})
	}
	return list, now, nil
}

// enter returns the room of appointment a, opening it if need be, and a
// function to call when done with it.
func (n *Node) enter(ctx context.Context, a practice.Appointment) (*openRoom, func(), error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lifetime.Err() != nil {
		return nil, nil, context.Cause(n.lifetime) // nothing would close the room
	}
	r, ok := n.rooms[a.ID]
	if !ok {
		kept, err := n.kept(ctx, a.ID)
		if err != nil {
			return nil, nil, err
		}
		r = &openRoom{pseud: pseudonym(), owner: a.Practitioner, ends: a.Ends(), closes: a.Closes()}
		r.Room = room.New(recorder{n, a.ID}, n.log.With("room", r.pseud), kept)
		n.rooms[a.ID] = r
	}
	r.users++
	return r, func() { n.mu.Lock(); r.users--; n.mu.Unlock() }, nil
}

// kept returns the seats that were held when the node stopped.
func (n *Node) kept(ctx context.Context, appointment string) ([]room.Kept, error) {
	seats, err := n.practice.Bound(ctx, appointment)
	if err != nil {
		return nil, fmt.Errorf("read kept seats: %w", err)
	}
	var kept []room.Kept
	for _, s := range seats {
		kept = append(kept, room.Kept{
			Guest:    room.Guest{Member: s.Member, Label: s.Label, Device: s.ResumeHash},
			Admitted: s.Admitted,
			Held:     s.Held,
		})
	}
	return kept, nil
}

// live returns the open room of an appointment, or nil.
func (n *Node) live(appointment string) *openRoom {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rooms[appointment]
}

// sweep clears away rooms that nobody is in, guests who wait for nobody, and
// invites that are over.
func (n *Node) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n.clear(ctx)
		}
	}
}

func (n *Node) clear(ctx context.Context) {
	now := n.practice.Lived() // nobody is sent away because a clock has leapt
	for _, r := range n.overdue(now) {
		r.TurnAway(wire.ErrEnded)
	}
	n.tests.forgetBefore(now.Add(-testedFor))
	if err := n.practice.Sweep(ctx, n.practice.Now()); err != nil && ctx.Err() == nil {
		n.log.Error("expired invites not removed", "err", err)
	}
}

// overdue forgets the rooms that nobody uses, and returns those in which
// nobody should wait any more.
func (n *Node) overdue(now time.Time) (late []*openRoom) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, r := range n.rooms {
		switch {
		case r.users == 0 && r.Empty():
			delete(n.rooms, id)
		case !now.Before(r.closes.Add(patienceAfter)):
			late = append(late, r)
		}
	}
	return late
}

func (n *Node) closeRooms(reason *wire.Error) {
	n.mu.Lock()
	rooms := slices.Collect(maps.Values(n.rooms))
	n.mu.Unlock() // what is recorded meanwhile ticks
	var closing sync.WaitGroup
	for _, r := range rooms {
		closing.Go(func() { r.Close(reason) })
	}
	closing.Wait()
}

// Watch returns a channel that ticks after appointments or seats have changed,
// and a function that ends it.
func (n *Node) Watch() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	n.mu.Lock()
	n.changed[c] = true
	n.mu.Unlock()
	return c, func() {
		n.mu.Lock()
		delete(n.changed, c)
		n.mu.Unlock()
	}
}

// forwardChanges tells every Watch what the practice's own tells, and that time
// has passed: an appointment opens and ends without anybody's doing.
func (n *Node) forwardChanges(ctx context.Context) {
	changed, stop := n.practice.Watch()
	defer stop()
	clock := time.NewTicker(sweepEvery)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-clock.C:
		}
		n.tick()
	}
}

// Changed tells every Watch that something else that its watcher shows has
// changed.
func (n *Node) Changed() { n.tick() }

// tick tells every Watch.
func (n *Node) tick() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.changed {
		select {
		case c <- struct{}{}:
		default: // a tick is already waiting
		}
	}
}

// pseudonym returns what logs call a room: it means nothing outside this process.
func pseudonym() string {
	b := make([]byte, 4)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
