package passthrough

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// A Back is a listener whose connections come from public nodes, as they were
// made there. The caller terminates TLS.
type Back struct {
	fronts  []peer.ID
	clients Clients
	conns   chan net.Conn
	done    chan struct{}
	once    sync.Once

	mu    sync.Mutex
	ports map[uint16]bool // of connections without an address
	last  uint16          // that was given out
}

var _ net.Listener = (*Back)(nil)

// Clients is what a Back asks of its fronts about their clients.
type Clients bool

const (
	// Anonymous asks nothing: the IP address of a connection is nobody's, [::], and
	// its port tells it from the others that are open.
	Anonymous Clients = false
	// Addressed asks for the client's address, which each connection's RemoteAddr is
	// then, as the front says.
	Addressed Clients = true
)

// NewBack returns a listener for what fronts pass on.
func NewBack(fronts []peer.ID, clients Clients) *Back {
	return &Back{fronts: fronts, clients: clients, conns: make(chan net.Conn), done: make(chan struct{}), ports: make(map[uint16]bool)}
}

// Serve handles a stream of Protocol; it returns when the connection is over.
func (b *Back) Serve(ctx context.Context, s network.Stream) {
	front := s.Conn().RemotePeer()
	if !slices.Contains(b.fronts, front) {
		s.Reset()
		return
	}
	conn := &passed{Stream: s, closed: make(chan struct{})}
	if err := b.greet(conn); err != nil {
		s.Reset()
		return
	}
	if conn.client == nil {
		port := b.takePort()
		defer b.freePort(port)
		conn.client = &net.TCPAddr{IP: net.IPv6unspecified, Port: int(port)}
	}
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	select {
	case b.conns <- conn:
	case <-b.done:
		s.Reset()
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-conn.closed:
	case <-ctx.Done():
	}
}

func (b *Back) greet(conn *passed) error {
	conn.SetDeadline(time.Now().Add(openTime))
	defer conn.SetDeadline(time.Time{})
	if b.clients == Anonymous {
		_, err := conn.Write([]byte{wantsNothing})
		return err
	}
	if _, err := conn.Write([]byte{wantsAddress}); err != nil {
		return err
	}
	var said [addressSize]byte
	if _, err := io.ReadFull(conn, said[:]); err != nil {
		return err
	}
	if client := decodeAddress(said); client.IP.IsGlobalUnicast() {
		conn.client = client // of this computer it would be somebody else's
	}
	return nil
}

// takePort returns a port that no open connection has: a TURN server knows its
// clients by their addresses. There are far fewer connections than ports.
func (b *Back) takePort() uint16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.last++; b.last == 0 || b.ports[b.last]; {
		b.last++
	}
	b.ports[b.last] = true
	return b.last
}

func (b *Back) freePort(port uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.ports, port)
}

// Accept implements net.Listener.
func (b *Back) Accept() (net.Conn, error) {
	select {
	case conn := <-b.conns:
		return conn, nil
	case <-b.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Connections that were accepted go on.
func (b *Back) Close() error {
	b.once.Do(func() { close(b.done) })
	return nil
}

// Addr implements net.Listener.
func (b *Back) Addr() net.Addr { return noAddress }

// noAddress is this end's of what comes through a public node.
var noAddress net.Addr = &net.TCPAddr{IP: net.IPv6unspecified}

// A passed connection is a stream that looks like the TCP connection which it
// carries.
type passed struct {
	network.Stream
	client net.Addr
	closed chan struct{}
	once   sync.Once
}

var _ net.Conn = (*passed)(nil)

func (c *passed) LocalAddr() net.Addr  { return noAddress }
func (c *passed) RemoteAddr() net.Addr { return c.client }

// Close implements net.Conn: what was written still arrives.
func (c *passed) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Stream.Close()
}
