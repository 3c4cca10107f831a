package relay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"anteroom/node/admit"
	"anteroom/node/quiet"
)

const (
	// patience is how often a stream without an allocation is ended.
	patience = 20 * time.Second

	// sendTime is how long a client may take to accept what is sent to it.
	sendTime = 10 * time.Second

	// queueLen is how many packets a stream may be behind. Answers to requests
	// have more places, to themselves.
	queueLen, answerLen = 512, 32

	// stale is how old a packet may get here. What waits behind it on a slow
	// line is of more use than sound and pictures of the past.
	stale = 200 * time.Millisecond

	// late is how much may be piled up ahead of the client's line before
	// pictures wait, and lookTime how often is looked whether it still is.
	late, lookTime = 150 * time.Millisecond, 5 * time.Millisecond

	// unsentBytes is how much may wait beyond that in the system, where nothing
	// can be dropped; atOnce is what still has room there when the socket HasRoom.
	unsentBytes, atOnce = 8 << 10, unsentBytes / 2
	_                   = uint(atOnce - bufferSize) // any packet has room
)

// A stream is one client's connection.
type stream struct {
	endpoint *endpoint
	conn     net.Conn
	socket   *quiet.Socket
	addr     netip.AddrPort
	out      chan *outPacket // full, for packets of calls at queueLen: dropped, as a network would
	large    chan *outPacket // those that go only while nothing is in out; likewise
	queued   atomic.Int32    // packets in both, and on their way from there to conn
	done     chan struct{}

	writing sync.Mutex
	// Guarded by writing:
	w        *bufio.Writer // to conn; empty when nothing is queued
	extended int64         // when conn's deadline was set
	posted   int32         // how many of queued are in w, or dropped

	replies *limit // answers to what is not signed
	came    int64
	ended   atomic.Bool // to make room for another
	leave   func()      // the relay's streams
}

// An outPacket is a packet on its way into a stream.
type outPacket struct {
	at    int64 // when it came
	must  bool  // arrive, however late
	large bool
	n     int
	b     buffer
}

func (q *outPacket) stale() bool { return !q.must && now()-q.at > int64(stale) }

var outPackets = sync.Pool{New: func() any { return new(outPacket) }}

// accept serves the clients of a listener until it is closed.
func (f *endpoint) accept() error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer f.close()
	err := admit.Accept(f.listener, func(conn net.Conn) {
		wg.Go(func() { f.serve(conn) }) // ends with the endpoint, or its client
	})
	if f.isClosed() {
		return nil
	}
	return fmt.Errorf("accept connections for the relay: %w", err)
}

func newStream(f *endpoint, conn net.Conn) *stream {
	return &stream{
		endpoint: f,
		conn:     conn,
		socket:   quiet.SocketOf(conn),
		addr:     addrPort(conn.RemoteAddr()),
		out:      make(chan *outPacket, queueLen+answerLen),
		large:    make(chan *outPacket, queueLen),
		done:     make(chan struct{}),

		w:        bufio.NewWriterSize(conn, unsentBytes),
		extended: -int64(sendTime),

		replies: newLimit(f.relay.limits.Replies),
		came:    now(),
	}
}

// serve carries the packets of one connection until it ends, and its
// allocation with it.
func (f *endpoint) serve(conn net.Conn) {
	defer conn.Close()
	s := newStream(f, conn)
	s.leave = sync.OnceFunc(func() { f.relay.streams.Leave(s.addr.Addr()) })
	if !f.relay.letIn(s) {
		f.relay.count.stream.Add(1)
		return
	}
	defer s.leave()
	if !f.addStream(s) {
		f.relay.count.stream.Add(1)
		return
	}
	defer f.removeStream(s)

	var wg sync.WaitGroup
	wg.Go(s.write) // ends with done
	s.read()
	close(s.done)
	conn.Close() // ends a Write under way
	wg.Wait()
}

