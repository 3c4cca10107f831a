package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"anteroom/rendezvous"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/seal"
	"anteroom/rendezvous/wire"
)

// ErrUnverified ends a call whose media is not with whom the sealed channel
// is: the home node introduced someone with another key, or the practitioner's
// connection did not prove in time that it is theirs. Nothing was sent back.
var ErrUnverified = &wire.Error{Code: wire.CodeUnauthorized, Message: "media connection could not be verified"}

// A Guest is a whole guest without a browser. It knocks, waits, and once it is
// admitted sends back the sound and the picture that it receives.
type Guest struct {
	Conn wire.Conn    // to a gateway, nothing sent yet; Run closes it
	Link invite.Link  // what the guest holds
	Name string       // what it says it is called, 1 to wire.MaxName code points
	Log  *slog.Logger // nil: says nothing

	// Event, if not nil, hears how the call goes, in order. It must not block:
	// the call waits for it.
	Event func(Event)
}

// An Event is one step of a call. It names nobody.
type Event struct {
	Kind  EventKind `json:"event"`
	Audio int64     `json:"audio,omitempty"` // with EventFrames: packets of sound sent back so far
	Video int64     `json:"video,omitempty"` // with EventFrames: whole pictures sent back so far
	Code  wire.Code `json:"code,omitempty"`  // with EventEnded: why; empty if as planned
}

// An EventKind says what happened.
type EventKind string

const (
	EventJoined   EventKind = "joined"   // in the waiting room, at first or again
	EventAdmitted EventKind = "admitted" // at first, again, or back from hold
	EventHeld     EventKind = "held"     // nothing is sent back for now
	EventVerified EventKind = "verified" // one more connection is with whom it should be
	EventFrames   EventKind = "frames"   // more was sent back; at most twice a second
	EventEnded    EventKind = "ended"    // the last; only a child process says it
)

// Run takes part in the appointment until the call ends, the signalling
// connection is lost or ctx ends; then it says goodbye, so that the seat is
// free. It returns when everything it started has stopped.
//
// It returns nil when the practitioner ended the call, ctx's cause when ctx
// ended it, ErrUnverified, seal.ErrMismatch, or the *wire.Error that says why
// the guest was not let in or was sent away. It never joins a second time: a
// Guest is for one call.
func (g *Guest) Run(ctx context.Context) error {
	defer g.Conn.Close(nil)
	channel, welcome, err := g.knock(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	if err := mayJoin(welcome.State); err != nil {
		return err
	}
	log := g.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	engine, err := newEngine(welcome, log)
	if err != nil {
		return err
	}
	c := &call{
		conn: channel, engine: engine, log: log, event: g.Event,
		key: welcome.Confirm, hash: channel.Hash(),
		posts: make(chan func() error),
		known: make(map[wire.MemberID]*wire.Introduce),
		held:  make(map[wire.MemberID]bool),
		peers: make(map[wire.MemberID]*peer),
	}
	if err := c.run(ctx, &wire.Join{Name: g.Name, Fingerprint: engine.fingerprint}); !errors.Is(err, errEnd) {
		return err
	}
	return nil
}

// knock sends the key frame and makes the sealed channel. It gives up when ctx
// ends.
func (g *Guest) knock(ctx context.Context) (*seal.Channel, *wire.Welcome, error) {
	stop := context.AfterFunc(ctx, func() { g.Conn.Close(nil) })
	defer stop()
	if err := rendezvous.SendKey(g.Conn, g.Link.Keys().Rendezvous); err != nil {
		return nil, nil, err
	}
	channel, frame, err := seal.Dial(g.Conn, g.Link)
	if err != nil {
		return nil, nil, err
	}
	body, err := wire.Decode(frame)
	if err != nil {
		return nil, nil, err
	}
	welcome, ok := body.(*wire.Welcome)
	if !ok {
		return nil, nil, wire.ErrBadMessage
	}
	return channel, welcome, nil
}

// mayJoin says why a guest who was welcomed so should not try the door.
func mayJoin(state wire.WindowState) error {
	switch state {
	case wire.WindowOpen:
		return nil
	case wire.WindowEarly:
		return wire.ErrEarly
	case wire.WindowFull:
		return wire.ErrSeatTaken // joining would only alarm who sits there
	}
	return wire.ErrorFor(wire.Code(state))
}
