package discovery

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A replica that has its record is found before the next name is shown to
// anyone; one that has none hands over at once or when its head start is up.
func TestSearchRacesReplicas(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		servers := s.swarm(10)
		home := s.node(Config{Bootstrap: []PeerInfo{servers[0].info()}})
		gateway := s.node(Config{Bootstrap: []PeerInfo{servers[1].info()}})
		s.settle()
		published, nowhere := newName(t), newName(t)
		const headStart = 300 * time.Millisecond
		if _, err := home.Publish(t.Context(), published.PublicKey, published.sign(t, draft{})); err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			name    string
			queries []Query
			index   int
			within  time.Duration
		}{
			{"first replica", []Query{{Name: published.PublicKey}, {nowhere.PublicKey, headStart}, {nowhere.PublicKey, 2 * headStart}}, 0, 3 * simRTT},
			{"second replica", []Query{{Name: nowhere.PublicKey}, {published.PublicKey, headStart}}, 1, headStart + 3*simRTT},
			{"all before it have failed", []Query{{Name: nowhere.PublicKey}, {published.PublicKey, time.Minute}}, 1, time.Second},
			{"out of order", []Query{{nowhere.PublicKey, time.Minute}, {Name: published.PublicKey}}, 1, 3 * simRTT},
		}
		for _, test := range tests {
			start, got := time.Now(), -1
			err := gateway.Search(t.Context(), test.queries, func(i int, _ []byte) bool { got = i; return true })
			if err != nil || got != test.index {
				t.Errorf("%s: got index %d, %v, want %d", test.name, got, err, test.index)
			}
			if took := time.Since(start); took > test.within {
				t.Errorf("%s: took %v, want at most %v", test.name, took, test.within)
			}
		}

		start := time.Now()
		err := gateway.Search(t.Context(), []Query{{Name: nowhere.PublicKey}, {newName(t).PublicKey, headStart}}, func(int, []byte) bool { return true })
		if !errors.Is(err, ErrNotFound) || time.Since(start) > 2*time.Second {
			t.Errorf("nowhere: %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*searchTime)
		defer cancel()
		for _, n := range servers {
			n.dead.Store(true)
		}
		start = time.Now()
		err = gateway.Search(ctx, []Query{{Name: published.PublicKey}}, func(int, []byte) bool { return true })
		if !errors.Is(err, ErrNotFound) || time.Since(start) > searchTime+time.Second {
			t.Errorf("all gone: %v after %v", err, time.Since(start))
		}
	})
}

func TestSearchEndsWithItsContext(t *testing.T) {
	d := onLoopback(t, Config{Server: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := d.Search(ctx, []Query{{Name: newName(t).PublicKey}}, func(int, []byte) bool { return true })
	if err == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := d.Search(t.Context(), nil, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("no queries: %v", err)
	}
}
