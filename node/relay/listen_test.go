package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
)

func TestListen(t *testing.T) {
	udp, tcp, err := Listen(t.Context(), loopback["4"], loopback["6"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		closeAll(udp)
		closeAll(tcp)
	}()
	taken := addrPort(udp[0].LocalAddr())
	for _, c := range udp {
		if addrPort(c.LocalAddr()).Port() != taken.Port() {
			t.Errorf("%v beside %v", c.LocalAddr(), taken)
		}
	}
	for _, l := range tcp {
		if addrPort(l.Addr()).Port() != taken.Port() {
			t.Errorf("%v beside %v", l.Addr(), taken)
		}
	}
	if _, _, err := Listen(t.Context(), taken); !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), fmt.Sprintf("port %d is in use", taken.Port())) {
		t.Errorf("taken: %v", err)
	}
	if _, _, err := Listen(t.Context(), netip.MustParseAddrPort("192.0.2.1:1")); err == nil || !strings.HasPrefix(err.Error(), "192.0.2.1 is not an address of this computer") {
		t.Errorf("foreign: %v", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a relay without sockets")
	}
	if _, err := New(Config{UDP: udp, Limits: Limits{Allocations: maxAllocations + 1}}); err == nil {
		t.Error("a relay with too many allocations")
	}
}

// TestListenAtAFreePort: what is free for UDP may be taken for TCP, and by
// many connections that have just ended it often is.
func TestListenAtAFreePort(t *testing.T) {
	var held []net.Listener
	defer func() { closeAll(held) }()
	for range 3000 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("only %d sockets: %v", len(held), err)
		}
		held = append(held, l)
	}
	for range 100 {
		udp, tcp, err := Listen(t.Context(), loopback["4"])
		if err != nil {
			t.Fatal(err)
		}
		closeAll(udp)
		closeAll(tcp)
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
		conns, unused, err := Listen(t.Context(), any)
		if err != nil {
			t.Fatal(err)
		}
		closeAll(unused)
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
