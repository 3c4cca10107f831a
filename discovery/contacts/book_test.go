package contacts

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestNobodyOfOldWithoutAContact(t *testing.T) {
	b := &Book{contacts: map[peer.ID]*Contact{}, known: []Info{{ID: "old", Addrs: multiaddrs("/ip4/9.9.9.9/tcp/1")}}}
	if got := b.Seeds(); len(got) != 0 {
		t.Errorf("nobody is configured, but the DHT would dial %v", got)
	}
}
