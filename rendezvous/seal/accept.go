package seal

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/flynn/noise"

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// errRefused is what everyone gets who did not prove that they hold a link:
// one code, whatever was wrong, so that outsiders learn nothing by asking.
var errRefused = fmt.Errorf("handshake refused: %w", wire.ErrNotInvited)

// Accept answers a guest on conn as the home node of their invite, and returns
// the sealed channel to them.
//
// find returns the keys of the invite that rid names, if it is this node's. It
// must take about the same time for every rid. welcome returns the payload of
// the home node's first sealed frame, an encoded wire.Welcome; it is called
// after the guest has proved that they hold the link, so it may tell them why
// they cannot enter.
//
// Accept gives the handshake wire.HandshakeTime. When it fails it closes conn:
// whoever has not proved anything is told wire.ErrNotInvited, 100 to 200 ms
// after their last frame, whether the rid is unknown or the proof wrong. An
// unknown rid is answered with keys drawn at random for this one connection:
// the same code, the same work, and no way through.
func Accept(conn wire.Conn, find func(rid [32]byte) (*invite.HostKeys, bool), welcome func() ([]byte, error)) (*Channel, error) {
	r := responder{conn: conn, find: find, welcome: welcome, dh: p256{}, pause: closeDelay}
	return r.accept()
}

// closeDelay waits until 100 to 200 ms have passed since then. It is counted
// from the frame that is refused, so the work done on it does not show.
func closeDelay(then time.Time) {
	var b [8]byte
	rand.Read(b[:])
	more := time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(100*time.Millisecond))
	time.Sleep(time.Until(then.Add(100*time.Millisecond + more)))
}

// A responder is one Accept.
type responder struct {
	conn    wire.Conn
	find    func(rid [32]byte) (*invite.HostKeys, bool)
	welcome func() ([]byte, error)
	dh      noise.DHFunc
	pause   func(since time.Time) // before an outsider's connection is closed

	received time.Time // when the last frame came
}

func (r *responder) accept() (*Channel, error) {
	limit := time.AfterFunc(wire.HandshakeTime, func() { r.conn.Close(wire.ErrTimeout) })
	defer limit.Stop()
	channel, err := r.answer()
	if err != nil {
		if errors.Is(err, errRefused) {
			r.pause(r.received)
		}
		r.conn.Close(err)
		return nil, err
	}
	return channel, nil
}

func (r *responder) answer() (*Channel, error) {
	open, err := r.recv()
	if err != nil {
		return nil, fmt.Errorf("receive open: %w", err)
	}
	rid, ok := parseOpen(open)
	if !ok {
		return nil, errRefused
	}
	keys, known := r.find(rid)
	if !known {
		decoy := invite.Decoy()
		keys = &decoy
	}

	var nonce [nonceSize]byte
	var iv [ivSize]byte
	rand.Read(nonce[:])
	rand.Read(iv[:])
	hello, err := helloFrame(keys.Hello, rid, nonce, iv, keys.Public())
	if err != nil {
		return nil, err
	}
	if r.conn.Send(hello) != nil {
		return nil, fmt.Errorf("send hello: %w", wire.Why(r.conn))
	}

	knock, err := r.recv()
	if err != nil {
		return nil, fmt.Errorf("receive knock: %w", err)
	}
	if len(knock) != knockSize {
		return nil, errRefused
	}
	admit, m1 := knock[:admitSize], knock[admitSize:]
	// Nothing above this line and nothing in this line costs a curve operation.
	if !hmac.Equal(admit, admitMAC(keys.Admit, nonce, rid, m1[:pointSize])) || !known {
		return nil, errRefused
	}
	return r.complete(keys, prologue(rid, keys.Commitment(), nonce), m1)
}

// complete does the Noise handshake with a guest who holds the link.
func (r *responder) complete(keys *invite.HostKeys, prologue, m1 []byte) (*Channel, error) {
	public := keys.Public()
	static := noise.DHKey{Private: keys.Private().Reveal(), Public: public[:]}
	hs, err := respond(r.dh, static, keys.PSK.Reveal(), prologue)
	if err != nil {
		return nil, fmt.Errorf("begin handshake: %w", err)
	}
	if _, _, _, err := hs.ReadMessage(nil, m1); err != nil {
		return nil, errRefused
	}
	payload, err := r.welcome()
	if err != nil {
		return nil, fmt.Errorf("make welcome: %w", err)
	}
	m2, in, out, err := hs.WriteMessage(nil, payload)
	if err != nil {
		return nil, fmt.Errorf("write message 2: %w", err)
	}
	if r.conn.Send(m2) != nil {
		return nil, fmt.Errorf("send message 2: %w", wire.Why(r.conn))
	}
	return newChannel(r.conn, hs, in, out), nil
}

func (r *responder) recv() ([]byte, error) {
	frame, err := r.conn.Recv()
	r.received = time.Now()
	return frame, err
}
