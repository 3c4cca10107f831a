package discovery

import (
	"context"
	"errors"
	"testing"
	"time"

	"anteroom/discovery/records"
	"anteroom/discovery/records/recordtest"
)

// A replica that has its record is found before the next name is shown to
// anyone; one that has none hands over at once or when its head start is up.
func TestSearchRacesReplicas(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		servers := s.swarm(10)
		home := s.node(Config{Bootstrap: []PeerInfo{servers[0].info()}})
		gateway := s.node(Config{Bootstrap: []PeerInfo{servers[1].info()}})
		s.settle()
		published, nowhere := recordtest.New(t), recordtest.New(t)
		const headStart, searchTime = 300 * time.Millisecond, 8 * time.Second
		if _, err := home.Publish(t.Context(), published.PublicKey, published.Sign(t, recordtest.Draft{})); err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			name    string
			queries []records.Query
			index   int
			within  time.Duration
		}{
			{"first replica", []records.Query{{Name: published.PublicKey}, {Name: nowhere.PublicKey, After: headStart}, {Name: nowhere.PublicKey, After: 2 * headStart}}, 0, 3 * simRTT},
			{"second replica", []records.Query{{Name: nowhere.PublicKey}, {Name: published.PublicKey, After: headStart}}, 1, headStart + 3*simRTT},
			{"all before it have failed", []records.Query{{Name: nowhere.PublicKey}, {Name: published.PublicKey, After: time.Minute}}, 1, time.Second},
			{"out of order", []records.Query{{Name: nowhere.PublicKey, After: time.Minute}, {Name: published.PublicKey}}, 1, 3 * simRTT},
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
		err := gateway.Search(t.Context(), []records.Query{{Name: nowhere.PublicKey}, {Name: recordtest.New(t).PublicKey, After: headStart}}, func(int, []byte) bool { return true })
		if !errors.Is(err, records.ErrNotFound) || time.Since(start) > 2*time.Second {
			t.Errorf("nowhere: %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*searchTime)
		defer cancel()
		for _, n := range servers {
			n.dead.Store(true)
		}
		start = time.Now()
		err = gateway.Search(ctx, []records.Query{{Name: published.PublicKey}}, func(int, []byte) bool { return true })
		if !errors.Is(err, records.ErrNotFound) || time.Since(start) > searchTime+time.Second {
			t.Errorf("all gone: %v after %v", err, time.Since(start))
		}
	})
}

func TestSearchEndsWithItsContext(t *testing.T) {
	d := onLoopback(t, Config{Server: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := d.Search(ctx, []records.Query{{Name: recordtest.New(t).PublicKey}}, func(int, []byte) bool { return true })
	if err == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, records.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := d.Search(t.Context(), nil, nil); !errors.Is(err, records.ErrNotFound) {
		t.Errorf("no queries: %v", err)
	}
}
