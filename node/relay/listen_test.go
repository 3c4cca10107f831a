package relay

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestListen(t *testing.T) {
	conns, err := ListenUDP(t.Context(), loopback["4"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	taken := conns[0].LocalAddr().(*net.UDPAddr).AddrPort()
	if _, err := ListenUDP(t.Context(), taken); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("port %d is in use", taken.Port())) {
		t.Errorf("taken: %v", err)
	}
	if _, err := ListenTCP(t.Context(), netip.MustParseAddrPort("192.0.2.1:1")); err == nil || !strings.HasPrefix(err.Error(), "192.0.2.1 is not an address of this computer") {
		t.Errorf("foreign: %v", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a relay without sockets")
	}
	if _, err := New(Config{UDP: conns, Limits: Limits{Allocations: maxAllocations + 1}}); err == nil {
		t.Error("a relay with too many allocations")
	}
}

// TestEveryAddressAnswers: browsers take nothing from an address that they have
// not asked, nor do sockets that are connected.
func TestEveryAddressAnswers(t *testing.T) {
	for family, hosts := range map[string][]string{"4": {"127.0.0.1", "127.0.0.2", "127.1.2.3"}, "6": {"::1"}} {
		any := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		if family == "6" {
			any = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
		conns, err := ListenUDP(t.Context(), any)
		if err != nil {
			t.Fatal(err)
		}
		port := addrPort(conns[0].LocalAddr()).Port()
		r, err := New(Config{UDP: conns})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }() // ends with ctx
		for _, host := range hosts {
			where := "udp" + family
			g := &rig{Relay: r, addr: map[string]string{where: netip.AddrPortFrom(netip.MustParseAddr(host), port).String()}}
			a, b := g.pair(t, where, where)
			hears(t, a, b)
			hears(t, b, a)
			must(t, host, a.permit(b.relayed), 0)
			must(t, host, b.permit(a.relayed), 0)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