// letIn reports whether the relay has room for s, if need be because another
// stream has to go: the oldest without an allocation, of s's prefix if that has
// its share. Otherwise whoever has streams to spare could keep everybody out who
// has business here.
func (r *Relay) letIn(s *stream) bool {
	for {
		ok, full := r.streams.Enter(s.addr.Addr())
		if ok {
			return true
		}
		of := admit.Prefix(s.addr.Addr())
		oldest := r.idlest(func(a netip.Addr) bool { return full || admit.Prefix(a) == of })
		if oldest == nil {
			return false
		}
		if !oldest.ended.Swap(true) {
			r.count.stream.Add(1)
			oldest.hangUp()
			oldest.leave() // its place is free before it has gone
		}
	}
}

// idlest returns the oldest stream from one of some addresses that has no
// allocation, or nil.
func (r *Relay) idlest(from func(netip.Addr) bool) (oldest *stream) {
	r.table.mu.RLock()
	defer r.table.mu.RUnlock()
	for _, f := range r.endpoints {
		for addr, s := range f.streams {
			if f.clients[addr] == nil && !s.ended.Load() && from(addr.Addr()) && (oldest == nil || s.came < oldest.came) {
				oldest = s
			}
		}
	}
	return oldest
}

func (f *endpoint) addStream(s *stream) bool {
	f.relay.table.mu.Lock()
	defer f.relay.table.mu.Unlock()
	if !s.addr.IsValid() || f.streams[s.addr] != nil || f.isClosed() {
		return false
	}
	f.streams[s.addr] = s
	return true
}

func (f *endpoint) removeStream(s *stream) {
	f.relay.table.mu.Lock()
	delete(f.streams, s.addr) // from now on, it gets no allocation
	f.relay.table.mu.Unlock()
	if a := f.clientOf(s); a != nil {
		a.Close()
	}
}

// clientOf returns the allocation of the stream's client, or nil.
func (f *endpoint) clientOf(s *stream) *allocation {
	f.relay.table.mu.RLock()
	defer f.relay.table.mu.RUnlock()
	return f.clients[s.addr]
}

// hangUp ends the stream soon.
func (s *stream) hangUp() { s.conn.SetReadDeadline(time.Unix(1, 0)) }

// read carries what the client sends, until something cannot be understood.
func (s *stream) read() {
	r := bufio.NewReaderSize(s.conn, 8<<10)
	c := newForwarder(s.endpoint, nil)
	c.stream = s
	from := s.conn.RemoteAddr()
	for {
		n, err := s.next(r)
		if err != nil {
			return
		}
		bufs := bursts.Get().(*burst)
		for i := 0; i < len(bufs) && n > 0; i++ {
			io.ReadFull(r, bufs[i][headroom:headroom+n]) // which is there
			c.now = now()
			s.endpoint.relay.table.mu.RLock()
			c.handleLocked(&bufs[i], n, from, nil)
			s.endpoint.relay.table.mu.RUnlock()
			n = nextSize(r)
		}
		c.flush()
		bursts.Put(bufs)
	}
}

// A burst is what has come at once, and is sent on at once.
type burst [8]buffer

var bursts = sync.Pool{New: func() any { return new(burst) }}

// next waits until a whole packet has come, and returns its length.
func (s *stream) next(r *bufio.Reader) (int, error) {
	head, err := r.Peek(4)
	if err != nil {
		return 0, err
	}
	n, ok := frameSize(head)
	if !ok {
		s.endpoint.relay.count.malformed.Add(1)
		return 0, errMalformed
	}
	_, err = r.Peek(n)
	return n, err
}

var errMalformed = errors.New("what came is no packet")

// nextSize returns the length of a packet that has come whole, or 0.
func nextSize(r *bufio.Reader) int {
	head, _ := r.Peek(min(4, r.Buffered()))
	if len(head) < 4 {
		return 0
	}
	if n, ok := frameSize(head); ok && n <= r.Buffered() {
		return n
	}
	return 0
}

