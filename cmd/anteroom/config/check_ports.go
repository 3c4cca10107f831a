package config

import "net/netip"

// collisions reports what cannot listen beside something else of this node.
func (p *problems) collisions(all []Endpoint) {
	told := make(map[string]bool)
	for i, later := range all {
		for _, first := range all[:i] {
			if at, meet := later.meets(first); meet && !told[later.name] {
				told[later.name] = true
				p.add(later.name, "listens at port %d like %s, and only one can: change one of them", at.Port(), first.name)
			}
		}
	}
}

// meets returns the address that two endpoints both want, if there is one. Port
// 0 is another one each time.
func (e Endpoint) meets(o Endpoint) (netip.AddrPort, bool) {
	if e.Network != o.Network {
		return netip.AddrPort{}, false
	}
	for _, x := range e.at {
		for _, y := range o.at {
			a, b := x.Addr(), y.Addr()
			if x.Port() == y.Port() && x.Port() != 0 && a.BitLen() == b.BitLen() && (a == b || a.IsUnspecified() || b.IsUnspecified()) {
				return x, true
			}
		}
	}
	return netip.AddrPort{}, false
}

// everywhere returns the addresses that package net listens at: those of both
// families if ip is none or unspecified in either.
func everywhere(ip netip.Addr, port uint16) []netip.AddrPort {
	if ip.IsUnspecified() {
		ip = netip.Addr{}
	}
	return bothFamilies(ip, port)
}

// bothFamilies returns ip alone or, if it is none, every address of both
// families.
func bothFamilies(ip netip.Addr, port uint16) []netip.AddrPort {
	if ip.IsValid() {
		return []netip.AddrPort{netip.AddrPortFrom(ip, port)}
	}
	return []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), port), netip.AddrPortFrom(netip.IPv6Unspecified(), port)}
}
