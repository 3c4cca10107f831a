package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"anteroom/rendezvous/seal"
	"anteroom/rendezvous/wire"
)

const (
	// pingTime is how often the home node is asked whether it is there, and how
	// long it may take to say anything. PROTOCOL.md, "Limits".
	pingTime = 10 * time.Second

	// progressTime is how often Event hears of frames.
	progressTime = 500 * time.Millisecond
)

// errEnd is how a call ends as planned.
var errEnd = errors.New("call ended")

// A call is one guest's view of a room. All of its state is owned by one loop,
// and so is that of its peers: the library's goroutines hand it functions
// through posts and wait. The loop never waits for them, so there is no cycle.
type call struct {
	conn   wire.Conn // sealed
	engine *engine
	log    *slog.Logger
	event  func(Event)
	key    []byte   // k_confirm, and
	hash   [32]byte // h: what must be in the practitioner's introduction

	posts   chan func() error
	closing sync.WaitGroup // connections on their way out

	// frames sent back; counted by the peers' lanes
	audio, video atomic.Int64

	// owned by the loop
	state wire.SeatState
	known map[wire.MemberID]*wire.Introduce // who was introduced since admission
	held  map[wire.MemberID]bool            // who is on hold
	peers map[wire.MemberID]*peer
	told  Event // the last EventFrames
}

// A received is one result of Recv.
type received struct {
	frame []byte
	err   error
}

// run joins and takes part until the call ends. It closes conn.
func (c *call) run(ctx context.Context, join *wire.Join) error {
	inbox, stopped := make(chan received), make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() { // ends when conn is closed
		for {
			frame, err := c.conn.Recv()
			select {
			case inbox <- received{frame, err}:
			case <-stopped:
			}
			if err != nil {
				return
			}
		}
	})
	err := c.send(join)
	if err == nil {
		err = c.loop(ctx, inbox)
	}
	close(stopped)
	for _, p := range c.peers {
		p.close()
	}
	c.conn.Close(nil)
	reader.Wait()
	c.closing.Wait()
	c.engine.logs.close()
	return err
}

func (c *call) loop(ctx context.Context, inbox <-chan received) error {
	ping, progress := time.NewTicker(pingTime), time.NewTicker(progressTime)
	defer ping.Stop()
	defer progress.Stop()
	silent := false // since the last ping
	for {
		var err error
		select {
		case in := <-inbox:
			silent = false
			err = c.hear(in)
		case post := <-c.posts:
			err = post()
		case <-ping.C:
			if err = c.send(&wire.Ping{}); silent {
				err = fmt.Errorf("wait for home node: %w", wire.ErrTimeout)
			}
			silent = true
		case <-progress.C:
			c.tellFrames()
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err != nil {
			c.send(&wire.Leave{}) // best effort: it frees the seat at once
			c.tellFrames()
			return err
		}
	}
}

// hear acts upon what the home node sent. Its error ends the call.
func (c *call) hear(in received) error {
	if in.err != nil {
		return fmt.Errorf("hear home node: %w", lost(in.err))
	}
	body, err := wire.Decode(in.frame)
	if errors.Is(err, wire.ErrUnknownType) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("hear home node: %w", err)
	}
	switch m := body.(type) {
	case *wire.Seat:
		return c.sit(m)
	case *wire.Introduce:
		return c.meet(m)
	case *wire.Description:
		return c.describe(m)
	case *wire.Candidate:
		if p := c.peers[m.Peer]; p != nil {
			p.candidate(m)
		}
	case *wire.Roster:
		c.look(m)
	case *wire.ErrorBody:
		c.log.Debug("message refused", "code", m.Code)
	case *wire.Bye:
		if m.Code == wire.CodeEnded || m.Code == wire.CodeCancelled {
			return errEnd
		}
		return wire.ErrorFor(m.Code)
	}
	return nil // the rest is for people, or for practitioners
}

// lost is why a connection ended that was not said goodbye on.
func lost(err error) error {
	if errors.Is(err, io.EOF) {
		return wire.ErrGoingAway
	}
	return err
}

// sit acts upon where the guest now stands.
func (c *call) sit(m *wire.Seat) error {
	c.state = m.State
	switch m.State {
	case wire.SeatWaiting:
		for _, p := range c.peers {
			c.drop(p)
		}
		clear(c.known)
		clear(c.held)
		// The offer waits with us, so that admission needs one message.
		if err := c.offer(wire.HostID); err != nil {
			return err
		}
		c.tell(Event{Kind: EventJoined})
	case wire.SeatAdmitted:
		c.tell(Event{Kind: EventAdmitted})
	case wire.SeatHeld:
		defer c.tell(Event{Kind: EventHeld}) // once nothing flows
	}
	c.gate()
	return nil
}

