package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
)

// An endpoint is an address that clients send to. To the library it is a socket
// that receives nothing but requests.
type endpoint struct {
	noDeadlines
	relay *Relay
	addr  net.Addr

	// Either UDP sockets of one address
	conns   []net.PacketConn
	sockets []batchConn // the same
	// or a listener.
	listener net.Listener

	clients map[netip.AddrPort]*allocation // guarded by the table's mu
	streams map[netip.AddrPort]*stream     // guarded by the table's mu

	requests  chan *request // full: the request is dropped; clients ask again
	answering *request      // the library's, which answers one before it takes another; nil at first
	answered  bool          // whether it has
	once      sync.Once
	closed    chan struct{}
}

// A request waits for the library.
type request struct {
	n      int
	from   net.Addr
	source []byte // says where the answer is to leave from
	b      [maxPacket]byte
}

var requests = sync.Pool{New: func() any { return new(request) }}

func newEndpoint(r *Relay, addr net.Addr) *endpoint {
	return &endpoint{
		relay:    r,
		addr:     addr,
		clients:  make(map[netip.AddrPort]*allocation),
		streams:  make(map[netip.AddrPort]*stream),
		requests: make(chan *request, 256),
		closed:   make(chan struct{}),
	}
}

// ask gives a request to the library. Clients with an allocation keep half of
// the queue to themselves.
func (f *endpoint) ask(p []byte, from net.Addr, source []byte, known bool) {
	if !known && len(f.requests) >= cap(f.requests)/2 {
		f.relay.count.overflow.Add(1)
		return
	}
	q := requests.Get().(*request)
	q.n, q.from, q.source = copy(q.b[:], p), from, source
	select {
	case f.requests <- q:
	default:
		requests.Put(q)
		f.relay.count.overflow.Add(1)
	}
}

// ReadFrom implements net.PacketConn for the library.
func (f *endpoint) ReadFrom(p []byte) (int, net.Addr, error) {
	if q := f.answering; q != nil {
		if !f.answered {
			f.answerMismatch(q)
		}
		f.answering = nil
		requests.Put(q)
	}
	select {
	case <-f.closed:
		return 0, nil, net.ErrClosed
	case q := <-f.requests:
		f.answering, f.answered = q, false
		return copy(p, q.b[:q.n]), q.from, nil
	}
}

// source says where the answer to the request is to leave from that the library
// is busy with.
func (f *endpoint) source() []byte {
	if f.answering == nil {
		return nil
	}
	return f.answering.source
}

// WriteTo implements net.PacketConn for the library, whose answers to those
// who have not proved anything are limited. A sender of UDP packets may have
// lied about its address; who has a stream has not.
func (f *endpoint) WriteTo(p []byte, to net.Addr) (int, error) {
	f.answered = true
	addr := addrPort(to)
	f.relay.table.mu.RLock()
	s := f.streams[addr]
	f.relay.table.mu.RUnlock()
	switch {
	case f.listener != nil && s == nil:
		return len(p), nil // it has ended
	case !wholeSTUN(p) || !isResponse(p),
		!isSigned(p) && s == nil && !f.relay.replies.Take(addr.Addr()),
		!isSigned(p) && s != nil && !s.replies.take(now(), 1):
		f.relay.count.unanswered.Add(1)
		return len(p), nil
	}
	if s == nil {
		m := []ipv4.Message{{Buffers: [][]byte{p}, Addr: to, OOB: f.source()}}
		if _, err := f.sockets[0].WriteBatch(m, 0); err != nil {
			f.relay.count.unsent.Add(1)
		}
		return len(p), nil
	}
	s.answer(p)
	return len(p), nil
}

// Close implements net.PacketConn. The library does not call it.
func (f *endpoint) Close() error {
	f.close()
	return nil
}

func (f *endpoint) close() {
	f.once.Do(func() { close(f.closed) })
	for _, c := range f.conns {
		c.Close()
	}
	if f.listener != nil {
		f.listener.Close()
	}
	f.relay.table.mu.RLock()
	defer f.relay.table.mu.RUnlock()
	for _, s := range f.streams {
		s.hangUp()
	}
}

func (f *endpoint) isClosed() bool {
	select {
	case <-f.closed:
		return true
	default:
		return false
	}
}

// LocalAddr implements net.PacketConn.
func (f *endpoint) LocalAddr() net.Addr { return f.addr }

// readPackets carries what comes in on one socket until it is closed.
func (f *endpoint) readPackets(socket batchConn) error {
	bufs := make([]buffer, batch)
	in := make([]ipv4.Message, batch)
	for i := range in {
		in[i].Buffers = [][]byte{bufs[i][headroom : headroom+maxPacket+1]}
		if addrPort(f.addr).Addr().IsUnspecified() {
			in[i].OOB = make([]byte, controlSize)
		}
	}
	c := newForwarder(f, socket)
	for last := int64(0); ; {
		n, err := socket.ReadBatch(in, 0)
		switch {
		case f.isClosed():
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("read packets for the relay: %w", err)
		case err != nil: // some systems report here that a packet was too long, or did not arrive
			time.Sleep(time.Millisecond)
			continue
		}
		c.now = now()
		f.relay.table.mu.RLock()
		for i := range in[:n] {
			if in[i].N > maxPacket || in[i].Addr == nil {
				f.relay.count.malformed.Add(1)
				continue
			}
			c.handleLocked(&bufs[i], in[i].N, in[i].Addr, in[i].OOB[:in[i].NN])
		}
		f.relay.table.mu.RUnlock()
		c.flush()

		// Waking up costs more than a packet: under load, let a few gather.
		if n < batch/4 && c.now-last < int64(busy) {
			rest(gather)
		}
		last = now()
	}
}

// A reader that wakes up again within busy lets packets wait for gather: at
// most that much is added to the delay of a busy relay, and nothing to that of
// one that carries a call or two.
const busy, gather = time.Millisecond, time.Millisecond

// A batchConn moves several packets in one system call: an *ipv4.PacketConn,
// for sockets of either family.
type batchConn interface {
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
	WriteBatch(ms []ipv4.Message, flags int) (int, error)
}

func batched(c net.PacketConn) batchConn {
	switch c := c.(type) {
	case batchConn:
		return c
	case *net.UDPConn:
		if runtime.GOOS == "linux" {
			return ipv4.NewPacketConn(c)
		}
	}
	return oneByOne{c}
}

// oneByOne is a batchConn where there is nothing better.
type oneByOne struct{ net.PacketConn }

// ReadBatch implements batchConn.
func (c oneByOne) ReadBatch(ms []ipv4.Message, _ int) (int, error) {
	n, from, err := c.ReadFrom(ms[0].Buffers[0])
	if err != nil {
		return 0, err
	}
	ms[0].N, ms[0].Addr = n, from
	return 1, nil
}

// WriteBatch implements batchConn.
func (c oneByOne) WriteBatch(ms []ipv4.Message, _ int) (int, error) {
	for i := range ms {
		if _, err := c.WriteTo(ms[i].Buffers[0], ms[i].Addr); err != nil {
			return i, err
		}
	}
	return len(ms), nil
}

// noDeadlines is part of a net.PacketConn for the library, which sets none.
type noDeadlines struct{}

// SetDeadline implements net.PacketConn.
func (noDeadlines) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline implements net.PacketConn.
func (noDeadlines) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline implements net.PacketConn.
func (noDeadlines) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
