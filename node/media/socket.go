package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"

	"anteroom/rendezvous/wire"
)

const (
	// statusReason is the close status whose reason is a wire.Code.
	statusReason = websocket.StatusCode(4000)

	// sendTime is how long the other side may take to accept one frame.
	sendTime = 10 * time.Second

	// closeTime is how long a goodbye may take.
	closeTime = 2 * time.Second
)

// A socket is a wire.Conn over a WebSocket with binary messages.
type socket struct {
	ws  *websocket.Conn
	raw net.Conn // below ws, for a deadline, which ws does not have

	once   sync.Once
	done   chan struct{} // closed after reason is set
	reason error
}

func newSocket(ws *websocket.Conn, raw net.Conn) *socket {
	ws.SetReadLimit(wire.MaxFrame)
	return &socket{ws: ws, raw: raw, done: make(chan struct{})}
}

// Send implements wire.Conn.
func (s *socket) Send(b []byte) error {
	if len(b) > wire.MaxFrame {
		return wire.ErrBadMessage
	}
	select {
	case <-s.done:
		return s.reason
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendTime)
	defer cancel()
	err := s.ws.Write(ctx, websocket.MessageBinary, b)
	if err == nil {
		return nil
	}
	select {
	case <-s.done: // meanwhile
		return s.reason
	default:
		return fmt.Errorf("send frame: %w", err)
	}
}

// Recv implements wire.Conn.
func (s *socket) Recv() ([]byte, error) {
	select {
	case <-s.done:
		return nil, s.reason
	default:
	}
	kind, b, err := s.ws.Read(context.Background()) // the Conn's end ends it
	switch {
	case err != nil:
		s.finish(reasonOf(err))
	case kind != websocket.MessageBinary:
		s.finish(wire.ErrBadMessage)
	default:
		return b, nil
	}
	return nil, s.reason
}

// Close implements wire.Conn. The closing handshake goes on behind it, for at
// most closeTime; a Recv under way returns when it is done.
func (s *socket) Close(reason error) { s.finish(wire.Reason(reason)) }

// finish ends the Conn. A *wire.Error or io.EOF goes to the other side, unless
// it was the one who said so.
func (s *socket) finish(reason error) {
	s.once.Do(func() {
		s.reason = reason
		close(s.done)
		go s.hangUp() // ends after closeTime
	})
}

func (s *socket) hangUp() {
	s.raw.SetDeadline(time.Now().Add(closeTime))
	status, text := websocket.StatusNormalClosure, ""
	if e, ok := errors.AsType[*wire.Error](s.reason); ok {
		status, text = statusReason, string(e.Code)
	}
	s.ws.Close(status, text)
}

// reasonOf is why a read failed.
func reasonOf(err error) error {
	closed, ok := errors.AsType[websocket.CloseError](err)
	switch {
	case !ok:
		return fmt.Errorf("receive frame: %w", err)
	case closed.Code == statusReason:
		return wire.ErrorFor(wire.Code(closed.Reason))
	case closed.Code == websocket.StatusGoingAway:
		return wire.ErrGoingAway
	}
	return io.EOF
}
