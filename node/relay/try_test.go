package relay

import (
	"context"
	"errors"
	"testing"
	"time"

	"anteroom/node/polltest"
)

// Try takes a place as a client of another make does, and leaves none behind.
func TestTry(t *testing.T) {
	g := start(t, Config{}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, network := range []string{"udp", "tcp"} {
		for _, family := range []string{"4", "6"} {
			if err := g.Try(ctx, network, g.addr[network+family], nil); err != nil {
				t.Errorf("%s%s: %v", network, family, err)
			}
		}
	}
	if err := g.Try(ctx, "tcp", g.addr["tls4"], insecure()); err != nil {
		t.Errorf("tls: %v", err)
	}
	polltest.Eventually(t, "no allocations", func() bool { return g.Stats().Allocations == 0 })

	g.stop()
	if err := g.Try(ctx, "tcp", g.addr["tcp4"], nil); err == nil {
		t.Error("a place on a relay that has ended")
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := g.Try(short, "udp", g.addr["udp4"], nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}
