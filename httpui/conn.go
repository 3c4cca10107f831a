package httpui

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"anteroom/rendezvous/wire"
)

// closeStatus is the WebSocket close code that carries a wire.Code as its
// reason; a normal close carries none.
const closeStatus websocket.StatusCode = 4000

// A wsConn is a WebSocket as a wire.Conn. What the other side may send is
// limited in kind, size and rate; it must send its first frame soon, and answer
// pings for ever after.
//
// A Conn has no queue: Send writes, and a browser that does not take a frame
// in time is closed with too-slow. Whoever must not wait (a room) has a queue of
// its own.
type wsConn struct {
	ws   *websocket.Conn
	raw  net.Conn // below ws, for deadlines, which ws does not have
	kind websocket.MessageType
	rate *rate.Limiter // of frames from the other side

	// ctx ends with the Conn.
	ctx    context.Context
	cancel context.CancelFunc
	once   sync.Once
	done   chan struct{} // closed after reason is set
	reason error

	mu    sync.Mutex
	first *time.Timer // closes the Conn unless a frame comes
	next  *time.Timer // the next ping, unless a frame comes; nil once the Conn has ended

	running sync.WaitGroup // the next ping, or the one under way, and hangUp
}

// newConn returns ws as a Conn of frames of one kind, of which limit lets as
// many in as it will. raw is the connection that ws runs on.
func newConn(ws *websocket.Conn, raw net.Conn, kind websocket.MessageType, limit *rate.Limiter) *wsConn {
	ws.SetReadLimit(wire.MaxFrame)
	c := &wsConn{
		ws:   ws,
		raw:  raw,
		kind: kind,
		rate: limit,
		done: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = time.AfterFunc(wire.HandshakeTime, func() { c.Close(wire.ErrTimeout) })
	c.running.Add(1)
	c.next = time.AfterFunc(pingInterval, c.ping)
	return c
}

// Send implements wire.Conn.
func (c *wsConn) Send(b []byte) error {
	if len(b) > wire.MaxFrame {
		return wire.ErrBadMessage
	}
	return c.write(b)
}

// write sends a frame of any size.
func (c *wsConn) write(b []byte) error {
	select {
	case <-c.done:
		return c.reason
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), socketWriteTime)
	defer cancel()
	if c.ws.Write(ctx, c.kind, b) == nil {
		return nil
	}
	if ctx.Err() != nil {
		c.Close(wire.ErrTooSlow)
	}
	select {
	case <-c.done: // meanwhile
		return c.reason
	default:
		return io.ErrUnexpectedEOF
	}
}

// Recv implements wire.Conn.
func (c *wsConn) Recv() ([]byte, error) {
	select {
	case <-c.done:
		return nil, c.reason
	default:
	}
	kind, b, err := c.ws.Read(context.Background()) // ends with the Conn
	c.first.Stop()
	switch {
	case err != nil:
		c.finish(reasonOf(err))
	case kind != c.kind:
		c.Close(wire.ErrBadMessage)
	case !c.rate.Allow():
		c.Close(wire.ErrTooMany)
	default:
		c.heard()
		return b, nil
	}
	<-c.done
	return nil, c.reason
}

// heard puts the next ping off: who has just said something is there. A page
// that waits says something more often than we would ask.
func (c *wsConn) heard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil && c.next.Stop() {
		c.next.Reset(pingInterval)
	}
}

// Close implements wire.Conn. The closing handshake goes on behind it, for at
// most closeTime, after which a blocked Recv returns in any case.
func (c *wsConn) Close(reason error) {
	if reason == nil || errors.Is(reason, io.EOF) {
		reason = io.EOF
	} else {
		reason = wire.Public(reason)
	}
	c.finish(reason)
}

// finish ends the Conn. A *wire.Error or io.EOF goes to the other side, unless
// it was the one who said so.
func (c *wsConn) finish(reason error) {
	c.once.Do(func() {
		c.reason = reason
		c.mu.Lock()
		c.first.Stop()
		if c.next.Stop() {
			c.running.Done()
		}
		c.next = nil
		c.mu.Unlock()
		c.running.Add(1) // before done: whoever hears of the end may wait
		c.cancel()
		close(c.done) // before hangUp: whoever it disturbs knows why
		go c.hangUp() // ends after closeTime
	})
}

// hangUp says goodbye and closes the connection. If the other side said so
// first, the library has done both.
func (c *wsConn) hangUp() {
	defer c.running.Done()
	c.raw.SetDeadline(time.Now().Add(closeTime))
	status, text := websocket.StatusNormalClosure, ""
	if e, ok := errors.AsType[*wire.Error](c.reason); ok {
		status, text = closeStatus, string(e.Code)
	}
	c.ws.Close(status, text)
}

// wait returns when nothing of a closed Conn is running any more.
func (c *wsConn) wait() { c.running.Wait() }

// ping closes the Conn if the other side does not answer, so that a phone that
// was switched off does not keep its seat; else it runs again later. Recv reads
// the answer. Between pings this costs a timer and no goroutine.
func (c *wsConn) ping() {
	defer c.running.Done()
	ctx, cancel := context.WithTimeout(context.Background(), deadTime-pingInterval)
	defer cancel()
	if c.ws.Ping(ctx) != nil {
		if ctx.Err() != nil {
			c.Close(wire.ErrTimeout)
		}
		return // otherwise Recv is about to find out more
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		c.running.Add(1)
		c.next = time.AfterFunc(pingInterval, c.ping)
	}
}

// reasonOf is why a read failed, without the library's words, which quote
// addresses.
func reasonOf(err error) error {
	closed, ok := errors.AsType[websocket.CloseError](err)
	switch {
	case ok && closed.Code == closeStatus:
		return wire.ErrorFor(wire.Code(closed.Reason))
	case ok:
		return io.EOF // a closed tab, whatever its browser calls that
	case errors.Is(err, websocket.ErrMessageTooBig):
		return wire.ErrBadMessage
	}
	return io.ErrUnexpectedEOF
}
