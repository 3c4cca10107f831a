package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"

	"anteroom/node/quiet"
)

const (
	// readers is how many goroutines, and sockets, read the packets of one
	// address, where the system divides clients between them.
	readers = 2

	// socketBuffer holds what comes in while a reader waits for its turn.
	// Usual systems have 208 KiB, which a few calls overrun.
	socketBuffer = 4 << 20
)

// Listen opens the sockets of addrs, UDP and TCP at the same port: several that
// share the clients of each address for UDP, and one for TCP. All addrs have
// the same port; 0 means any that is free for all of them. An address of a
// family that this computer lacks is left out, if it has another.
//
// The error wraps syscall.EADDRINUSE if another program has the port.
func Listen(ctx context.Context, addrs ...netip.AddrPort) (udp []net.PacketConn, tcp []net.Listener, err error) {
	const tries = 16 // for a port that nobody takes before all have it
	for try := 1; ; try++ {
		udp, tcp, err = listen(ctx, addrs)
		if !errors.Is(err, syscall.EADDRINUSE) || addrs[0].Port() != 0 || try == tries {
			return udp, tcp, err
		}
	}
}

func listen(ctx context.Context, addrs []netip.AddrPort) (udp []net.PacketConn, tcp []net.Listener, err error) {
	var lacking error
	defer func() {
		if err != nil {
			closeAll(udp)
			closeAll(tcp)
			udp, tcp = nil, nil
		}
	}()
	port := addrs[0].Port()
	for _, addr := range addrs {
		addr = netip.AddrPortFrom(addr.Addr(), port)
		conns, err := listenUDP(ctx, addr)
		if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
			lacking = explain(addr, err)
			continue
		}
		if err != nil {
			return udp, tcp, explain(addr, err)
		}
		udp = append(udp, conns...)
		port = addrPort(conns[0].LocalAddr()).Port()
		addr = netip.AddrPortFrom(addr.Addr(), port)
		l, err := new(net.ListenConfig).Listen(ctx, network("tcp", addr), addr.String())
		if err != nil {
			return udp, tcp, explain(addr, err)
		}
		tcp = append(tcp, quiet.Listen(l))
	}
	if len(tcp) == 0 {
		return nil, nil, lacking
	}
	return udp, tcp, nil
}

// listenUDP opens the sockets of one address, which clients are divided
// between.
func listenUDP(ctx context.Context, addr netip.AddrPort) ([]net.PacketConn, error) {
	// Sockets that share an address would let another program of this user
	// share it as well; one that does not share finds that out.
	probe, err := new(net.ListenConfig).ListenPacket(ctx, network("udp", addr), addr.String())
	if err != nil {
		return nil, err
	}
	addr = netip.AddrPortFrom(addr.Addr(), addrPort(probe.LocalAddr()).Port())
	probe.Close()

	var conns []net.PacketConn
	shared := net.ListenConfig{Control: share}
	for range readers {
		c, err := shared.ListenPacket(ctx, network("udp", addr), addr.String())
		if err != nil {
			closeAll(conns)
			return nil, err
		}
		grow(c.(*net.UDPConn))
		if canShare && addr.Addr().IsUnspecified() {
			if err := hearDestinations(c.(*net.UDPConn), addr.Addr()); err != nil {
				closeAll(append(conns, c))
				return nil, fmt.Errorf("ask where packets come to: %w", err)
			}
		}
		conns = append(conns, withoutPoller(c.(*net.UDPConn)))
		if !canShare {
			break
		}
	}
	return conns, nil
}

func closeAll[C io.Closer](all []C) {
	for _, c := range all {
		c.Close()
	}
}

// network makes an unspecified address mean its own family only, so that one
// of each can be opened.
func network(kind string, addr netip.AddrPort) string {
	if addr.Addr().Is4() {
		return kind + "4"
	}
	return kind + "6"
}

// grow asks for larger buffers. The system may give less.
func grow(c *net.UDPConn) {
	c.SetReadBuffer(socketBuffer)
	c.SetWriteBuffer(socketBuffer)
	growBeyond(c)
}

func explain(addr netip.AddrPort, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %d is in use by another program; stop it or choose another port for the relay: %w", addr.Port(), syscall.EADDRINUSE)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %d is not allowed; choose one above 1023 for the relay: %w", addr.Port(), syscall.EACCES)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%v is not an address of this computer: %w", addr.Addr(), syscall.EADDRNOTAVAIL)
	}
	return fmt.Errorf("open port %d for the relay: %w", addr.Port(), err)
}
