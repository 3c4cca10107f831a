package httpui

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
)

// proxies are the networks of the TLS proxies that we know.
type proxies []netip.Prefix

func (p proxies) contain(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(known netip.Prefix) bool { return known.Contains(a) })
}

// A proxyListener accepts known proxies only.
type proxyListener struct {
	net.Listener
	proxies   proxies
	strangers *tally
}

// A proxyConn is a connection from a known proxy.
type proxyConn struct{ net.Conn }

func (l *proxyListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.proxies.contain(addrOf(conn.RemoteAddr().String())) {
			return proxyConn{conn}, nil
		}
		conn.Close()
		l.strangers.add(event{slog.LevelWarn, "connection from no trusted proxy closed", ""})
	}
}
