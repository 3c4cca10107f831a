package relay

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/turn/v5"
)

// Relayed addresses are of ranges for documentation: no route leads to them,
// and browsers take them for public ones, about which they ask nobody.
//
// A call has an IP address of each family, whose last byte is its number, so
// that a permission, which knows no port, is for one call. An allocation's
// number is in its port.
var (
	range4 = netip.MustParseAddr("203.0.113.0")
	range6 = netip.MustParseAddr("2001:db8:a27e::")
)

const (
	maxCalls       = 254
	maxAllocations = 1024  // a power of two: the low bits of a port
	minPort        = 49152 // of relayed addresses, as RFC 8656 recommends; a multiple of maxAllocations
)

// A table is what a Relay knows of its allocations. Couriers hold mu for
// reading while they work through a batch; nobody holds it across I/O or a
// call into the library.
type table struct {
	limits Limits

	mu      sync.RWMutex
	slots   [maxAllocations]*allocation // by number
	last    int                         // number that was given out last
	live    int
	owners  map[string]int       // allocations of each seat
	calls   map[string]*callSlot // that have allocations
	numbers [maxCalls + 1]*callSlot
	called  int // number of a call that was given out last
	granted granted
}

// A callSlot is a call that has allocations.
type callSlot struct {
	number int // from 1
	live   int
}

func (t *table) init(l Limits) {
	t.limits = l
	t.owners = make(map[string]int)
	t.calls = make(map[string]*callSlot)
	t.granted.revoked = make(map[string]revocation)
}

var (
	errFull    = errors.New("too many allocations")
	errRevoked = errors.New("credentials have been revoked")
)

// fullLocked returns why this seat cannot have another allocation.
func (t *table) fullLocked(g grant) error {
	if t.live >= t.limits.Allocations || t.owners[g.seat] >= t.limits.PerSeat {
		return errFull
	}
	if c := t.calls[g.call]; c == nil && len(t.calls) >= maxCalls || c != nil && c.live >= t.limits.PerCall {
		return errFull
	}
	return nil
}

// add gives a a number and an address.
func (t *table) add(a *allocation, base netip.Addr) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.fullLocked(a.grant); err != nil {
		return err
	}
	if t.granted.isRevoked(a.grant) {
		return errRevoked
	}
	t.granted.newest = max(t.granted.newest, a.grant.issued) // by a run before this one
	// Round and round, so that an address rests before another client has it.
	c := t.calls[a.grant.call]
	if c == nil {
		for t.called = t.called%maxCalls + 1; t.numbers[t.called] != nil; {
			t.called = t.called%maxCalls + 1
		}
		c = &callSlot{number: t.called}
		t.calls[a.grant.call], t.numbers[c.number] = c, c
	}
	for t.last = (t.last + 1) % maxAllocations; t.slots[t.last] != nil; {
		t.last = (t.last + 1) % maxAllocations
	}
	b := base.AsSlice()
	b[len(b)-1] = byte(c.number)
	ip, _ := netip.AddrFromSlice(b)
	a.addr = netip.AddrPortFrom(ip, uint16(minPort+t.last+maxAllocations*rand.N((1<<16-minPort)/maxAllocations)))
	t.slots[t.last] = a
	t.live++
	t.owners[a.grant.seat]++
	c.live++
	return nil
}

// number is the place in slots of an allocation that had this address.
func number(addr netip.AddrPort) int { return int(addr.Port()) % maxAllocations }

// atLocked returns the allocation that has the relayed address, or nil.
func (t *table) atLocked(addr netip.AddrPort) *allocation {
	if a := t.slots[number(addr)]; a != nil && a.addr == addr {
		return a
	}
	return nil
}

// hasLocked reports whether a call has this IP address.
func (t *table) hasLocked(ip netip.Addr) bool {
	b := ip.AsSlice()
	if len(b) == 0 || int(b[len(b)-1]) > maxCalls || t.numbers[b[len(b)-1]] == nil {
		return false
	}
	base := range4.AsSlice()
	if ip.Is6() {
		base = range6.AsSlice()
	}
	return bytes.Equal(b[:len(b)-1], base[:len(base)-1])
}

// remove forgets a. It may be called again.
func (t *table) remove(a *allocation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := number(a.addr)
	if t.slots[n] != a {
		return
	}
	t.slots[n] = nil
	t.live--
	if t.owners[a.grant.seat]--; t.owners[a.grant.seat] == 0 {
		delete(t.owners, a.grant.seat)
	}
	c := t.calls[a.grant.call]
	if c.live--; c.live == 0 {
		delete(t.calls, a.grant.call)
		t.numbers[c.number] = nil
	}
	if a.endpoint.clients[a.client] == a {
		delete(a.endpoint.clients, a.client)
	}
}

// issue returns when g is issued.
func (t *table) issue(g grant, clock time.Time) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.granted.issue(g, clock, now())
}

// revoke ends the allocations of a call or a seat, and makes invalid what was
// granted to it so far.
func (t *table) revoke(tag string, clock time.Time) {
	t.mu.Lock()
	t.granted.revoke(tag, clock, now())
	t.mu.Unlock()
	t.closeIf(func(a *allocation) bool { return t.granted.isRevoked(a.grant) })
}

func (t *table) isRevoked(g grant) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.granted.isRevoked(g)
}

// carries reports whether user has an allocation whose credentials are good by
// the computer's own count.
func (t *table) carries(user string, now int64) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, a := range t.slots {
		if a != nil && a.user == user && now < a.until {
			return true
		}
	}
	return false
}

func (t *table) closeAll() { t.closeIf(func(*allocation) bool { return true }) }

