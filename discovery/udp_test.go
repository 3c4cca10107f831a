package discovery

import (
	"fmt"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
)

func TestAnswersUDP(t *testing.T) {
	a, b := onLoopback(t, Config{}), onLoopback(t, Config{})
	var port string
	shut := slices.DeleteFunc(slices.Clone(b.Addrs()), func(m ma.Multiaddr) bool {
		e, _ := address.Parse(m)
		if e.QUIC {
			port, _ = m.ValueForProtocol(ma.P_UDP)
		}
		return e.QUIC
	})
	if err := a.host.Connect(t.Context(), peer.AddrInfo{ID: b.ID(), Addrs: shut}); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		addrs []ma.Multiaddr
		want  bool
	}{
		"TCP alone":    {shut, false},
		"both":         {b.Addrs(), true},
		"under a name": {[]ma.Multiaddr{ma.StringCast(fmt.Sprintf("/dns4/localhost/udp/%s/quic-v1", port))}, true},
	} {
		if got := a.AnswersUDP(t.Context(), peer.AddrInfo{ID: b.ID(), Addrs: c.addrs}); got != c.want {
			t.Errorf("%s: %t", what, got)
		}
	}
	if got := a.AnswersUDP(t.Context(), peer.AddrInfo{ID: a.ID(), Addrs: b.Addrs()}); got {
		t.Error("somebody else answered, and counts")
	}
}
