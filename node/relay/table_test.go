package relay

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
)

// TestAddresses: allocations differ in their ports and calls in their IP
// addresses, and what has become free rests.
func TestAddresses(t *testing.T) {
	r, err := New(Config{UDP: []net.PacketConn{listening(t)}})
	if err != nil {
		t.Fatal(err)
	}
	var all []*allocation
	ports := make(map[uint16]bool)
	owner := make(map[netip.Addr]string)
	allocate := func(user string, v6 bool) bool {
		a, err := r.newAllocation(r.endpoints[0], user, v6)
		if err != nil {
			return false
		}
		all = append(all, a)
		ip, port := a.addr.Addr(), a.addr.Port()
		if was, ok := owner[ip]; ok && was != a.grant.call {
			t.Errorf("%v is of two calls", ip)
		}
		if ports[port] || port < minPort {
			t.Errorf("port %d", port)
		}
		ports[port], owner[ip] = true, a.grant.call
		r.table.mu.RLock()
		defer r.table.mu.RUnlock()
		if r.table.atLocked(a.addr) != a || !r.table.hasLocked(ip) {
			t.Errorf("%v is not found", a.addr)
		}
		return true
	}
	for i := range maxAllocations {
		if !allocate(r.newSeat(fmt.Sprint("call ", i%200), later()).Username, i%400 < 200) {
			t.Fatalf("no allocation %d", i)
		}
	}
	must(t, "allocations", r.Stats().Allocations, 1024)
	must(t, "addresses", len(owner), 2*200)
	if allocate(r.newSeat("call 0", later()).Username, false) {
		t.Error("one too many")
	}
	rested := all[0].addr
	for _, a := range slices.Backward(all) {
		a.Close()
		a.Close()
	}
	must(t, "allocations", r.Stats().Allocations, 0)
	must(t, "owners", len(r.table.owners)+len(r.table.calls), 0)
	if r.table.hasLocked(rested.Addr()) || r.table.atLocked(rested) != nil {
		t.Errorf("%v is still there", rested)
	}

	all, owner, ports = nil, make(map[netip.Addr]string), make(map[uint16]bool)
	for i := range maxCalls {
		if !allocate(r.newSeat(fmt.Sprint("new call ", i), later()).Username, false) {
			t.Fatalf("no call %d", i)
		}
	}
	must(t, "addresses", len(owner), maxCalls)
	if allocate(r.newSeat("another", later()).Username, false) {
		t.Error("one call too many")
	}
	for _, a := range all {
		a.Close()
	}
}