// deliver writes packets of a call if nothing waits and the client's system
// takes them, and queues copies otherwise: nobody waits for a slow client.
func (s *stream) deliver(packets [][]byte) {
	if s.queued.Load() == 0 && s.writing.TryLock() {
		for len(packets) > 0 && s.socket.HasRoom() && !(slices.ContainsFunc(packets, isPicture) && s.socket.Late(late)) {
			for len(packets) > 0 && s.w.Buffered()+len(packets[0]) <= atOnce {
				s.w.Write(packets[0]) // into its buffer
				packets = packets[1:]
			}
			s.extend()
			if err := s.w.Flush(); err != nil {
				s.hangUp()
				packets = nil
			}
		}
		s.writing.Unlock()
	}
	for _, p := range packets {
		s.send(p)
	}
}

// send queues a copy of p, a packet of a call.
func (s *stream) send(p []byte) { s.queue(p, false) }

// answer queues a copy of p, an answer. Nobody would ask again for it: a
// connection loses nothing.
func (s *stream) answer(p []byte) { s.queue(p, true) }

func (s *stream) queue(p []byte, must bool) {
	q := outPackets.Get().(*outPacket)
	q.at, q.must, q.large, q.n = now(), must, isPicture(p), copy(q.b[:], p)
	to := s.out
	if q.large {
		to = s.large
	}
	if must || len(to) < queueLen {
		s.queued.Add(1)
		select {
		case to <- q:
			return
		default:
			s.queued.Add(-1)
		}
	}
	outPackets.Put(q)
	s.endpoint.relay.count.overflow.Add(1)
}

// write sends what is queued, and looks from time to time whether the client has
// any business here. On a slow line pictures give way to sound.
func (s *stream) write() {
	s.socket.LimitUnsent(unsentBytes)
	check := time.NewTicker(s.endpoint.relay.patience)
	defer check.Stop()
	look := time.NewTimer(0) // for when the held one may go
	defer look.Stop()
	var held *outPacket // a large one
	for {
		large, again := s.large, (<-chan time.Time)(nil)
		if held != nil {
			large, again = nil, look.C
		}
		var q *outPacket
		select {
		case q = <-s.out:
		default:
			select {
			case q = <-large:
			default:
				if some, err := s.flush(); err != nil {
					s.hangUp()
					return
				} else if some {
					continue // that took time
				}
				select {
				case <-s.done:
					return
				case <-check.C:
					if s.endpoint.clientOf(s) == nil {
						s.hangUp()
					}
					continue
				case q = <-s.out:
				case q = <-large:
				case <-again:
					q, held = held, nil
				}
			}
		}
		if q.large && !q.stale() && s.busy() {
			held = q
			look.Reset(lookTime)
			continue
		}
		if err := s.post(q); err != nil {
			s.hangUp()
			return
		}
	}
}

// busy reports whether a picture would get into the way of sound.
func (s *stream) busy() bool {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.socket.Late(late)
}

// post writes an outPacket if it is not stale or must arrive; flush makes it leave.
func (s *stream) post(q *outPacket) (err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if !q.stale() {
		s.extend()
		_, err = s.w.Write(q.b[:q.n])
	} else {
		s.endpoint.relay.count.overflow.Add(1)
	}
	outPackets.Put(q)
	s.posted++
	return err
}

// flush sends what was posted, if there is some.
func (s *stream) flush() (some bool, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.posted == 0 {
		return false, nil
	}
	s.extend()
	err = s.w.Flush()
	s.queued.Add(-s.posted)
	s.posted = 0
	return true, err
}

// extend gives whoever writes next at least half of sendTime.
func (s *stream) extend() {
	if at := now(); at-s.extended > int64(sendTime/2) {
		s.extended = at
		s.conn.SetWriteDeadline(time.Now().Add(sendTime))
	}
}
