package find

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/time/rate"

	"anteroom/discovery"
	"anteroom/rendezvous/invite"
)

// A shelf is a DHT in simulated time, of nodes that take 60 records a minute from
// one peer and are in no hurry.
type shelf struct {
	t     *testing.T
	names map[string]invite.Replica
	takes *rate.Limiter

	mu    sync.Mutex
	where string
	holds map[string]string // where records say that the node is, by name
}

func (s *shelf) Addrs() []ma.Multiaddr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.1/tcp/1/ws").Encapsulate(ma.StringCast("/dns/" + s.where))}
}

func (s *shelf) SignedRecord() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []byte(s.where), nil
}

func (s *shelf) Publish(ctx context.Context, name ed25519.PublicKey, record []byte) (discovery.Ack, error) {
	if !s.takes.Allow() {
		s.t.Error("more than other nodes take")
	}
	select {
	case <-ctx.Done():
		return discovery.Ack{}, ctx.Err()
	case <-time.After(800 * time.Millisecond):
	}
	contact, err := invite.OpenRecord(s.names[string(name)], record, time.Now())
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds[string(name)] = string(contact.PeerRecord)
	return discovery.Ack{Stored: 6, Answered: 6}, nil
}

// TestOpenInvitesFollowAMove: in a busy practice, whenever its node moves, guests
// who may come now find it ten seconds later, and the others in their turn.
func TestOpenInvitesFollowAMove(t *testing.T) {
	for _, after := range []time.Duration{0, 2 * time.Second, 7 * time.Second, 20 * time.Second, 5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			s := &shelf{t: t, names: make(map[string]invite.Replica), takes: rate.NewLimiter(1, 60), where: "home", holds: make(map[string]string)}
			var list []Announcement
			now := time.Now()
			for len(list) < 40 {
				made, err := invite.New()
				if err != nil {
					t.Fatal(err)
				}
				a := Announcement{made.Link.Keys().Rendezvous, now.Add(-time.Minute), now.Add(time.Hour)}
				if len(a.Key.Epochs(now)) > 1 || len(a.Key.Epochs(now.Add(10*time.Minute))) > 1 {
					continue // near an edge, which comes in the middle of the test
				}
				if len(list)%2 == 0 {
					a.Opens = now.Add(20 * time.Minute) // soon
				}
				list = append(list, a)
				for r := range invite.Replicas {
					replica := a.Key.Replica(a.Key.Epoch(now), r)
					s.names[string(replica.Name())] = replica
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			changed, moved := make(chan struct{}, 1), make(chan struct{}, 1)
			done := make(chan struct{})
			go func() { // ends with ctx
				defer close(done)
				NewPublisher(s, slog.New(slog.DiscardHandler)).Run(ctx, func(context.Context) ([]Announcement, time.Time, error) {
					return list, time.Now(), nil
				}, changed, moved)
			}()
			time.Sleep(after)
			s.mu.Lock()
			s.where = "elsewhere"
			s.mu.Unlock()
			moved <- struct{}{}

			// found returns how many invites have a record that says where the
			// node is, and how many records there are in all that do not.
			found := func() (open, soon, stale int) {
				s.mu.Lock()
				defer s.mu.Unlock()
				for i, a := range list {
					n := 0
					for r := range invite.Replicas {
						if s.holds[string(a.Key.Replica(a.Key.Epoch(now), r).Name())] == s.where {
							n++
						} else {
							stale++
						}
					}
					if n > 0 && i%2 == 0 {
						soon++
					} else if n > 0 {
						open++
					}
				}
				return open, soon, stale
			}
			time.Sleep(10 * time.Second)
			if open, _, _ := found(); open != 20 {
				t.Errorf("moved after %v: %d of 20 open invites lead here", after, open)
			}
			time.Sleep(4 * time.Minute)
			if open, soon, stale := found(); open != 20 || soon != 20 || stale != 0 {
				t.Errorf("moved after %v: in the end, %d of 20 open invites lead here and %d of 20 that open soon; %d records lead elsewhere", after, open, soon, stale)
			}
			cancel()
			<-done
		})
	}
}
