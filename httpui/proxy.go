package httpui

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// proxies are the networks of the TLS proxies that we know.
type proxies []netip.Prefix

func (p proxies) contain(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(known netip.Prefix) bool { return known.Contains(a) })
}

// client returns the address that a known proxy asks for. Each proxy appends
// whom it heard from, so what is true stands on the right, up to the first
// address that is none of ours; left of that is what a stranger claims.
func (p proxies) client(h http.Header) (client netip.Addr, ok bool) {
	if proto := h.Values("X-Forwarded-Proto"); len(proto) != 1 || !strings.EqualFold(proto[0], "https") {
		return client, false
	}
	for _, hop := range slices.Backward(tokens(h, "X-Forwarded-For")) {
		addr, err := netip.ParseAddr(hop)
		if err != nil {
			return netip.Addr{}, false
		}
		if client = addr.Unmap().WithZone(""); !p.contain(client) {
			return client, true
		}
	}
	return client, client.IsValid() // somebody at a proxy itself
}

// A proxyListener accepts known proxies only.
type proxyListener struct {
	net.Listener
	proxies proxies
	log     *slog.Logger
	once    sync.Once
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
		l.once.Do(func() {
			l.log.Warn("connection from no trusted proxy closed; the next ones will be without a word")
		})
	}
}
