package room

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/time/rate"

	"anteroom/node/stack"
	"anteroom/rendezvous/wire"
)

// errLeft ends the service of a member who said goodbye.
var errLeft = errors.New("left")

// ping and pong are all that a member who waits says and hears. A message has
// one spelling only, so these are the frames.
var (
	ping, _ = wire.Encode(&wire.Ping{}) // no field can be wrong
	pong, _ = wire.Encode(&wire.Pong{})
)

// Serve seats g in the room and carries messages between it and conn until
// either has had enough or ctx ends. It closes conn, and returns why: nil if
// the guest left by choice.
func (r *Room) Serve(ctx context.Context, conn wire.Conn, g *Guest) error {
	l := &link{id: g.Member, conn: conn, act: r.goodbye, gone: make(chan struct{})}
	return r.serve(ctx, l, func() (*seat, error) { return r.enter(g, l) })
}

// Attend is Serve for the practitioner.
func (r *Room) Attend(ctx context.Context, conn wire.Conn, h *Host) error {
	l := &link{id: wire.HostID, conn: conn, act: r.command, gone: make(chan struct{})}
	return r.serve(ctx, l, func() (*seat, error) { return r.takeHost(h, l) })
}

func (r *Room) serve(ctx context.Context, l *link, enter func() (*seat, error)) error {
	var s *seat
	err := stack.Fresh(func() (err error) {
		s, err = enter()
		return err
	})
	if err != nil {
		Dismiss(l.conn, err)
		return fmt.Errorf("take seat: %w", err)
	}
	defer r.disconnect(s, l)
	defer context.AfterFunc(ctx, func() { r.kick(l, context.Cause(ctx)) })()
	r.kick(l, r.listen(s, l))
	<-l.gone
	if err := l.over; !errors.Is(err, errLeft) && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// enter records that g's device holds the seat, and then seats it: whoever
// hears of a guest can admit them.
func (r *Room) enter(g *Guest, l *link) (*seat, error) {
	done, err := r.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	err = r.mayKnock(g)
	if err == nil && !g.Returning {
		err = r.record.Seated(g)
	}
	if err != nil {
		if errors.Is(err, wire.ErrSeatTaken) {
			r.record.Note(EventOtherDevice, g.Member)
		}
		return nil, err
	}
	s, err := r.take(g, l)
	if err != nil && !g.Returning {
		r.record.Released(g.Member)
	}
	if err != nil {
		return nil, err
	}
	if g.Returning {
		r.record.Note(EventReturn, g.Member)
	} else {
		r.record.Note(EventKnock, g.Member)
	}
	return s, nil
}

// Dismiss says why, as far as there is a reason to give, and closes conn. The
// reason travels as a message: a sealed one, where a close code would tell it
// to every node on the way.
func Dismiss(conn wire.Conn, reason error) {
	if frame, err := farewell(reason); err == nil {
		conn.Send(frame) // best effort: the connection may be why
	}
	conn.Close(nil)
}

func farewell(reason error) ([]byte, error) {
	switch {
	case errors.Is(reason, errLeft), errors.Is(reason, io.EOF):
		return nil, io.EOF
	case errors.Is(reason, context.Canceled): // the node stops
		reason = wire.ErrGoingAway
	}
	return wire.Encode(&wire.Bye{Code: wire.Public(reason).Code})
}

// pump sends what l's member is to hear until there is nothing more, and then,
// if l has ended, why. It is called by whoever a queue told to, so there is one
// at a time, and none for a member who hears nothing. When nothing can be sent
// any more the member has gone, and listen is about to hear how.
func (r *Room) pump(l *link) {
	for {
		frame, over := r.next(l)
		switch {
		case frame != nil:
			if l.conn.Send(frame) != nil {
				r.deafen(l)
			}
		case over != nil:
			Dismiss(l.conn, over) // says why, and ends listen
			close(l.gone)
			return
		default:
			return
		}
	}
}

// listen acts upon what l's member says until the connection ends.
func (r *Room) listen(s *seat, l *link) error {
	limit := rate.NewLimiter(wire.MessagesPerSec, wire.MessagesBurst)
	for {
		frame, err := l.conn.Recv()
		if err != nil {
			return err
		}
		if !limit.Allow() {
			return wire.ErrTooMany
		}
		if bytes.Equal(frame, ping) {
			r.answer(l, pong)
			continue
		}
		if err := stack.Fresh(func() error { return r.hear(s, l, frame) }); err != nil {
			return err
		}
	}
}

// hear acts upon one frame. What is wrong with a message is told to the member,
// who stays; an error ends the service.
func (r *Room) hear(s *seat, l *link, frame []byte) error {
	body, err := wire.Decode(frame)
	if err != nil && !errors.Is(err, wire.ErrUnknownType) {
		return err
	}
	if err == nil {
		err = r.handle(s, l, body)
	}
	if err == nil || errors.Is(err, errLeft) {
		return err
	}
	no, err := wire.Encode(&wire.ErrorBody{Code: wire.Public(err).Code})
	if err == nil {
		r.answer(l, no)
	}
	return err
}

// handle acts upon one message. Its error is told to the member, who stays;
// errLeft ends the service.
func (r *Room) handle(s *seat, l *link, body wire.Body) error {
	done, err := r.begin()
	if err != nil {
		return err
	}
	defer done()
	switch m := body.(type) {
	case *wire.Description:
		return r.describe(s, *m)
	case *wire.Candidate:
		return r.candidate(s, *m)
	}
	return l.act(s, l, body)
}

// goodbye acts upon what only a guest may say.
func (r *Room) goodbye(s *seat, l *link, body wire.Body) error {
	if _, ok := body.(*wire.Leave); !ok {
		return wire.ErrBadMessage
	}
	if r.leave(s, l) {
		r.record.Released(l.id)
		r.record.Note(EventLeave, l.id)
	}
	return errLeft
}

// answer sends frame to l's member, who has just said something. It may block,
// as long as they do not listen.
func (r *Room) answer(l *link, frame []byte) {
	r.mu.Lock()
	idle := l.queueLocked(frame)
	r.mu.Unlock()
	if idle {
		r.pump(l)
	}
}
