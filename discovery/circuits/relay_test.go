package circuits

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery/limit"
)

// nowhere is a network without connections.
type nowhere struct{ network.Network }

func (nowhere) ConnsToPeer(peer.ID) []network.Conn { return nil }

// A caller may call so often and no more.
func TestCallsAreLimited(t *testing.T) {
	a := accessList{clients: map[peer.ID]bool{"client": true}, network: nowhere{}, calls: limit.NewRate(time.Second, 3)}
	allowed := 0
	for range 10 {
		if a.AllowConnect("modest", nil, "client") {
			allowed++
		}
	}
	if allowed != 3 {
		t.Errorf("%d calls in a moment, want 3", allowed)
	}
	if a.AllowConnect("another", nil, "stranger") {
		t.Error("a call for a node that is no client")
	}
}
