package room

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/time/rate"

	"anteroom/rendezvous/wire"
)

// errLeft ends the service of a member who said goodbye.
var errLeft = errors.New("left")

// Serve seats p in the room and carries messages between it and conn until
// either has had enough or ctx ends. It closes conn, and returns why: nil if
// the member left by choice.
func (r *Room) Serve(ctx context.Context, conn wire.Conn, p *Participant) error {
	ctx, kick := context.WithCancelCause(ctx) // the first reason given wins
	defer kick(nil)

	l := &link{id: p.Member, role: p.Role, kick: kick, more: make(chan struct{}, 1)}
	s, err := r.enter(p, l)
	if err != nil {
		Dismiss(conn, err)
		return fmt.Errorf("take seat: %w", err)
	}
	defer r.disconnect(s, l)

	var wg sync.WaitGroup
	wg.Go(func() { // room to member; ends with ctx, so with any reason
		r.pump(ctx, conn, l)
		Dismiss(conn, context.Cause(ctx)) // says why, and ends listen
	})
	kick(r.listen(conn, s, l)) // member to room
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, errLeft) && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// enter records that p's device holds the seat, and then seats it: whoever
// hears of a guest can admit them.
func (r *Room) enter(p *Participant, l *link) (*seat, error) {
	if p.Role == wire.RoleHost {
		return r.take(p, l)
	}
	done, err := r.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	err = r.mayKnock(p)
	if err == nil && !p.Returning {
		err = r.record.Seated(p)
	}
	if err != nil {
		if errors.Is(err, wire.ErrSeatTaken) {
			r.record.Note(EventOtherDevice, p.Member)
		}
		return nil, err
	}
	s, err := r.take(p, l)
	if err != nil && !p.Returning {
		r.record.Released(p.Member)
	}
	if err != nil {
		return nil, err
	}
	if p.Returning {
		r.record.Note(EventReturn, p.Member)
	} else {
		r.record.Note(EventKnock, p.Member)
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

// pump sends what the room has for the member until ctx ends. What was queued
// before the end is still sent. When nothing can be sent any more the member has
// gone, and listen is about to hear how.
func (r *Room) pump(ctx context.Context, conn wire.Conn, l *link) {
	for ended := false; ; {
		for frame := r.next(l); frame != nil; frame = r.next(l) {
			if conn.Send(frame) != nil {
				<-ctx.Done()
				return
			}
		}
		if ended {
			return
		}
		select {
		case <-l.more:
		case <-ctx.Done():
			ended = true
		}
	}
}

// listen acts upon what the member says until conn ends.
func (r *Room) listen(conn wire.Conn, s *seat, l *link) error {
	limit := rate.NewLimiter(wire.MessagesPerSec, wire.MessagesBurst)
	for {
		frame, err := conn.Recv()
		if err != nil {
			return err
		}
		if !limit.Allow() {
			return wire.ErrTooMany
		}
		body, err := wire.Decode(frame)
		if err != nil && !errors.Is(err, wire.ErrUnknownType) {
			return err
		}
		if err == nil {
			err = r.handle(s, l, body)
		}
		if errors.Is(err, errLeft) {
			return err
		}
		if err != nil {
			r.answer(s, l, &wire.ErrorBody{Code: wire.Public(err).Code})
		}
	}
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
	case *wire.Ping:
		r.answer(s, l, &wire.Pong{})
		return nil
	case *wire.Description:
		return r.describe(s, *m)
	case *wire.Candidate:
		return r.candidate(s, *m)
	}
	if l.role == wire.RoleHost {
		return r.command(s, l, body)
	}
	if _, ok := body.(*wire.Leave); !ok {
		return wire.ErrBadMessage
	}
	if r.leave(s, l) {
		r.record.Released(l.id)
		r.record.Note(EventLeave, l.id)
	}
	return errLeft
}

// answer queues body for the member that l belongs to.
func (r *Room) answer(s *seat, l *link, body wire.Body) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.link == l {
		r.tellLocked(s, body)
	}
}
