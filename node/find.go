package node

import (
	"context"
	"errors"
	"fmt"
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
	// who have not called yet: they take a while to see that it was away.
	// Meanwhile it looks again every lookEvery, and calls nobody missing.
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

// isMine reports whether an invite of this node has rid.
func (n *Node) isMine(rid [32]byte) bool {
	_, err := n.Practice.Lookup(n.lifetime, rid)
	return err == nil
}

// dialHome finds the node that key's invite was made on and opens a stream to it.
func (n *Node) dialHome(ctx context.Context, key invite.RendezvousKey, public bool) (wire.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	gathering := n.gathering()
	home, err := n.find(ctx, key)
	for errors.Is(err, discovery.ErrNotFound) && gathering && sleep(ctx, lookEvery) {
		gathering = n.gathering() // who came while this looked is found by another look
		home, err = n.find(ctx, key)
	}
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

// gathering reports whether a home node whose guests this node serves may yet
// come back after this node's start.
func (n *Node) gathering() bool {
	missing := func(id peer.ID) bool { return !n.Discovery.Connected(id) }
	return time.Since(n.started) < gatherTime && slices.ContainsFunc(n.GuestsOf, missing)
}

// sleep reports whether d has passed, and ctx has not ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// find asks the peers directly, and the DHT if they do not answer soon. The
// first to find it wins; the error is discovery.ErrNotFound if both found nothing.
func (n *Node) find(ctx context.Context, key invite.RendezvousKey) (peer.AddrInfo, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the slower one
	type answer struct {
		home peer.AddrInfo
		err  error
	}
	answers := make(chan answer, 2) // both fit: nobody waits for a reader
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if n.DHTOnly {
			answers <- answer{err: discovery.ErrNotFound}
			return
		}
		id, err := n.Discovery.Ask(ctx, key.RID())
		answers <- answer{peer.AddrInfo{ID: id}, err}
	}()
	go func() {
		select {
		case <-asked:
		case <-time.After(directHeadStart):
		case <-ctx.Done():
		}
		home, err := n.search(ctx, key)
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

// search looks for a record that opens, at the three names of this epoch and,
// near its edge, at the neighbour's.
func (n *Node) search(ctx context.Context, key invite.RendezvousKey) (peer.AddrInfo, error) {
	now := n.Practice.Now()
	var replicas []invite.Replica
	var queries []discovery.Query
	for _, epoch := range key.Epochs(now) {
		for r := range invite.Replicas {
			replica := key.Replica(epoch, r)
			replicas = append(replicas, replica)
			queries = append(queries, discovery.Query{Name: replica.Name(), After: time.Duration(r) * replicaHeadStart})
		}
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
