package reach

import (
	"net/netip"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

func multiaddrs(list ...string) (out []ma.Multiaddr) {
	for _, s := range list {
		out = append(out, ma.StringCast(s))
	}
	return out
}

// What libp2p still lists does not come back for as long as libp2p lists it,
// and an address that is seen from outside only is not held back for ever.
func TestGoneAddressesAreForgotten(t *testing.T) {
	d := &Roamer{}
	now := time.Now()
	d.lookOut(multiaddrs("/ip4/45.1.0.2"), now)
	old := multiaddrs("/ip4/45.1.0.2/tcp/1")
	if changed, gone := d.lookOut(nil, now); !changed || !gone[netip.MustParseAddr("45.1.0.2")] {
		t.Errorf("changed: %v, gone: %v", changed, gone)
	}
	if got := d.Renew(nil, old); len(got) != 0 {
		t.Errorf("an address that is gone is named: %v", got)
	}
	d.lookOut(nil, now.Add(staleFor+1))
	if got := d.Renew(nil, old); len(got) != 1 {
		t.Error("an address that was the computer's own is never named again")
	}
}
