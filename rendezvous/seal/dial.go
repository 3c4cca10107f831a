package seal

import (
	"errors"
	"fmt"
	"time"

	"github.com/flynn/noise"

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// ErrMismatch says that whoever answered does not hold the key that the link
// commits to: "This link does not match this practice." Nothing but the invite's
// rid has been sent to them.
var ErrMismatch = errors.New("link does not match this practice")

// Dial makes a sealed channel as the guest who holds link, over a conn that
// leads to the home node: to a gateway the caller has sent the key frame
// already. It returns the channel and the home node's first sealed frame, an
// encoded wire.Welcome.
//
// Dial gives the handshake wire.HandshakeTime. When it fails it closes conn,
// and returns ErrMismatch, the *wire.Error that the counterpart closed with, or
// wire.ErrBadMessage if the home node's answer is not one.
func Dial(conn wire.Conn, link invite.Link) (*Channel, []byte, error) {
	limit := time.AfterFunc(wire.HandshakeTime, func() { conn.Close(wire.ErrTimeout) })
	defer limit.Stop()
	channel, welcome, err := knock(conn, link, p256{})
	if err != nil {
		conn.Close(nil) // it is not for the other side to hear why
		return nil, nil, err
	}
	return channel, welcome, nil
}

func knock(conn wire.Conn, link invite.Link, dh noise.DHFunc) (*Channel, []byte, error) {
	keys := link.Keys()
	rid := keys.Rendezvous.RID()
	if conn.Send(openFrame(rid)) != nil {
		return nil, nil, fmt.Errorf("send open: %w", wire.Why(conn))
	}
	hello, err := conn.Recv()
	if err != nil {
		return nil, nil, fmt.Errorf("receive hello: %w", err)
	}
	nonce, public, ok := openHello(keys.Hello, rid, hello)
	if !ok || invite.CommitmentOf(public[:]) != link.Commitment() {
		return nil, nil, ErrMismatch
	}

	hs, err := initiate(dh, public[:], keys.PSK.Reveal(), prologue(rid, link.Commitment(), nonce))
	if err != nil {
		return nil, nil, fmt.Errorf("begin handshake: %w", err)
	}
	m1, _, _, err := hs.WriteMessage(nil, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("write message 1: %w", err)
	}
	if conn.Send(append(admitMAC(keys.Admit, nonce, rid, m1[:pointSize]), m1...)) != nil {
		return nil, nil, fmt.Errorf("send knock: %w", wire.Why(conn))
	}
	m2, err := conn.Recv()
	if err != nil {
		return nil, nil, fmt.Errorf("receive message 2: %w", err)
	}
	welcome, out, in, err := hs.ReadMessage(nil, m2)
	if err != nil {
		return nil, nil, fmt.Errorf("read message 2: %w", wire.ErrBadMessage)
	}
	return newChannel(conn, hs, in, out), welcome, nil
}
