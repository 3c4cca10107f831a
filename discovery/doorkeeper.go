package discovery

import (
	"errors"
	"net/netip"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
)

// A doorkeeper paces those who connect from one address. libp2p's own pace, one
// connection in five seconds after the first sixteen, is also that of this
// node's dials, and a dial of one peer is two of its addresses or more: after a
// short time without network a node would not get back to its relay for a
// minute. Here the book's waits pace the dials.
type doorkeeper struct {
	network.ResourceManager
	pace *rate.Limiter
}

var errTooMany = errors.New("too many connections from this address")

// newDoorkeeper lets one IPv4 address, or one IPv6 site, connect once a second
// after a burst. A laptop on a bad line comes back that often; a handshake costs
// a millisecond.
func newDoorkeeper(m network.ResourceManager, burst int) *doorkeeper {
	each := rate.Limit{RPS: 1, Burst: burst}
	return &doorkeeper{m, &rate.Limiter{
		NetworkPrefixLimits: []rate.PrefixLimit{
			{Prefix: netip.MustParsePrefix("127.0.0.0/8")},
			{Prefix: netip.MustParsePrefix("::1/128")},
		},
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: each}},
			IPv6SubnetLimits: []rate.SubnetLimit{
				{PrefixLength: 56, Limit: each},
				{PrefixLength: 48, Limit: rate.Limit{RPS: 4 * each.RPS, Burst: 4 * burst}},
			},
		},
	}}
}

// OpenConnection implements network.ResourceManager. Circuits do not count as
// connections with the address of their relay, which bounds them: all of one
// relay's come from there.
func (k *doorkeeper) OpenConnection(dir network.Direction, usefd bool, far ma.Multiaddr) (network.ConnManagementScope, error) {
	if _, circuit := ma.SplitFunc(far, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT }); circuit != nil {
		return k.ResourceManager.OpenConnection(dir, usefd, circuit)
	}
	if ip := ipOf(far); dir == network.DirInbound && ip.IsValid() && !k.pace.Allow(ip) {
		return nil, errTooMany
	}
	return k.ResourceManager.OpenConnection(dir, usefd, far)
}
