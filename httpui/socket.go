package httpui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// subprotocol is the only version of the protocol that there is.
const subprotocol = "ar1"

// sockets is every WebSocket that is open, or about to be.
type sockets struct {
	*places

	mu      sync.Mutex
	closing bool
	open    map[*wsConn]*place
	running sync.WaitGroup // one for each that began
}

func newSockets(c Cap) *sockets {
	return &sockets{places: newPlaces(c, DefaultSockets), open: map[*wsConn]*place{}}
}

// begin has wait wait for one more socket, until end.
func (s *sockets) begin() (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil, wire.ErrGoingAway
	}
	s.running.Add(1)
	return s.running.Done, nil
}

// opened gives c a place, and makes it one that closeAll closes, until closed.
func (s *sockets) opened(c *wsConn, from netip.Prefix, known bool) {
	it := s.take(from, known, func() { c.Close(wire.ErrTooMany) }) // does not block
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = it
	if s.closing {
		c.Close(wire.ErrGoingAway) // does not block
	}
}

// spoke notes that something has come over c: those who say nothing give way
// before it.
func (s *sockets) spoke(c *wsConn) { s.note(c, func(it *place) { s.answering(it) }) }

// proved notes that c is no stranger's.
func (s *sockets) proved(c *wsConn) { s.note(c, s.prove) }

func (s *sockets) note(c *wsConn, what func(*place)) {
	s.mu.Lock()
	it := s.open[c]
	s.mu.Unlock()
	if it != nil {
		what(it)
	}
}

func (s *sockets) closed(c *wsConn) {
	s.mu.Lock()
	it := s.open[c]
	delete(s.open, c)
	s.mu.Unlock()
	s.give(it)
}

// closeAll says going-away on every socket, and on those to come.
func (s *sockets) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for c := range s.open {
		c.Close(wire.ErrGoingAway) // does not block
	}
}

// wait returns when every socket's handler has returned, or ctx ends.
func (s *sockets) wait(ctx context.Context) error {
	still := make(chan struct{})
	go func() { // ends with the last handler, which its Conn's end ends
		s.running.Wait()
		close(still)
	}()
	select {
	case <-still:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for sockets: %w", ctx.Err())
	}
}

// serveSocket turns r into a socket of frames of one kind and lets carry have
// it; why carry returned is what the browser is told.
func (s *Server) serveSocket(w http.ResponseWriter, r *request, kind websocket.MessageType, carry func(*wsConn) error) error {
	a := w.(*answer)
	end, err := s.sockets.begin()
	if err != nil {
		return err
	}
	a.last = end
	// The guard has refused whatever the library would refuse, and a missing
	// Origin, which it would take.
	ws, err := websocket.Accept(a, r.Request, &websocket.AcceptOptions{
		Subprotocols:    []string{subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return fmt.Errorf("accept socket: %w", err)
	}
	c := newConn(ws, a.conn, kind, rate.NewLimiter(wire.MessagesPerSec, wire.MessagesBurst))
	s.sockets.opened(c, limitPrefix(addrOf(r.RemoteAddr)), r.session.Practitioner != "")
	a.rest = func() {
		defer func() {
			c.Close(wire.ErrInternal) // after a panic; otherwise it is closed
			c.wait()
			s.sockets.closed(c)
		}()
		err := carry(c)
		c.Close(err)
		s.logEnd(r, err)
	}
	return nil
}

// logEnd says how a socket ended, if that is worth saying. Who came from a
// stranger's side of the door can make it end in many ways, as often as they like.
func (s *Server) logEnd(r *request, err error) {
	told, _ := errors.AsType[*wire.Error](err)
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled):
		return // they left
	case told == nil:
		s.strangers.add(event{slog.LevelError, "socket failed", r.template()}, slog.Any("err", err))
		return
	case r.route.access == anyone:
		s.strangers.add(event{slog.LevelInfo, "guests turned away", string(told.Code)})
	}
	s.log.Debug("socket closed", "route", r.template(), "code", string(told.Code))
}

// guestSocket carries a guest, from the key frame on.
func (s *Server) guestSocket(w http.ResponseWriter, r *request) error {
	return s.serveSocket(w, r, websocket.MessageBinary, func(c *wsConn) error {
		guest := &guestConn{Conn: c, spoke: func() { s.sockets.spoke(c) }, proved: func() { s.sockets.proved(c) }}
		return s.backend.As("").Join(c.ctx, guest, api.Arrival{From: addrOf(r.RemoteAddr), Public: r.site.public || r.carried})
	})
}

// guestFrames is how many frames a home node sends to strangers at most: its
// hello goes to all who ask, the next one only to who has proved by a MAC that
// they hold a link (PROTOCOL.md, "The handshake"). Nothing else can be known of
// guests who are carried to another node, whose word we have for it.
const guestFrames = 1

// A guestConn finds out that a guest is no stranger.
type guestConn struct {
	wire.Conn
	spoke  func() // they have said something
	proved func() // and it was true
	heard  bool   // owned by Recv
	sent   atomic.Int32
}

// Recv implements wire.Conn.
func (c *guestConn) Recv() ([]byte, error) {
	b, err := c.Conn.Recv()
	if err == nil && !c.heard {
		c.heard = true
		c.spoke()
	}
	return b, err
}

// Send implements wire.Conn.
func (c *guestConn) Send(b []byte) error {
	if c.sent.Add(1) == guestFrames+1 {
		c.proved()
	}
	return c.Conn.Send(b)
}

// hostSocket carries a practitioner, who says first which appointment, and
// proves to be in one of our tabs.
func (s *Server) hostSocket(w http.ResponseWriter, r *request) error {
	return s.serveSocket(w, r, websocket.MessageText, func(c *wsConn) error {
		frame, err := c.Recv()
		if err != nil {
			return err
		}
		body, err := wire.Decode(frame)
		if err != nil {
			return err
		}
		attend, ok := body.(*wire.Attend)
		if !ok {
			return wire.ErrBadMessage
		}
		session, detach, err := s.admit(r, c, attend.Token, attend.Appointment)
		if err != nil {
			// As a message: a page acts on no close code, which a proxy could have made.
			if frame, encodeErr := wire.Encode(&wire.Bye{Code: wire.Public(err).Code}); encodeErr == nil {
				c.Send(frame) // best effort: the page asks again
			}
			return err
		}
		defer detach()
		return s.backend.As(session.Practitioner).Attend(c.ctx, c, attend)
	})
}

// admit checks the token that a practitioner's socket sent first, and ties the
// socket to the session. The socket may be for an appointment.
func (s *Server) admit(r *request, c *wsConn, tabToken, appointment string) (api.Session, func(), error) {
	x, err := s.backend.Accounts.Authorize(r.token, tabToken)
	if err == nil {
		var expects func() bool
		if appointment != "" {
			calls := s.backend.As(x.Practitioner)
			expects = func() bool { return calls.Expects(appointment) }
		}
		var detach func()
		if detach, err = s.backend.Accounts.Attach(r.token, c, expects); err == nil {
			return x, detach, nil
		}
	}
	return api.Session{}, nil, err
}
