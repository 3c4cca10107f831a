package node

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"anteroom/node/find"
	"anteroom/node/practice"
	"anteroom/node/room"
	"anteroom/node/stack"
	"anteroom/rendezvous"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/seal"
	"anteroom/rendezvous/wire"
)

// Join seats the guest on conn in the room that their link names and carries
// their frames until they leave. The room may be here or on another node; the
// guest cannot tell, and neither can the room.
//
// The guest's first frame tells where to look; everything behind it is sealed
// between the guest and the home node. PROTOCOL.md, "The handshake".
//
// A guest who came in through the public page gets the page from this node, so
// they are carried to nodes of GuestsOf alone.
func (n *Node) Join(ctx context.Context, conn wire.Conn, guest find.Arrival) error {
	remote, err := n.follow(ctx, conn, guest)
	switch {
	case err != nil:
		conn.Close(wire.Public(err))
		return err
	case remote == nil:
		return n.Accept(ctx, conn)
	}
	return wire.Splice(ctx, conn, remote)
}

// follow reads a guest's key and opens a stream to where it leads; nil if that
// is here. It is done with the key, which this node has no more from then on.
func (n *Node) follow(ctx context.Context, conn wire.Conn, guest find.Arrival) (wire.Conn, error) {
	key, err := rendezvous.RecvKey(conn)
	if err != nil {
		return nil, fmt.Errorf("read key frame: %w", err)
	}
	defer key.Wipe()
	var remote wire.Conn
	err = stack.Fresh(func() (err error) {
		if !n.isMine(key.RID()) {
			remote, err = n.dialHome(ctx, key, guest)
		}
		return err
	})
	switch {
	case errors.Is(err, find.ErrBusy):
		return nil, fmt.Errorf("dial home node: %w: %w", wire.ErrTooMany, err)
	case err != nil:
		return nil, fmt.Errorf("dial home node: %w: %w", wire.ErrNotFound, err)
	}
	return remote, nil
}

// isMine reports whether an invite of this node has rid.
func (n *Node) isMine(rid [32]byte) bool {
	_, err := n.practice.Lookup(n.lifetime, rid)
	return err == nil
}

// dialHome opens a stream to the node that key's invite was made on.
func (n *Node) dialHome(ctx context.Context, key invite.RendezvousKey, guest find.Arrival) (wire.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, find.Time)
	defer cancel()
	home, err := n.finder.Home(ctx, key, guest)
	if err != nil {
		return nil, err
	}
	s, err := n.discovery.Open(ctx, home, signalProtocol)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	return rendezvous.Stream(s), nil
}

// Accept is Join seen from the home node: it serves guests of rooms that live
// here and never forwards, so no node becomes a proxy by accident.
func (n *Node) Accept(ctx context.Context, conn wire.Conn) error {
	stop := context.AfterFunc(ctx, func() { conn.Close(wire.ErrGoingAway) })
	defer stop()
	var channel *seal.Channel
	at, greeting := new(practice.Seat), new(wire.Welcome)
	err := stack.Fresh(func() (err error) {
		channel, err = n.shakeHands(ctx, conn, at, greeting)
		return err
	})
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	defer n.announceRelays(channel, greeting, at.Appointment, at.Member)()
	return n.seatGuest(ctx, channel, at, greeting)
}

// shakeHands makes conn a sealed channel to the holder of a link. It sets at to
// the seat that the link is for, and greeting to what its holder was told.
func (n *Node) shakeHands(ctx context.Context, conn wire.Conn, at *practice.Seat, greeting *wire.Welcome) (*seal.Channel, error) {
	return seal.Accept(conn,
		func(rid [32]byte) (_ *invite.HostKeys, ok bool) {
			seat, err := n.practice.Lookup(ctx, rid)
			*at = seat
			return seat.Keys, err == nil
		},
		func() ([]byte, error) {
			w, err := n.welcome(ctx, *at)
			if err != nil {
				return nil, err
			}
			*greeting = *w
			return wire.Encode(w)
		})
}