func (t *table) closeIf(match func(*allocation) bool) {
	t.mu.RLock()
	var found []*allocation
	for _, a := range t.slots {
		if a != nil && match(a) {
			found = append(found, a)
		}
	}
	t.mu.RUnlock()
	for _, a := range found {
		a.Close()
	}
}

// mayAllocate is asked by the library before each allocation, so that clients
// are told; add counts again.
//
// An allocation of the same seat that nothing goes through makes room: a device
// that changes networks cannot end what it had there, and must not wait until
// that has run out. What carries a call, or may soon, is left alone.
func (r *Relay) mayAllocate(user, _ string, _ net.Addr) bool {
	g, _ := parseUsername(user)
	if idle := r.table.surplus(g.seat, now()-int64(r.idle)); idle != nil {
		idle.Close()
	}
	r.table.mu.RLock()
	defer r.table.mu.RUnlock()
	if r.table.fullLocked(g) != nil {
		r.count.quota.Add(1)
		return false
	}
	return true
}

// surplus returns the seat's allocation that was used least recently, and not
// since, if there is room for no other.
func (t *table) surplus(seat string, since int64) (idlest *allocation) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.owners[seat] < t.limits.PerSeat {
		return nil
	}
	for _, a := range t.slots {
		if a != nil && a.grant.seat == seat && a.used.Load() < since && (idlest == nil || a.used.Load() < idlest.used.Load()) {
			idlest = a
		}
	}
	return idlest
}

// maxChannels is how many an allocation can have. Browsers bind one for each
// address of each counterpart.
const maxChannels = 64

// mayReach is asked by the library before each permission and channel. Those
// that the client has may be refreshed, however many there are.
func (f *endpoint) mayReach(client net.Addr, peer net.IP) bool {
	t := &f.relay.table
	ip, _ := netip.AddrFromSlice(peer)
	t.mu.RLock()
	defer t.mu.RUnlock()
	a := f.clients[addrPort(client)]
	if a != nil && t.hasLocked(ip) && (len(a.peers) < maxChannels || !f.asksForAnother(a)) {
		return true
	}
	f.relay.count.peer.Add(1)
	return false
}

// asksForAnother reports whether the request that the library is busy with is
// for a channel that a does not have. The table is locked for reading.
func (f *endpoint) asksForAnother(a *allocation) bool {
	if f.answering == nil {
		return true
	}
	channel, peer, ok := parseBind(f.answering.b[:f.answering.n])
	return ok && a.peers[channel] != peer
}

// events are how the library tells of its allocations. It calls them under
// locks of its own.
func (r *Relay) events() turn.EventHandler {
	change := func(relayed net.Addr, f func(*allocation)) *allocation {
		r.table.mu.Lock()
		defer r.table.mu.Unlock()
		a := r.table.atLocked(addrPort(relayed))
		if a != nil {
			f(a)
		}
		return a
	}
	return turn.EventHandler{
		OnAuth: func(_, _ net.Addr, _, _, _, _ string, ok bool) {
			if !ok {
				r.count.credentials.Add(1)
			}
		},
		OnAllocationCreated: func(client, _ net.Addr, _, _, _ string, relayed net.Addr, _ int) {
			known := true
			a := change(relayed, func(a *allocation) {
				f := a.endpoint
				a.client, a.to, a.stream = addrPort(client), client, f.streams[addrPort(client)]
				a.source = f.source()
				if known = f.listener == nil || a.stream != nil; known {
					f.clients[a.client] = a
				}
			})
			if !known { // its stream ended while the request waited
				a.Close()
			}
		},
		OnPermissionCreated: func(_, _ net.Addr, _, _, _ string, relayed net.Addr, peer net.IP) {
			ip, _ := netip.AddrFromSlice(peer)
			change(relayed, func(a *allocation) { a.permitted[ip] = struct{}{} })
		},
		OnPermissionDeleted: func(_, _ net.Addr, _, _, _ string, relayed net.Addr, peer net.IP) {
			ip, _ := netip.AddrFromSlice(peer)
			change(relayed, func(a *allocation) { delete(a.permitted, ip) })
		},
		OnChannelCreated: func(_, _ net.Addr, _, _, _ string, relayed, peer net.Addr, channel uint16) {
			if channel < minChannel || channel > maxChannel {
				return // the library does not look
			}
			change(relayed, func(a *allocation) {
				a.peers[channel] = addrPort(peer)
				a.channels[addrPort(peer)] = channel
			})
		},
		OnChannelDeleted: func(_, _ net.Addr, _, _, _ string, relayed, peer net.Addr, channel uint16) {
			change(relayed, func(a *allocation) {
				delete(a.peers, channel)
				delete(a.channels, addrPort(peer))
			})
		},
	}
}

// addrPort is the address of a UDP or TCP socket, written in one way only.
func addrPort(a net.Addr) netip.AddrPort {
	var p netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		p = a.AddrPort()
	case *net.TCPAddr:
		p = a.AddrPort()
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// A generator gives the library what it takes for sockets.
type generator struct{ endpoint *endpoint }

// Validate implements turn.RelayAddressGenerator.
func (generator) Validate() error { return nil }

// AllocatePacketConn implements turn.RelayAddressGenerator.
func (g generator) AllocatePacketConn(req turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	if req.UserID == "" || req.RequestedPort != 0 {
		return nil, nil, errOnlyUDP // it is looking for an even port
	}
	a, err := g.endpoint.relay.newAllocation(g.endpoint, req.UserID, req.Network == "udp6")
	if err != nil {
		return nil, nil, err
	}
	return a, a.LocalAddr(), nil
}

var errOnlyUDP = errors.New("the relay offers plain UDP allocations only")

// AllocateListener implements turn.RelayAddressGenerator.
func (generator) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errOnlyUDP
}

// AllocateConn implements turn.RelayAddressGenerator.
func (generator) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errOnlyUDP }
