package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

const (
	// readers is how many goroutines, and sockets, read the packets of one
	// address, where the system divides clients between them.
	readers = 2

	// socketBuffer holds what comes in while a reader waits for its turn.
	// Usual systems have 208 KiB, which a few calls overrun.
	socketBuffer = 4 << 20
)

// ListenUDP opens the sockets of one address, which clients are divided
// between. Port 0 means any that is free.
// The error wraps syscall.EADDRINUSE if another program has the port.
func ListenUDP(ctx context.Context, addr netip.AddrPort) ([]net.PacketConn, error) {
	// Sockets that share an address would let another program of this user
	// share it as well; one that does not share finds that out.
	probe, err := new(net.ListenConfig).ListenPacket(ctx, network("udp", addr), addr.String())
	if err != nil {
		return nil, explain(addr, err)
	}
	addr = addrPortAt(addr, probe.LocalAddr())
	probe.Close()

	var conns []net.PacketConn
	shared := net.ListenConfig{Control: share}
	for range readers {
		c, err := shared.ListenPacket(ctx, network("udp", addr), addr.String())
		if err != nil {
			closeAll(conns)
			return nil, explain(addr, err)
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

func closeAll(conns []net.PacketConn) {
	for _, c := range conns {
		c.Close()
	}
}

// ListenTCP opens a listener for clients that cannot use UDP. Its errors are
// those of ListenUDP.
func ListenTCP(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, network("tcp", addr), addr.String())
	if err != nil {
		return nil, explain(addr, err)
	}
	return l, nil
}

// network makes an unspecified address mean its own family only, so that one
// of each can be opened.
func network(kind string, addr netip.AddrPort) string {
	if addr.Addr().Is4() {
		return kind + "4"
	}
	return kind + "6"
}

func addrPortAt(addr netip.AddrPort, local net.Addr) netip.AddrPort {
	return netip.AddrPortFrom(addr.Addr(), addrPort(local).Port())
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
