package records

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// enoughAcks is how many nodes should hold a record: with three replicas,
	// half of the nodes can vanish and hardly any record with them.
	enoughAcks = 6

	// walkTime cuts a walk to the closest nodes short, so nodes that died a
	// moment ago cost seconds and not the better part of a minute.
	walkTime = 3 * time.Second

	// putTime bounds one PUT, dialling included; once enough nodes have the
	// record the others have lateTime.
	putTime  = 3 * time.Second
	lateTime = 500 * time.Millisecond

	// publishRounds is how often the walk is made while too few nodes answer.
	publishRounds = 2
)

var (
	// ErrNoPeers means that the DHT knows no other node.
	ErrNoPeers = errors.New("no other node known")

	// ErrNotStored means that too few nodes hold the record.
	ErrNotStored = errors.New("record not stored")
)

// Ack says how many of the nodes closest to a name answered, and how many of
// those stored its record. This node counts as neither.
type Ack struct{ Stored, Answered int }

func (a Ack) enough() bool { return a.Stored >= enoughAcks || a.Stored > 0 && a.Stored == a.Answered }

// Publish stores a record with the nodes closest to name: 6 of them, or all
// that answer, or it fails with ErrNotStored, although some nodes may hold it;
// the Ack says how many. It then reads the record back from one of them. With
// nobody to ask it fails with ErrNoPeers.
//
// kad-dht's PutValue would report success even if every node had refused.
func (d *DHT) Publish(ctx context.Context, name ed25519.PublicKey, rec []byte) (Ack, error) {
	key := routingKey(name)
	if err := (validator{}).Validate(key, rec); err != nil {
		return Ack{}, fmt.Errorf("publish: %w", err)
	}
	put := kadpb.NewMessage(kadpb.Message_PUT_VALUE, []byte(key), 0)
	put.Record = record.MakePutRecord(key, rec)
	if d.server {
		if err := d.kept.Put(ctx, key, put.Record); err != nil && !errors.Is(err, errStoreFull) {
			return Ack{}, fmt.Errorf("publish: %w", err)
		}
	}
	start := time.Now()
	answers := make(map[peer.ID]bool)
	for range publishRounds {
		closest := d.closest(ctx, key)
		if len(closest) == 0 {
			return Ack{}, ErrNoPeers
		}
		silent := d.putAll(ctx, put, closest, answers)
		if silent == 0 || ackOf(answers).Stored >= enoughAcks || ctx.Err() != nil {
			break
		}
	}
	ack := ackOf(answers)
	d.log.Debug("record published", "acks", ack.Stored, "peers", ack.Answered, "dur", time.Since(start))
	switch {
	case ctx.Err() != nil:
		return ack, fmt.Errorf("publish: %w", context.Cause(ctx))
	case !ack.enough():
		return ack, fmt.Errorf("%w: by %d of %d nodes that answered", ErrNotStored, ack.Stored, ack.Answered)
	case !d.readBack(ctx, key, rec, answers):
		return ack, fmt.Errorf("%w: acknowledged by %d nodes, but not to be read from them", ErrNotStored, ack.Stored)
	}
	return ack, nil
}

// ackOf counts answers: true for a node that stored the record, false for one
// that refused it.
func ackOf(answers map[peer.ID]bool) Ack {
	ack := Ack{Answered: len(answers)}
	for _, stored := range answers {
		if stored {
			ack.Stored++
		}
	}
	return ack
}

// closest walks to the nodes closest to key, and returns what it found when
// time was up.
func (d *DHT) closest(ctx context.Context, key string) []peer.ID {
	ctx, cancel := context.WithTimeout(network.WithDialPeerTimeout(ctx, dialTime), walkTime)
	defer cancel()
	peers, err := d.GetClosestPeers(ctx, key)
	if err != nil && len(peers) == 0 {
		d.log.Debug("walk found nobody", "err", err)
	}
	return peers
}

// putAll puts a record to those of peers that have not answered before, adds
// what they answer, and returns how many said nothing.
func (d *DHT) putAll(ctx context.Context, put *kadpb.Message, peers []peer.ID, answers map[peer.ID]bool) (silent int) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, writing{}, true), putTime)
	defer cancel()
	missing := slices.DeleteFunc(slices.Clone(peers), func(p peer.ID) bool {
		_, answered := answers[p]
		return answered
	})
	var mu sync.Mutex // guards answers and silent
	var wg sync.WaitGroup
	for _, p := range missing {
		wg.Go(func() { // ends with ctx at the latest
			reply, err := d.MessageSender().SendRequest(ctx, p, put)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				answers[p] = bytes.Equal(reply.GetRecord().GetValue(), put.GetRecord().GetValue())
			case errors.Is(err, errRefused):
				answers[p] = false
			default:
				silent++
			}
			if ackOf(answers).Stored == enoughAcks {
				time.AfterFunc(lateTime, cancel)
			}
		})
	}
	wg.Wait()
	return silent
}

// readBack asks up to three of the nodes that stored a record for it, and
// reports whether one has it, or a newer one.
func (d *DHT) readBack(ctx context.Context, key string, rec []byte, answers map[peer.ID]bool) bool {
	get := kadpb.NewMessage(kadpb.Message_GET_VALUE, []byte(key), 0)
	asked := 0
	for p, stored := range answers { // in random order
		if !stored {
			continue
		}
		if asked++; asked > 3 {
			break
		}
		reply, err := d.MessageSender().SendRequest(ctx, p, get)
		if err != nil {
			continue
		}
		got := reply.GetRecord().GetValue()
		if (validator{}).Validate(key, got) != nil {
			continue
		}
		if best, err := (validator{}).Select(key, [][]byte{rec, got}); err == nil && (best == 1 || bytes.Equal(got, rec)) {
			return true
		}
	}
	return false
}
