// Package find answers where an invite's home node is. A Finder is a gateway's
// part: it remembers what home nodes tell it, asks them, and looks into the DHT,
// within what links that anybody may have made up are allowed to cost. A
// Publisher and a Teller are a home node's: they see to it that it is found.
package find

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
	"anteroom/rendezvous/invite"
)

const (
	// Time is how long a guest waits for "we cannot reach the practice".
	Time = 15 * time.Second

	// gatherTime is how long after its start this node expects those of GuestsOf
	// to call and to tell which invites are theirs: they take a while to see that
	// it was away. Meanwhile it sees every lookEvery who has connected.
	gatherTime = 5 * time.Second
	lookEvery  = 200 * time.Millisecond

	// directHeadStart is how long the DHT waits for peers who can say "mine":
	// twice a long round trip.
	directHeadStart = 400 * time.Millisecond

	// replicaHeadStart is what each replica of a record has before the next: enough
	// for the first to be found in a healthy DHT before another name is shown to
	// other nodes, and no more than a moment otherwise.
	replicaHeadStart = 300 * time.Millisecond
)

// ErrNotOurGuest keeps this node from serving its page to guests of practices
// that have not agreed to that.
var ErrNotOurGuest = errors.New("the guest's practice is not among those that this page may be served for")

// ErrBusy keeps links that nobody knows from costing without bound.
var ErrBusy = errors.New("too many links that no home node has told of")

// A Network is what a Finder asks: a *discovery.Discovery.
type Network interface {
	Connected(peer.ID) bool
	Ask(ctx context.Context, rid [32]byte) (peer.ID, error)
	AskThose(ctx context.Context, ids []peer.ID, rid [32]byte) (peer.ID, error)
	Search(ctx context.Context, queries []discovery.Query, open func(i int, record []byte) bool) error
	Consume(peerRecord []byte) (peer.AddrInfo, error)
}

// Config is what a Finder is made of.
type Config struct {
	Network  Network
	Now      func() time.Time // the practice's clock, by which records are named
	Log      *slog.Logger
	GuestsOf []peer.ID // the nodes whose guests may come in through this node's public page
	Searches Searches
	DHTOnly  bool // leaves the direct question to peers out
}

// An Arrival is how a guest came in here.
type Arrival struct {
	From   netip.Addr // where they are; zero if that is not known
	Public bool       // through the public page: a guest of GuestsOf
}

// A Finder finds the home nodes of guests who come in here.
type Finder struct {
	cfg     Config
	homes   *homes
	budget  *budget
	started time.Time
}

// NewFinder returns a Finder that nobody has told anything yet.
func NewFinder(cfg Config) *Finder {
	return &Finder{cfg: cfg, homes: newHomes(), budget: newBudget(cfg.Searches), started: time.Now()}
}

// Home finds the home node of key's invite, for a guest who came in so.
func (f *Finder) Home(ctx context.Context, key invite.RendezvousKey, guest Arrival) (peer.AddrInfo, error) {
	home, err := f.locate(ctx, key, guest)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("find home node: %w", err)
	}
	if guest.Public && !slices.Contains(f.cfg.GuestsOf, home.ID) {
		return peer.AddrInfo{}, ErrNotOurGuest
	}
	return home, nil
}

// locate finds the home node of key's invite. One that has told of the invite
// is there without a question; a key that nobody has told of may be anybody's
// invention, and is looked for within what strangers may cost.
func (f *Finder) locate(ctx context.Context, key invite.RendezvousKey, guest Arrival) (peer.AddrInfo, error) {
	rid := key.RID()
	for looked := false; ; {
		home, told, news := f.homes.of(rid)
		if told && f.cfg.Network.Connected(home) {
			return peer.AddrInfo{ID: home}, nil
		}
		if told {
			return f.find(ctx, key, guest.Public) // it may have moved
		}
		expecting := f.Expecting()
		if !looked && (!expecting || f.complete()) {
			looked = true
			home, err := peer.AddrInfo{}, ErrBusy
			if f.budget.allow(guest.From) {
				home, err = f.find(ctx, key, guest.Public)
			}
			if err == nil || !expecting {
				return home, err
			}
		}
		if !expecting {
			return peer.AddrInfo{}, discovery.ErrNotFound
		}
		select {
		case <-ctx.Done():
			return peer.AddrInfo{}, context.Cause(ctx)
		case <-news:
		case <-time.After(lookEvery): // nothing tells who has connected
		}
	}
}

