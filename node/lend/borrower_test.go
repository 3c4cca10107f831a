package lend

import (
	"context"
	"log/slog"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Whoever waits for a relay is told in the next round if they could not be in this
// one, once, and not after they have gone.
func TestWaitersAreToldOnce(t *testing.T) {
	b := NewBorrower(nil, []peer.ID{"lender"}, func() {}, slog.New(slog.DiscardHandler))
	var early, late, gone int
	b.Await(func(context.Context) bool { early++; return true })
	b.Await(func(context.Context) bool { late++; return late == 2 })
	b.Await(func(context.Context) bool { gone++; return true })()
	b.tellWaiters(t.Context())
	if early+late+gone != 0 {
		t.Error("told while nobody lends")
	}
	b.answered("lender", true)
	for range 3 {
		b.tellWaiters(t.Context())
	}
	if early != 1 || late != 2 || gone != 0 {
		t.Errorf("told %d, %d and %d times, want 1, 2 and 0", early, late, gone)
	}
	if len(b.waiting) != 0 {
		t.Errorf("%d wait on", len(b.waiting))
	}
}
