package find

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"anteroom/discovery"
	"anteroom/rendezvous/invite"
)

const (
	// settle is how long addresses must stay as they are before they are
	// published: an interface that comes up reports several changes at once.
	settle = 5 * time.Second

	// gather is how long changes of the diary are gathered before it is read:
	// when many guests come or go at once, each of them changes it.
	gather = time.Second

	// publishAtOnce is how many records are on their way at the same time.
	publishAtOnce = 4

	// pace and burst keep a busy practice within what other nodes take from one
	// peer: 60 records at once, and then 60 a minute.
	pace  = time.Second
	burst = 50

	// reserve is how many records can always be sent at once so that guests who
	// may come now find this node, wherever it has moved: one for each of as
	// many invites. All others leave it alone.
	reserve = 25

	// retryAfter is how soon a record that too few nodes hold is sent again.
	retryAfter = time.Minute
)

// An Announcement is an invite that can be found.
type Announcement struct {
	Key           invite.RendezvousKey
	Opens, Closes time.Time
}

func (a Announcement) open(now time.Time) bool { return !now.Before(a.Opens) && now.Before(a.Closes) }

// A DHT is where records go: a *discovery.Discovery.
type DHT interface {
	Addrs() []ma.Multiaddr
	SignedRecord() ([]byte, error)
	Publish(ctx context.Context, name ed25519.PublicKey, record []byte) (discovery.Ack, error)
}

// A Publisher remembers which records are in the DHT.
type Publisher struct {
	discovery DHT
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

// NewPublisher returns a Publisher that has sent nothing yet.
func NewPublisher(d DHT, log *slog.Logger) *Publisher {
	return &Publisher{discovery: d, log: log, pace: rate.NewLimiter(rate.Every(pace), burst), sent: make(map[string]sent)}
}

var errMoved = errors.New("addresses have changed")

// Run publishes what wanted returns until ctx ends: at first, from time to time,
// and after each tick of changed and moved. A move ends what is under way, which
// tells where this node was.
func (p *Publisher) Run(ctx context.Context, wanted func(context.Context) ([]Announcement, time.Time, error), changed, moved <-chan struct{}) {
	tick := time.NewTicker(retryAfter)
	defer tick.Stop()
	for {
		sending, end := context.WithCancelCause(ctx)
		var watch sync.WaitGroup
		hasMoved := false
		watch.Go(func() { // ends with sending
			select {
			case <-moved:
				hasMoved = true // though sending may have ended already
				end(errMoved)
			case <-sending.Done():
			}
		})
		list, now, err := wanted(sending)
		if err == nil {
			p.send(sending, list, now)
		} else if sending.Err() == nil {
			p.log.Error("records not published", "err", err)
		}
		end(nil)
		watch.Wait()
		if !hasMoved {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				continue
			case <-changed:
				if !pause(ctx, gather) {
					return
				}
				continue
			case <-moved:
			}
		}
		if !pause(ctx, settle) {
			return
		}
		select {
		case <-moved: // and now it has settled
		default:
		}
	}
}

// pause waits for d and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// A posting is one record that is due.
type posting struct {
	replica invite.Replica
	class   class
	opens   time.Time
	number  int // of the replica
}

// A class says how soon a record is needed; the first comes first.
type class int

const (
	urgent class = iota // guests may come, and no record says where this node is
	open                // guests may come
	later
)

// send publishes those records of list that are not held, or say something else
// than now, and forgets the others. First come those without which a guest who
// comes now finds nobody, then those of open invites, then those of the next.
func (p *Publisher) send(ctx context.Context, list []Announcement, now time.Time) {
	contact, err := p.currentContact()
	if err != nil {
		if !errors.Is(err, discovery.ErrNoAddress) { // nobody could reach this node
			p.log.Error("own peer record not made", "err", err)
		}
		return
	}
	wanted := make(map[string]bool)
	var all []posting
	for _, a := range list {
		lost := a.open(now)
		soon := later
		if a.open(now) {
			soon = open
		}
		var due []posting
		for i, epoch := range a.Key.Epochs(now) { // the present one first
			for r := range invite.Replicas {
				replica := a.Key.Replica(epoch, r)
				name := string(replica.Name())
				wanted[name] = true
				last, ok := p.last(name)
				says := ok && bytes.Equal(last.contact, contact)
				lost = lost && !(i == 0 && says && last.held)
				if !says || !now.Before(last.again) {
					due = append(due, posting{replica: replica, class: soon, opens: a.Opens, number: i*invite.Replicas + r})
				}
			}
		}
		if lost && len(due) > 0 {
			due[0].class = urgent
		}
		all = append(all, due...)
	}
	slices.SortStableFunc(all, func(a, b posting) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.number, b.number), a.opens.Compare(b.opens))
	})
	var g errgroup.Group
	g.SetLimit(publishAtOnce)
	for _, next := range all {
		if p.wait(ctx, next.class) != nil {
			break // ctx has ended
		}
		g.Go(func() error { // ends with the publication
			p.sendOne(ctx, next.replica, contact, now)
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

// wait returns when one more record may be sent.
func (p *Publisher) wait(ctx context.Context, soon class) error {
	for soon != urgent {
		missing := reserve + 1 - p.pace.Tokens()
		if missing <= 0 {
			break
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Duration(missing*float64(pace)) + time.Millisecond):
		}
	}
	return p.pace.Wait(ctx)
}

// currentContact returns the signed peer record, the same one for as long as
// the addresses are the same.
func (p *Publisher) currentContact() ([]byte, error) {
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

func (p *Publisher) last(name string) (sent, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.sent[name]
	return last, ok
}

func (p *Publisher) sendOne(ctx context.Context, r invite.Replica, contact []byte, now time.Time) {
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

// Counts returns how many records are held by enough nodes, and how many not.
func (p *Publisher) Counts() (held, failed int) {
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
