package httpui

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"anteroom/node/admit"
)

// SECURITY.md, "Every request, in this order", says what these keep out. Limits
// of single messages are in package wire.
const (
	readHeaderTime = 5 * time.Second
	readTime       = 15 * time.Second
	writeTime      = 30 * time.Second // a whole response; sockets have their own
	idleTime       = 60 * time.Second
	drainTime      = 5 * time.Second // from the order to stop until Run returns
	maxHeaderBytes = 16 << 10
	maxHeaders     = 100
	maxBody        = 64 << 10
	maxStreams     = 64 // of one HTTP/2 connection

	pingInterval    = 15 * time.Second
	deadTime        = 45 * time.Second // without an answer to a ping
	socketWriteTime = 10 * time.Second // one frame
	closeTime       = time.Second      // for the closing handshake
)

// A Cap bounds how many of something are open at once: so many of those who have
// proved who they are, and as many of strangers (places.go).
type Cap struct {
	Total     int
	PerPrefix int // from one IPv4 /24 or IPv6 /56: a household, a surgery, a street
	Loopback  int // from this computer, where every tab and a tunnel are one address
}

// DefaultConnections and DefaultSockets are what a zero Cap in Config means.
var (
	// Ten browsers of one network, with the six connections that each may open.
	DefaultConnections = Cap{Total: 2000, PerPrefix: 60, Loopback: 500}
	// A hospital, or a mobile carrier that hides many patients behind one /24.
	DefaultSockets = Cap{Total: 500, PerPrefix: 100, Loopback: 500}
)

// connections keeps a Cap on what listeners accept, whatever becomes of it. A
// connection that became a socket is counted there instead. One that carried a
// request with a session is no stranger's.
type connections struct {
	*places

	mu   sync.Mutex
	open map[net.Conn]*connection
}

type connection struct {
	*place
	silent bool // no byte of a request has come yet
}

// connKey is where a request's context holds the net.Conn that it came by.
type connKey struct{}

func newConnections(c Cap) *connections {
	return &connections{places: newPlaces(c, DefaultConnections), open: map[net.Conn]*connection{}}
}

// watch is a http.Server's ConnState: it hears of every connection before any
// byte of it is read.
func (c *connections) watch(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		p := limitPrefix(addrOf(conn.RemoteAddr().String()))
		if _, ok := conn.(proxyConn); ok {
			p = trusted
		}
		it := c.take(p, false, func() { hangUp(conn) })
		c.mu.Lock()
		c.open[conn] = &connection{it, true}
		c.mu.Unlock()
	case http.StateActive:
		c.mu.Lock()
		if known, ok := c.open[conn]; ok {
			known.silent = false
		}
		c.mu.Unlock()
	case http.StateHijacked, http.StateClosed:
		c.mu.Lock()
		known, ok := c.open[conn]
		delete(c.open, conn)
		c.mu.Unlock()
		if ok {
			c.give(known.place)
		}
	}
}

// hangUp closes conn without a goodbye that might block.
func hangUp(conn net.Conn) {
	if encrypted, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = encrypted.NetConn()
	}
	conn.Close()
}

// of returns the place of the connection that a request came by; nil if that
// has gone.
func (c *connections) of(ctx context.Context) *place {
	conn, _ := ctx.Value(connKey{}).(net.Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.open[conn]; ok {
		return known.place
	}
	return nil
}

// closeSilent closes connections that browsers opened in case they need them,
// for which a http.Server's Shutdown would wait five seconds.
func (c *connections) closeSilent() {
	var silent []net.Conn
	c.mu.Lock()
	for conn, known := range c.open {
		if known.silent {
			silent = append(silent, conn)
		}
	}
	c.mu.Unlock()
	for _, conn := range silent {
		conn.Close()
	}
}

// addrOf returns the IP address in "address:port"; the zero Addr if there is none.
func addrOf(hostport string) netip.Addr {
	ap, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// limitPrefix is whom limits count as one.
func limitPrefix(a netip.Addr) netip.Prefix {
	switch {
	case a.IsLoopback():
		return loopback
	case a.IsUnspecified():
		return trusted
	}
	return admit.Prefix(a)
}

// logPrefix is as much of an address as may be written down.
func logPrefix(a netip.Addr) netip.Prefix {
	p := limitPrefix(a)
	if !p.Addr().Is4() {
		p, _ = a.Prefix(48) // fails for the zero Addr only, and then p is zero too
	}
	return p
}

// loopback stands for every address of this computer.
var loopback = netip.MustParsePrefix("127.0.0.0/8")

// trusted stands for proxies that we know, and for nodes that pass connections
// on without telling whose: these are everybody's.
var trusted = netip.MustParsePrefix("0.0.0.0/0")
