package node_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
	"anteroom/node/nodetest"
	"anteroom/node/polltest"
)

func TestBorrowedURLsAreThoseOfLenders(t *testing.T) {
	relay := &grants{url: "turn:relay.example:3478?transport=udp"}
	dir := filepath.Join(t.TempDir(), "data")
	first := nodetest.Start(t, "F", nodetest.Options{Dir: dir})
	id := first.Info().ID
	first.Stop()
	lender := nodetest.Start(t, "L", nodetest.Options{Relay: relay, LendTo: []peer.ID{id}})
	info := lender.Info()
	friend := nodetest.Start(t, "F", nodetest.Options{Dir: dir, Peers: []discovery.PeerInfo{info}, Lenders: []peer.ID{info.ID}})
	polltest.Eventually(t, "a lender known", friend.HasRelay)
	if got := friend.BorrowedURLs(t.Context()); !slices.Equal(got, []string{relay.url}) {
		t.Errorf("got %q, want %q", got, relay.url)
	}
	if got := lender.BorrowedURLs(t.Context()); len(got) != 0 {
		t.Errorf("a node without lenders borrows %q", got)
	}
	lender.Stop()
	if got := friend.BorrowedURLs(t.Context()); len(got) != 0 {
		t.Errorf("of a lender that is gone: %q", got)
	}
}
