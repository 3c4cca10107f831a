package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	ma "github.com/multiformats/go-multiaddr"
)

// An endpoint is one address at which a key of the configuration listens.
type endpoint struct {
	key, network string // tcp or udp
	at           netip.AddrPort
}

// collisions reports what cannot listen beside something else of this node.
func (p *problems) collisions(c Config) {
	all, told := endpoints(c), make(map[string]bool)
	for i, later := range all {
		for _, first := range all[:i] {
			if later.meets(first) && !told[later.key] {
				told[later.key] = true
				p.add(later.key, "listens at port %d like %s, and only one can: change one of them", later.at.Port(), first.key)
			}
		}
	}
}

// meets reports whether two endpoints want the same address. Port 0 is another
// one each time.
func (e endpoint) meets(o endpoint) bool {
	a, b := e.at.Addr(), o.at.Addr()
	return e.network == o.network && e.at.Port() == o.at.Port() && e.at.Port() != 0 && a.BitLen() == b.BitLen() &&
		(a == b || a.IsUnspecified() || b.IsUnspecified())
}

// endpoints returns where cfg listens. What cannot be read is left out: another
// problem says so.
func endpoints(c Config) (all []endpoint) {
	list := func(key string, listen []string, of func(string) []netip.AddrPort, networks ...string) {
		for i, text := range listen {
			for _, at := range of(text) {
				for _, network := range networks {
					all = append(all, endpoint{fmt.Sprintf("%s[%d]", key, i), network, at})
				}
			}
		}
	}
	list("http.listen", c.HTTP.Listen, listensAt, "tcp")
	if c.HTTP.TLS.Mode != TLSOff {
		list("http.public_listen", c.HTTP.PublicListen, listensAt, "tcp")
	}
	if c.HTTP.TLS.Mode == TLSFiles || c.HTTP.TLS.Mode == TLSACME {
		for _, at := range listensAt(c.HTTP.RedirectListen) {
			all = append(all, endpoint{"http.redirect_listen", "tcp", at})
		}
	}
	if c.HasRelay() {
		list("relay.listen", c.Relay.Listen, func(text string) []netip.AddrPort {
			at, _ := BothFamilies(text)
			return at
		}, "tcp", "udp")
	}
	for i, text := range c.Discovery.Listen { // libp2p listens in one family at a time
		a, err := ma.NewMultiaddr(text)
		if err != nil || len(a) < 2 {
			continue
		}
		if at, err := netip.ParseAddrPort(net.JoinHostPort(a[0].Value(), a[1].Value())); err == nil {
			all = append(all, endpoint{fmt.Sprintf("discovery.listen[%d]", i), a[1].Protocol().Name, at})
		}
	}
	return all
}

// listensAt returns the addresses that package net listens at: those of both
// families if the host is empty or unspecified in either.
func listensAt(listen string) (at []netip.AddrPort) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil
	}
	port := uint16(n)
	switch ip, err := netip.ParseAddr(host); {
	case host == "localhost":
		return []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port), netip.AddrPortFrom(netip.IPv6Loopback(), port)}
	case host == "" || err == nil && ip.IsUnspecified():
		return []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), port), netip.AddrPortFrom(netip.IPv6Unspecified(), port)}
	case err == nil:
		return []netip.AddrPort{netip.AddrPortFrom(ip, port)}
	}
	return nil
}
