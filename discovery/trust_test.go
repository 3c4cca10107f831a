package discovery

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestTrusts(t *testing.T) {
	friend, ward, stranger := idOf(t), idOf(t), idOf(t)
	d := run(t, Config{Peers: []PeerInfo{{ID: friend}}, Server: true, RelayFor: []peer.ID{ward}})
	if !d.Trusts(friend) || !d.Trusts(ward) || d.Trusts(stranger) {
		t.Errorf("friend %v, ward %v, stranger %v", d.Trusts(friend), d.Trusts(ward), d.Trusts(stranger))
	}
}