// offer makes a new connection to a member and offers it.
func (c *call) offer(id wire.MemberID) error {
	p, err := newPeer(c, id)
	if err != nil {
		return fmt.Errorf("make media connection: %w", err)
	}
	c.peers[id] = p
	p.intro = c.known[id] // nil while waiting
	return c.lose(id, p.offer())
}

// meet notes who a member is. The guest of the two offers, and of two guests
// the one admitted later, who has that role towards the other.
func (c *call) meet(in *wire.Introduce) error {
	if c.state == wire.SeatWaiting {
		return nil // a waiting guest is introduced to nobody
	}
	if in.Member == wire.HostID && (!bytes.Equal(in.Key, c.key) || !bytes.Equal(in.Hash, c.hash[:])) {
		return fmt.Errorf("check introduction: %w", ErrUnverified)
	}
	c.known[in.Member] = in
	p := c.peers[in.Member]
	if p != nil && p.fits(in) {
		return p.introduce(in)
	}
	if p != nil { // another certificate: the other side began anew
		c.drop(p)
	}
	if in.Role == seal.RoleGuest {
		return c.offer(in.Member)
	}
	return nil
}

// describe acts upon an offer or answer.
func (c *call) describe(m *wire.Description) error {
	in := c.known[m.Peer]
	if in == nil {
		c.log.Debug("description of a stranger ignored", "member", m.Peer)
		return nil
	}
	p := c.peers[m.Peer]
	d, err := readDescription(m, in.Fingerprint)
	switch {
	case errors.Is(err, errForeign):
		return c.lose(m.Peer, fmt.Errorf("%w: %w", ErrUnverified, err))
	case err != nil:
		return c.lose(m.Peer, err)
	case m.Kind == "answer":
		if p == nil {
			return nil
		}
		return c.lose(m.Peer, p.answered(d))
	}

	if p != nil && p.offering() {
		if !in.Polite {
			return nil // ours stands
		}
		c.drop(p) // nothing has come of it: the shortest way back
		p = nil
	}
	if p != nil && p.session != d.session {
		c.drop(p) // the other side made a new connection
		p = nil
	}
	if p == nil {
		if p, err = newPeer(c, m.Peer); err != nil {
			return fmt.Errorf("make media connection: %w", err)
		}
		c.peers[m.Peer] = p
		p.intro = in
	}
	return c.lose(m.Peer, p.answer(d))
}

// look notes who is still there, and who is on hold.
func (c *call) look(r *wire.Roster) {
	if c.state == wire.SeatWaiting {
		return
	}
	here := make(map[wire.MemberID]bool, len(r.Members))
	clear(c.held)
	for _, m := range r.Members {
		here[m.Member] = true
		if m.State == wire.SeatHeld {
			c.held[m.Member] = true
		}
	}
	for id, p := range c.peers {
		if !here[id] {
			c.drop(p)
		}
	}
	for id := range c.known {
		if !here[id] {
			delete(c.known, id)
		}
	}
	c.gate()
}

// gate opens the way back to every verified peer who may be heard, and closes
// it to the others.
func (c *call) gate() {
	for id, p := range c.peers {
		p.flow(p.verified && c.state == wire.SeatAdmitted && !c.held[id])
	}
}

// lose gives up the connection to a member, if there is one, for a reason. A
// guest without the practitioner has no business in the room, so that ends the
// call. Without a reason lose does nothing.
func (c *call) lose(id wire.MemberID, why error) error {
	if why == nil {
		return nil
	}
	if p := c.peers[id]; p != nil {
		c.drop(p)
	}
	if id == wire.HostID {
		return fmt.Errorf("connect to practitioner: %w", why)
	}
	c.log.Warn("media connection given up", "member", id, "err", why)
	return nil
}

func (c *call) drop(p *peer) {
	delete(c.peers, p.member)
	p.close()
}

// send sends body, if that can be. If it cannot the home node has gone, and the
// reader is about to hear why.
func (c *call) send(body wire.Body) error {
	frame, err := wire.Encode(body)
	if err != nil {
		return fmt.Errorf("encode %s: %w", body.Type(), err)
	}
	c.conn.Send(frame)
	return nil
}

func (c *call) tell(e Event) {
	c.log.Debug("call moved on", "state", e.Kind, "n", e.Audio+e.Video)
	if c.event != nil {
		c.event(e)
	}
}

// tellFrames tells of what was sent back since it was last told.
func (c *call) tellFrames() {
	now := Event{Kind: EventFrames, Audio: c.audio.Load(), Video: c.video.Load()}
	if now != c.told && now.Audio+now.Video > 0 {
		c.told = now
		c.tell(now)
	}
}
