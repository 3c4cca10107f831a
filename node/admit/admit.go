// Package admit bounds what strangers take of something that many share: so
// much in all, and so much for each customer of a provider, since whoever has
// one address has its neighbours.
package admit

import (
	"net"
	"net/netip"
)

// Prefix is what one customer of a provider usually has.
func Prefix(a netip.Addr) netip.Prefix {
	bits := 56
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits) // fails for too many bits only
	return p
}

// Networks counts who is there of each prefix.
type Networks map[netip.Prefix]int

// Remove takes one of p out again.
func (n Networks) Remove(p netip.Prefix) {
	if n[p]--; n[p] == 0 {
		delete(n, p)
	}
}

// Most returns how many are there of the prefix that has most.
func (n Networks) Most() (most int) {
	for _, count := range n {
		most = max(most, count)
	}
	return most
}

// Addr is the address of a connection's far end. Those without one are all
// taken for the same.
func Addr(a net.Addr) netip.Addr {
	at, _ := netip.ParseAddrPort(a.String())
	return at.Addr()
}
