package relay

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"time"

	"anteroom/node/admit"
)

const (
	// sortTime is how long a client may take to say what it wants, and how
	// long it may wait for somebody who accepts it.
	sortTime = 10 * time.Second

	// DefaultSilent is how many clients may take that long at once,
	// DefaultSilentOf how many of one /24 or /56. For one more, one that has been
	// silent for long is hung up on.
	DefaultSilent, DefaultSilentOf = 512, 64
)

// A Splitter divides the connections of a listener, made with tls.NewListener,
// between a web server and a Relay: by ALPN, or else by the first bytes that a
// client sends. A web server gets the *tls.Conn itself for HTTP/2, and
// otherwise a net.Conn with its ConnectionState method, from which net/http
// sets Request.TLS.
//
// The ALPN protocols that the listener's tls.Config offers need not include any
// of TURN: browsers send none for it.
type Splitter struct {
	net.Listener
	web, turn *branch
	silent    *admit.Backlog

	ctx     context.Context // ends with what Accept returns
	cancel  context.CancelCauseFunc
	running sync.WaitGroup // of those whom Run has accepted
}

// NewSplitter returns a Splitter of l. Those who have not said yet what they
// want are in silent, which several Splitters may share.
func NewSplitter(l net.Listener, silent *admit.Backlog) *Splitter {
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &Splitter{Listener: l, ctx: ctx, cancel: cancel, silent: silent}
	s.web, s.turn = &branch{s, make(chan net.Conn)}, &branch{s, make(chan net.Conn)}
	return s
}

// Web returns what the web server is to serve, Turn what the Relay is to. To
// close one is to close both, and the listener that they come from.
func (s *Splitter) Web() net.Listener  { return s.web }
func (s *Splitter) Turn() net.Listener { return s.turn }

// Run divides connections until the listener is closed. When ctx ends, it closes
// it.
func (s *Splitter) Run(ctx context.Context) {
	defer s.running.Wait()
	defer context.AfterFunc(ctx, func() { s.web.Close() })()
	s.cancel(admit.Accept(s.Listener, s.begin))
}

type branch struct {
	*Splitter
	conns chan net.Conn
}

// Accept implements net.Listener.
func (b *branch) Accept() (net.Conn, error) {
	select {
	case c := <-b.conns:
		return c, nil
	case <-b.ctx.Done():
		return nil, context.Cause(b.ctx)
	}
}

// Close implements net.Listener. It hangs up on those who wait.
func (b *branch) Close() error {
	b.cancel(&net.OpError{Op: "accept", Net: "tcp", Addr: b.Addr(), Err: net.ErrClosed})
	return b.Listener.Close()
}

// begin finds out what one client wants.
func (s *Splitter) begin(conn net.Conn) {
	c, ok := conn.(*tls.Conn)
	if !ok {
		conn.Close()
		return
	}
	ctx, hangUp := context.WithCancel(s.ctx)
	leave := s.silent.Enter(addrPort(conn.RemoteAddr()).Addr(), hangUp)
	s.running.Go(func() { // ends within twice sortTime
		defer leave()
		defer hangUp()
		s.pass(ctx, c)
	})
}

// pass gives one connection to whom it is for, or hangs up when ctx ends.
func (s *Splitter) pass(ctx context.Context, c *tls.Conn) {
	hangUp := func() { c.NetConn().Close() } // without a goodbye that might block
	unhook := context.AfterFunc(ctx, hangUp)
	c.SetDeadline(time.Now().Add(sortTime))
	to, conn, err := s.sort(ctx, c)
	if !unhook() || err != nil {
		hangUp()
		return
	}
	c.SetDeadline(time.Time{})
	patience := time.NewTimer(sortTime)
	defer patience.Stop()
	select {
	case to.conns <- conn:
	case <-patience.C:
		hangUp()
	case <-ctx.Done():
		hangUp()
	}
}

// sort finds out whom c is for, and what to give them.
func (s *Splitter) sort(ctx context.Context, c *tls.Conn) (*branch, net.Conn, error) {
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, nil, err
	}
	switch c.ConnectionState().NegotiatedProtocol {
	case "h2":
		return s.web, c, nil
	case "stun.turn":
		return s.turn, c, nil
	}
	head := make([]byte, 8)
	n, err := io.ReadAtLeast(c, head, 1)
	if err == nil && head[0] < 0x40 { // no letter, with which requests of HTTP begin
		var more int
		more, err = io.ReadFull(c, head[n:])
		n += more
	}
	if err != nil {
		return nil, nil, err
	}
	conn := &peeked{Conn: c, head: head[:n]}
	if isSTUN(conn.head) {
		return s.turn, conn, nil
	}
	return s.web, conn, nil
}

// peeked is a connection of which the first bytes have been read already.
type peeked struct {
	*tls.Conn
	head []byte
}

// Read implements net.Conn.
func (c *peeked) Read(p []byte) (int, error) {
	if len(c.head) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.head)
	c.head = c.head[n:]
	return n, nil
}
