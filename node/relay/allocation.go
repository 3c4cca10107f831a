package relay

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// longest is how long an allocation may last, without the lifetime that it had
// left: no appointment with its window takes a day. Credentials that say more
// are from a clock that is behind.
const longest = 24 * time.Hour

// An allocation is a client's address in this process. To the library it is
// the socket that it would relay through: one that never receives and through
// which nothing leaves.
type allocation struct {
	noDeadlines
	relay    *Relay
	endpoint *endpoint
	user     string
	grant    grant          // what user says
	until    int64          // when that ends, by now
	addr     netip.AddrPort // relayed
	used     atomic.Int64   // when a packet last came from or for its client, to a tenth of the relay's idle

	bytes, packets *limit

	// Guarded by the table's mu. The first four are set once it is known
	// whose allocation this is.
	client    netip.AddrPort
	to        net.Addr // client, as sockets want it
	source    []byte   // says where what is sent to it is to leave from
	stream    *stream  // nil: over UDP
	permitted map[netip.Addr]struct{}
	peers     map[uint16]netip.AddrPort // by channel
	channels  map[netip.AddrPort]uint16 // by peer

	end    *time.Timer // closes it after its credentials
	once   sync.Once
	closed chan struct{}
}

func (r *Relay) newAllocation(f *endpoint, user string, v6 bool) (*allocation, error) {
	g, _ := parseUsername(user)
	a := &allocation{
		relay:     r,
		endpoint:  f,
		user:      user,
		grant:     g,
		bytes:     newLimit(r.limits.Bits / 8),
		packets:   newLimit(r.limits.Packets),
		permitted: make(map[netip.Addr]struct{}),
		peers:     make(map[uint16]netip.AddrPort),
		channels:  make(map[netip.AddrPort]uint16),
		closed:    make(chan struct{}),
	}
	base := range4
	if v6 {
		base = range6
	}
	a.used.Store(now())
	left := min(g.until.Sub(r.clock().Round(0)), longest)
	a.until = now() + int64(left)
	a.end = time.AfterFunc(left+lifetime, func() { a.Close() })
	if err := r.table.add(a, base); err != nil {
		a.end.Stop()
		return nil, err
	}
	return a, nil
}

// use notes that a packet goes through a.
func (a *allocation) use(now int64) {
	if now-a.used.Load() > int64(a.relay.idle/10) { // readers do not contend for it at every packet
		a.used.Store(now)
	}
}

// ReadFrom implements net.PacketConn. Its end tells the library that the
// allocation is over, if it was not the library that closed it.
func (a *allocation) ReadFrom([]byte) (int, net.Addr, error) {
	<-a.closed
	return 0, nil, net.ErrClosed
}

// WriteTo implements net.PacketConn. Couriers take all packets before the
// library could write any; were one to get here, it would get no further.
func (a *allocation) WriteTo(p []byte, _ net.Addr) (int, error) {
	a.relay.count.elsewhere.Add(1)
	return len(p), nil
}

// Close implements net.PacketConn. When it returns, no packet goes through the
// allocation any more.
func (a *allocation) Close() error {
	a.relay.table.remove(a)
	a.once.Do(func() {
		a.end.Stop()
		close(a.closed)
	})
	return nil
}

// LocalAddr implements net.PacketConn.
func (a *allocation) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(a.addr) }
