package rendezvous

import (
	"fmt"

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// keyVersion is the first byte of a key frame.
const keyVersion = 1

// SendKey sends the key frame, which tells a gateway where to look for the home
// node. It is the first frame of a guest's connection.
func SendKey(conn wire.Conn, key invite.RendezvousKey) error {
	b := key.Reveal()
	if conn.Send(append([]byte{keyVersion}, b[:]...)) != nil {
		return fmt.Errorf("send key frame: %w", wire.Why(conn))
	}
	return nil
}

// RecvKey receives the key frame, and leaves no copy of it. What is not one is
// wire.ErrBadMessage. The key is the caller's to wipe.
func RecvKey(conn wire.Conn) (invite.RendezvousKey, error) {
	frame, err := conn.Recv()
	if err != nil {
		return invite.RendezvousKey{}, fmt.Errorf("receive key frame: %w", err)
	}
	defer clear(frame)
	if len(frame) != 33 || frame[0] != keyVersion {
		return invite.RendezvousKey{}, fmt.Errorf("receive key frame: %w", wire.ErrBadMessage)
	}
	return invite.NewRendezvousKey((*[32]byte)(frame[1:])), nil
}
