package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"anteroom/discovery"
	"anteroom/rendezvous/invite"
)

const (
	// settle is how long addresses must stay as they are before they are
	// published: an interface that comes up reports several changes at once.
	settle = 5 * time.Second

	// publishAtOnce is how many records are on their way at the same time.
	publishAtOnce = 4

	// pace and burst keep a busy practice within what other nodes take from one
	// peer, 60 records a minute.
	pace  = time.Second
	burst = 30

	// retryAfter is how soon a record that too few nodes hold is sent again.
	retryAfter = time.Minute
)

// publish keeps the records of all appointments that are open, or soon will
// be, in the DHT until ctx ends.
func (n *Node) publish(ctx context.Context) {
	changed, stop := n.Practice.Watch()
	defer stop()
	moved, stop := n.Discovery.AddressesChanged()
	defer stop()
	tick := time.NewTicker(retryAfter)
	defer tick.Stop()
	for {
		n.publishDue(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-changed:
		case <-moved:
			select {
			case <-ctx.Done():
				return
			case <-time.After(settle):
			}
		}
	}
}

// publishDue sends every record that is due now.
func (n *Node) publishDue(ctx context.Context) {
	now := n.Practice.Now()
	seats, err := n.Practice.Publishable(ctx, now)
	if err != nil {
		if ctx.Err() == nil {
			n.Log.Error("open invites not read", "err", err)
		}
		return
	}
	var due []invite.Replica
	for _, s := range seats {
		key := s.Keys.Rendezvous
		for _, epoch := range key.Epochs(now) {
			for r := range invite.Replicas {
				due = append(due, key.Replica(epoch, r))
			}
		}
	}
	n.publisher.send(ctx, due, now)
}

// A publisher remembers which records are in the DHT.
type publisher struct {
	discovery *discovery.Discovery
	log       *slog.Logger
	pace      *rate.Limiter

	addrs   string // of contact; owned by send, like it
	contact []byte

	mu   sync.Mutex
	sent map[string]sent // by the record's name
}

// sent is what became of one record.
type sent struct {
	contact []byte    // what it says
	again   time.Time // when it is due
	held    bool      // enough nodes hold it
}

func newPublisher(d *discovery.Discovery, log *slog.Logger) *publisher {
	return &publisher{discovery: d, log: log, pace: rate.NewLimiter(rate.Every(pace), burst), sent: make(map[string]sent)}
}

// send publishes those of replicas that are not held, or say something else
// than now, and forgets the others.
func (p *publisher) send(ctx context.Context, replicas []invite.Replica, now time.Time) {
	contact, err := p.currentContact()
	if err != nil {
		if !errors.Is(err, discovery.ErrNoAddress) { // nobody could reach this node
			p.log.Error("own peer record not made", "err", err)
		}
		return
	}
	wanted := make(map[string]bool, len(replicas))
	var g errgroup.Group
	g.SetLimit(publishAtOnce)
	for _, r := range replicas {
		name := string(r.Name())
		wanted[name] = true
		if last, ok := p.last(name); ok && now.Before(last.again) && bytes.Equal(last.contact, contact) {
			continue
		}
		if p.pace.Wait(ctx) != nil {
			break // ctx has ended
		}
		g.Go(func() error { // ends with the publication
			p.sendOne(ctx, r, contact, now)
			return nil
		})
	}
	g.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.sent {
		if !wanted[name] {
			delete(p.sent, name)
		}
	}
}

// currentContact returns the signed peer record, the same one for as long as
// the addresses are the same.
func (p *publisher) currentContact() ([]byte, error) {
	addrs := fmt.Sprint(p.discovery.Addrs())
	if addrs == p.addrs {
		return p.contact, nil
	}
	contact, err := p.discovery.SignedRecord()
	if err != nil {
		return nil, err
	}
	p.addrs, p.contact = addrs, contact
	return contact, nil
}

func (p *publisher) last(name string) (sent, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.sent[name]
	return last, ok
}

func (p *publisher) sendOne(ctx context.Context, r invite.Replica, contact []byte, now time.Time) {
	record, err := invite.SealRecord(r, now, contact, 0)
	if err != nil {
		p.log.Error("record not made", "err", err)
		return
	}
	// 15 to 25 minutes, so that records of one practice do not move together.
	after := 15*time.Minute + rand.N(10*time.Minute)
	ack, err := p.discovery.Publish(ctx, r.Name(), record)
	if ctx.Err() != nil || errors.Is(err, discovery.ErrNoPeers) {
		return // nobody is there to be told
	}
	if err != nil {
		p.log.Warn("record not published; guests who come through other nodes may not find this one", "acks", ack.Stored, "peers", ack.Answered, "err", err)
		after = retryAfter
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent[string(r.Name())] = sent{contact, now.Add(after), err == nil}
}

// counts returns how many records are held by enough nodes, and how many not.
func (p *publisher) counts() (held, failed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sent {
		if s.held {
			held++
		} else {
			failed++
		}
	}
	return held, failed
}