// seatGuest waits for the person at the other end to press Join, and serves
// them until they leave.
func (n *Node) seatGuest(ctx context.Context, channel *seal.Channel, at *practice.Seat, greeting *wire.Welcome) error {
	r, guest, done, err := n.admitToRoom(ctx, channel, at, greeting)
	if err != nil {
		room.Dismiss(channel, err)
		return err
	}
	defer done()
	return r.Serve(ctx, channel, guest)
}

// admitToRoom returns who pressed Join, and the room that they may wait in until
// done. What it needs for that is not kept while they wait.
func (n *Node) admitToRoom(ctx context.Context, channel *seal.Channel, at *practice.Seat, greeting *wire.Welcome) (r *openRoom, guest *room.Guest, done func(), err error) {
	join, err := n.awaitJoin(channel, at.Member)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read join: %w", err)
	}
	// Time has passed since the handshake: ask again who may sit here.
	var now practice.Seat
	err = stack.Fresh(func() (err error) {
		if now, err = n.practice.Lookup(ctx, at.Keys.Rendezvous.RID()); err == nil {
			err = now.MayEnter(n.practice.Now())
		}
		if err != nil {
			return fmt.Errorf("enter: %w", err)
		}
		r, done, err = n.enter(ctx, now.Appointment)
		return err
	})
	if err != nil {
		return nil, nil, nil, err
	}

	// The token of the welcome with which it first took the seat is what a
	// device is known by.
	token := join.Resume
	if len(token) == 0 {
		token = greeting.Resume
	}
	device, hash := sha256.Sum256(token), channel.Hash()
	return r, &room.Guest{
		Member:      now.Member,
		Name:        join.Name,
		Label:       now.Label,
		Fingerprint: join.Fingerprint,
		Key:         greeting.Confirm,
		Hash:        hash[:],
		Device:      device[:],
		Returning:   subtle.ConstantTimeCompare(device[:], now.ResumeHash) == 1,
	}, done, nil
}

// awaitJoin reads what a guest says before they press Join.
func (n *Node) awaitJoin(channel wire.Conn, m wire.MemberID) (*wire.Join, error) {
	for range maxTests {
		frame, err := channel.Recv()
		if err != nil {
			return nil, err
		}
		var body wire.Body
		err = stack.Fresh(func() (err error) {
			body, err = wire.Decode(frame)
			return err
		})
		if err != nil {
			return nil, err
		}
		switch body := body.(type) {
		case *wire.Join:
			return body, nil
		case *wire.Tested:
			n.tests.add(m, body.Path, n.practice.Now())
			n.tick()
		default:
			return nil, wire.ErrBadMessage
		}
	}
	return nil, wire.ErrTooMany
}

// Attend seats the practitioner, whose first message a was, in the room of an
// appointment. The caller knows that it is theirs.
func (n *Node) Attend(ctx context.Context, conn wire.Conn, a *wire.Attend) error {
	appointment, err := n.practice.Appointment(ctx, a.Appointment)
	if err != nil {
		room.Dismiss(conn, wire.ErrNoSuchRoom)
		return fmt.Errorf("attend: %w", errors.Join(wire.ErrNoSuchRoom, err))
	}
	greeting, err := n.greeting(ctx, appointment, wire.HostID)
	if err != nil {
		room.Dismiss(conn, err)
		return err
	}
	defer n.announceRelays(conn, greeting, appointment, wire.HostID)()
	r, done, err := n.enter(ctx, appointment)
	if err != nil {
		room.Dismiss(conn, err)
		return err
	}
	defer done()
	return r.Attend(ctx, conn, &room.Host{
		Name:        greeting.Practitioner,
		Fingerprint: a.Fingerprint,
		Tab:         a.Tab,
		Take:        a.Take,
		Welcome:     greeting,
	})
}
