package find

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
	"anteroom/rendezvous/invite"
)

// A slow network has the answer of a peer after answers, and nothing in the DHT,
// where a search that is called off takes a moment to end.
type slow struct {
	answers   time.Duration
	searching atomic.Int32
}

func (s *slow) Connected(peer.ID) bool { return false }

func (s *slow) Ask(ctx context.Context, _ [32]byte) (peer.ID, error) {
	select {
	case <-time.After(s.answers):
		return "home", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (s *slow) AskThose(ctx context.Context, _ []peer.ID, rid [32]byte) (peer.ID, error) {
	return s.Ask(ctx, rid)
}

func (s *slow) Search(ctx context.Context, _ []discovery.Query, _ func(int, []byte) bool) error {
	s.searching.Add(1)
	defer s.searching.Add(-1)
	<-ctx.Done()
	time.Sleep(100 * time.Millisecond)
	return ctx.Err()
}

func (s *slow) Consume([]byte) (peer.AddrInfo, error) { return peer.AddrInfo{}, nil }

// Nothing goes on looking once the home node is found: the node may be about to
// stop.
func TestNothingLooksOnBehindAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made, err := invite.New()
		if err != nil {
			t.Fatal(err)
		}
		s := &slow{answers: time.Second}
		f := NewFinder(Config{Network: s, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		began := time.Now()
		home, err := f.Home(t.Context(), made.Link.Keys().Rendezvous, Arrival{})
		if err != nil || home.ID != "home" {
			t.Fatalf("found %v, %v", home, err)
		}
		if n := s.searching.Load(); n != 0 {
			t.Errorf("%d searches go on", n)
		}
		if took := time.Since(began); took > 1200*time.Millisecond {
			t.Errorf("found after %v", took)
		}
	})
}