// Expecting reports whether a home node whose guests this node serves may yet
// call after this node's start, or tell which invites are its.
func (f *Finder) Expecting() bool {
	silent := func(id peer.ID) bool { return !f.homes.heard(id) }
	return time.Since(f.started) < gatherTime && slices.ContainsFunc(f.cfg.GuestsOf, silent)
}

// complete reports whether all home nodes whose guests this node serves are
// connected.
func (f *Finder) complete() bool {
	return !slices.ContainsFunc(f.cfg.GuestsOf, func(id peer.ID) bool { return !f.cfg.Network.Connected(id) })
}

// find asks the peers directly, and the DHT if they do not answer soon. The
// first to find it wins; the error is discovery.ErrNotFound if both found nothing.
// A public page has guests of GuestsOf alone, so nobody else is asked, and the
// DHT tells nothing new if all of those are here.
func (f *Finder) find(ctx context.Context, key invite.RendezvousKey, public bool) (peer.AddrInfo, error) {
	looking, found := context.WithCancel(ctx)
	defer found()
	var (
		direct, recorded peer.AddrInfo
		no, absent       error // why they are not
		both             sync.WaitGroup
	)
	asked := make(chan struct{})
	both.Go(func() { // ends with looking
		defer close(asked)
		if f.cfg.DHTOnly {
			no = discovery.ErrNotFound
			return
		}
		if direct.ID, no = f.ask(looking, key.RID(), public); no == nil {
			found()
		}
	})
	both.Go(func() { // ends with looking
		select {
		case <-asked:
		case <-time.After(directHeadStart):
		case <-looking.Done():
		}
		if public && f.complete() {
			absent = discovery.ErrNotFound
			return
		}
		if recorded, absent = f.search(looking, key); absent == nil {
			found()
		}
	})
	both.Wait()
	switch {
	case no == nil:
		return direct, nil
	case absent == nil:
		return recorded, nil
	}
	return peer.AddrInfo{}, errors.Join(no, absent)
}

func (f *Finder) ask(ctx context.Context, rid [32]byte, public bool) (peer.ID, error) {
	if public {
		return f.cfg.Network.AskThose(ctx, f.cfg.GuestsOf, rid)
	}
	return f.cfg.Network.Ask(ctx, rid)
}

// replicas returns where key's record is: at the three names of this epoch and,
// near its edge, at the neighbour's.
func (f *Finder) replicas(key invite.RendezvousKey) (list []invite.Replica) {
	for _, epoch := range key.Epochs(f.cfg.Now()) {
		for r := range invite.Replicas {
			list = append(list, key.Replica(epoch, r))
		}
	}
	return list
}

// search looks for a record that opens, at all replicas of each epoch.
func (f *Finder) search(ctx context.Context, key invite.RendezvousKey) (peer.AddrInfo, error) {
	now, replicas := f.cfg.Now(), f.replicas(key)
	defer func() {
		for _, r := range replicas {
			r.Wipe()
		}
	}()
	var queries []discovery.Query
	for i, r := range replicas {
		queries = append(queries, discovery.Query{Name: r.Name(), After: time.Duration(i%invite.Replicas) * replicaHeadStart})
	}
	var home peer.AddrInfo
	err := f.cfg.Network.Search(ctx, queries, func(i int, record []byte) bool {
		contact, err := invite.OpenRecord(replicas[i], record, now)
		if err != nil {
			return false
		}
		home, err = f.cfg.Network.Consume(contact.PeerRecord)
		return err == nil
	})
	return home, err
}
