package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
	"anteroom/rendezvous"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

const (
	// findTime is how long a guest waits for "we cannot reach the practice".
	findTime = 15 * time.Second

	// gatherTime is how long after its start this node expects those of GuestsOf
	// to call and to tell which invites are theirs: they take a while to see that
	// it was away. Meanwhile it sees every lookEvery who has connected.
	gatherTime = 5 * time.Second
	lookEvery  = 200 * time.Millisecond

	// directHeadStart is how long the DHT waits for peers who can say "mine":
	// twice a long round trip.
	directHeadStart = 400 * time.Millisecond

	// replicaHeadStart is what each replica of a record has before the next.
	replicaHeadStart = 300 * time.Millisecond
)

// errNotOurGuest keeps this node from serving its page to guests of practices
// that have not agreed to that.
var errNotOurGuest = errors.New("the guest's practice is not among those that this page may be served for")

// errBusy keeps links that nobody knows from costing without bound.
var errBusy = errors.New("too many links that no home node has told of")

// isMine reports whether an invite of this node has rid.
func (n *Node) isMine(rid [32]byte) bool {
	_, err := n.Practice.Lookup(n.lifetime, rid)
	return err == nil
}

// dialHome finds the node that key's invite was made on and opens a stream to it.
func (n *Node) dialHome(ctx context.Context, key invite.RendezvousKey, from netip.Addr, public bool) (wire.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	home, err := n.locate(ctx, key, from, public)
	if err != nil {
		return nil, fmt.Errorf("find home node: %w", err)
	}
	if public && !slices.Contains(n.GuestsOf, home.ID) {
		return nil, errNotOurGuest
	}
	s, err := n.Discovery.Open(ctx, home, signalProtocol)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	return rendezvous.Stream(s), nil
}

// locate finds the home node of key's invite. One that has told of the invite
// is there without a question; a key that nobody has told of may be anybody's
// invention, and is looked for within what strangers may cost.
func (n *Node) locate(ctx context.Context, key invite.RendezvousKey, from netip.Addr, public bool) (peer.AddrInfo, error) {
	rid := key.RID()
	for looked := false; ; {
		home, told, news := n.homes.of(rid)
		if told && n.Discovery.Connected(home) {
			return peer.AddrInfo{ID: home}, nil
		}
		if told {
			return n.find(ctx, key, public) // it may have moved
		}
		expecting := n.expecting()
		if !looked && (!expecting || n.complete()) {
			looked = true
			home, err := peer.AddrInfo{}, errBusy
			if n.strangers.allow(from) {
				home, err = n.find(ctx, key, public)
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

// expecting reports whether a home node whose guests this node serves may yet
// call after this node's start, or tell which invites are its.
func (n *Node) expecting() bool {
	silent := func(id peer.ID) bool { return !n.homes.heard(id) }
	return time.Since(n.started) < gatherTime && slices.ContainsFunc(n.GuestsOf, silent)
}

// complete reports whether all home nodes whose guests this node serves are
// connected.
func (n *Node) complete() bool {
	return !slices.ContainsFunc(n.GuestsOf, func(id peer.ID) bool { return !n.Discovery.Connected(id) })
}

// find asks the peers directly, and the DHT if they do not answer soon. The
// first to find it wins; the error is discovery.ErrNotFound if both found nothing.
// A public page has guests of GuestsOf alone, so nobody else is asked, and the
// DHT tells nothing new if all of those are here.
func (n *Node) find(ctx context.Context, key invite.RendezvousKey, public bool) (peer.AddrInfo, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the slower one
	type answer struct {
		home peer.AddrInfo
		err  error
	}
	// The slower one must not need the key, which is wiped when the faster has won.
	rid, replicas := key.RID(), n.replicas(key)
	answers := make(chan answer, 2) // both fit: nobody waits for a reader
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if n.DHTOnly {
			answers <- answer{err: discovery.ErrNotFound}
			return
		}
		id, err := n.ask(ctx, rid, public)
		answers <- answer{peer.AddrInfo{ID: id}, err}
	}()
	go func() {
		defer func() {
			for _, r := range replicas {
				r.Wipe()
			}
		}()
		select {
		case <-asked:
		case <-time.After(directHeadStart):
		case <-ctx.Done():
		}
		if public && n.complete() {
			answers <- answer{err: discovery.ErrNotFound}
			return
		}
		home, err := n.search(ctx, replicas)
		answers <- answer{home, err}
	}()
	first := <-answers
	if first.err == nil {
		return first.home, nil
	}
	second := <-answers
	if second.err == nil {
		return second.home, nil
	}
	return peer.AddrInfo{}, errors.Join(first.err, second.err)
}

func (n *Node) ask(ctx context.Context, rid [32]byte, public bool) (peer.ID, error) {
	if public {
		return n.Discovery.AskThose(ctx, n.GuestsOf, rid)
	}
	return n.Discovery.Ask(ctx, rid)
}

// replicas returns where key's record is: at the three names of this epoch and,
// near its edge, at the neighbour's.
func (n *Node) replicas(key invite.RendezvousKey) (list []invite.Replica) {
	for _, epoch := range key.Epochs(n.Practice.Now()) {
		for r := range invite.Replicas {
			list = append(list, key.Replica(epoch, r))
		}
	}
	return list
}

// search looks for a record that opens, at all replicas of each epoch.
func (n *Node) search(ctx context.Context, replicas []invite.Replica) (peer.AddrInfo, error) {
	now := n.Practice.Now()
	var queries []discovery.Query
	for i, r := range replicas {
		queries = append(queries, discovery.Query{Name: r.Name(), After: time.Duration(i%invite.Replicas) * replicaHeadStart})
	}
	var home peer.AddrInfo
	err := n.Discovery.Search(ctx, queries, func(i int, record []byte) bool {
		contact, err := invite.OpenRecord(replicas[i], record, now)
		if err != nil {
			return false
		}
		home, err = n.Discovery.Consume(contact.PeerRecord)
		return err == nil
	})
	return home, err
}
