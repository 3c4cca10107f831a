package admission

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"anteroom/discovery/address"
)

// A Manager turns away nobody for want of room: who has been silent for long
// gives way to who comes. There are so many places for those who have not said
// who they are, and so many for strangers; nodes that the operator named, and
// strangers who have proved something, have places of their own.
//
// Of those who could give way it is one of the network that most of them come
// from, and of these the one that has been silent for the longest time, so
// who fills the places sends away its own. Strangers in the routing table go
// after all others that are silent: they have answered a question.
//
// It also paces those who connect from one address. libp2p's own pace, one
// connection in five seconds after the first sixteen, is also that of this
// node's dials, and a dial of one peer is two of its addresses or more: after a
// short time without network a node would not get back to its relay for a
// minute. Here the book's waits pace the dials.
//
// It is made before the host; Gater.Manager is nil until then, when nobody can
// come.
type Manager struct {
	network.ResourceManager
	gater  *Gater
	limits Limits
	pace   *rate.Limiter

	mu        sync.Mutex
	accepted  map[string]io.Closer          // by far address; OpenConnection takes them out
	conns     []*connScope                  // who came first is first
	evicted   []*connScope                  // that gave way, and have not been hung up on
	lingering map[*connScope]bool           // that gave way and cannot be hung up on; they end by themselves
	served    map[protocol.ID]time.Duration // our protocols, and how long one waits for proof
	streams   int                           // that strangers opened
	unnamed   int                           // of these, that have not said of which protocol they are
}

var (
	errTooMany = errors.New("too many connections from this address")
	errNowhere = errors.New("connection from nowhere")
	errFull    = errors.New("too many connections")
	errEvicted = errors.New("connection gave way to another")
)

// maxLingering is how many QUIC handshakes may go on, for 10 s at most, after
// they gave way: quic-go cannot be told to end one. If there are more, those
// who come by QUIC are turned away, and TCP is left.
const maxLingering = 256

// NewManager lets one IPv4 address, or one IPv6 site, connect once a second
// after a burst. A laptop on a bad line comes back that often; a handshake costs
// a millisecond. Clients may all come at once, from one address.
func NewManager(m network.ResourceManager, g *Gater, limits Limits, clients int) *Manager {
	limits.Handshakes += clients
	limits.HandshakesPerNetwork += clients
	if g.AllowPrivate { // all nodes may be in one network
		limits.HandshakesPerNetwork, limits.StrangersPerNetwork = limits.Handshakes, limits.Strangers
	}
	burst := 2 * (8 + clients)
	each := rate.Limit{RPS: 1, Burst: burst}
	return &Manager{
		ResourceManager: m,
		gater:           g,
		limits:          limits,
		pace: &rate.Limiter{
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
		},
		accepted:  make(map[string]io.Closer),
		lingering: make(map[*connScope]bool),
		served:    make(map[protocol.ID]time.Duration),
	}
}

// accept notes a connection that is about to be opened, or, by QUIC, that has
// said who it is. It returns whether it may stay.
func (k *Manager) accept(c network.ConnMultiaddrs) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch c := c.(type) {
	case transport.CapableConn:
		v, ok := c.Scope().(*connScope)
		if !ok {
			return true
		}
		v.close = func() { _ = c.CloseWithError(network.ConnGarbageCollected) }
		return !v.gone
	case manet.Conn:
		far := c.RemoteMultiaddr().String()
		if k.accepted[far] != nil {
			return false // twice from one port, at the same moment
		}
		k.accepted[far] = c
	}
	return true
}

// stays reports whether a connection that is complete may stay.
func (k *Manager) stays(c network.Conn) bool {
	v, ok := c.Scope().(*connScope)
	if !ok {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return !v.gone
}

// Connected notes a connection whose streams can be looked at from now on.
func (k *Manager) Connected(_ network.Network, c network.Conn) {
	if v, ok := c.Scope().(*connScope); ok {
		k.mu.Lock()
		defer k.mu.Unlock()
		v.conn = c
	}
}

// OpenConnection implements network.ResourceManager. Circuits do not count as
// connections with the address of their relay, which bounds them: all of one
// relay's come from there.
func (k *Manager) OpenConnection(dir network.Direction, usefd bool, far ma.Multiaddr) (network.ConnManagementScope, error) {
	_, circuit := ma.SplitFunc(far, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT })
	if dir != network.DirInbound {
		if circuit != nil {
			far = circuit
		}
		return k.ResourceManager.OpenConnection(dir, usefd, far)
	}
	v := &connScope{manager: k, heard: time.Now()}
	v.from, _ = address.Subnet(far)
	k.mu.Lock()
	if c := k.accepted[far.String()]; c != nil {
		delete(k.accepted, far.String())
		v.close = func() { _ = c.Close() }
	}
	k.mu.Unlock()
	if ip := address.IP(far); circuit == nil && !ip.IsValid() {
		return nil, errNowhere
	} else if circuit == nil && !k.pace.Allow(ip) {
		return nil, errTooMany
	}
	if err := k.enter(v); err != nil {
		return nil, err
	}
	scope, err := k.ResourceManager.OpenConnection(dir, usefd, circuit) // without an address: there are limits of ours
	if err != nil {
		k.leave(v)
		return nil, err
	}
	k.mu.Lock()
	v.ConnManagementScope = scope
	gone := v.gone
	k.mu.Unlock()
	if gone {
		scope.Done()
		return nil, errEvicted
	}
	return v, nil
}

// VerifySourceAddress implements network.ResourceManager: nobody who pretends to
// be elsewhere makes others give way.
func (k *Manager) VerifySourceAddress(a net.Addr) bool {
	k.mu.Lock()
	crowded := 2*len(k.handshakesLocked()) >= k.limits.Handshakes
	k.mu.Unlock()
	return crowded || k.ResourceManager.VerifySourceAddress(a)
}
