package httpui

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// memListener is a listener in memory, so that ports are fixed, clients have
// whatever address a test wants, and time can be simulated.
type memListener struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemListener(addr string) *memListener {
	return &memListener{addr: tcpAddr(addr), conns: make(chan net.Conn), closed: make(chan struct{})}
}

func tcpAddr(addr string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)) }

func (l *memListener) Addr() net.Addr { return l.addr }

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// dial connects from an address.
func (l *memListener) dial(from string) (net.Conn, error) {
	up, down := newStream(), newStream()
	client := &memConn{in: down, out: up, local: tcpAddr(from), remote: l.addr}
	server := &memConn{in: up, out: down, local: l.addr, remote: client.local}
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// memConn is one end of a connection in memory. Like TCP, and unlike net.Pipe,
// it buffers what has been written.
type memConn struct {
	in, out       *stream
	local, remote net.Addr
}

func (c *memConn) Read(p []byte) (int, error)         { return c.in.read(p) }
func (c *memConn) Write(p []byte) (int, error)        { return c.out.write(p) }
func (c *memConn) LocalAddr() net.Addr                { return c.local }
func (c *memConn) RemoteAddr() net.Addr               { return c.remote }
func (c *memConn) SetReadDeadline(t time.Time) error  { c.in.readers.set(c.in, t); return nil }
func (c *memConn) SetWriteDeadline(t time.Time) error { c.out.writers.set(c.out, t); return nil }

func (c *memConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *memConn) Close() error {
	c.in.close(&c.in.readers)
	c.out.close(&c.out.writers)
	return nil
}

// streamBuffer is how much one side may write before the other reads.
const streamBuffer = 64 << 10

// stream is one direction of a memConn.
type stream struct {
	mu               sync.Mutex
	changed          *sync.Cond
	buf              []byte
	stalled          bool // nothing arrives any more
	readers, writers end
}

// end is one end of a stream; guarded by its mu.
type end struct {
	closed   bool
	deadline time.Time
	alarm    *time.Timer
}

func newStream() *stream {
	s := &stream{}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func (e *end) set(s *stream, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.alarm != nil {
		e.alarm.Stop()
		e.alarm = nil
	}
	e.deadline = t
	if !t.IsZero() && !e.closed {
		e.alarm = time.AfterFunc(time.Until(t), s.changed.Broadcast)
	}
	s.changed.Broadcast()
}

func (s *stream) close(e *end) {
	e.set(s, time.Time{})
	s.mu.Lock()
	defer s.mu.Unlock()
	e.closed = true
	s.changed.Broadcast()
}

// failed is why an end cannot go on.
func (e *end) failed() error {
	switch {
	case e.closed:
		return net.ErrClosed
	case !e.deadline.IsZero() && !time.Now().Before(e.deadline):
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if err := s.readers.failed(); err != nil {
			return 0, err
		}
		if len(s.buf) > 0 && !s.stalled {
			n := copy(p, s.buf)
			s.buf = s.buf[n:]
			s.changed.Broadcast()
			return n, nil
		}
		if s.writers.closed {
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		if err := s.writers.failed(); err != nil {
			return n, err
		}
		if s.readers.closed {
			return n, io.ErrClosedPipe
		}
		if free := streamBuffer - len(s.buf); free > 0 {
			k := min(free, len(p))
			s.buf = append(s.buf, p[:k]...)
			p, n = p[k:], n+k
			s.changed.Broadcast()
			continue
		}
		s.changed.Wait()
	}
	return n, nil
}

// stall makes c a host that was switched off: nothing it is sent arrives any
// more, and nothing comes from it.
func (c *memConn) stall() {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.stalled = true
}
