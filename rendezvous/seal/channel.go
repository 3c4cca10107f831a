package seal

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/flynn/noise"

	"anteroom/rendezvous/wire"
)

// sizes are the lengths to which the plaintext of a frame is padded, so that
// whoever carries it learns one of four numbers.
var sizes = []int{256, 1024, 4096, 16384}

// headSize is the u16 length that stands before the data.
const headSize = 2

// A Channel is a wire.Conn inside a wire.Conn: what is sent on it only the
// other end can read, and what is received is what the other end sent, whole,
// once and in order. Its frames hold at most wire.MaxMessage bytes.
//
// A frame that was changed, lost, repeated, moved or made by anyone else ends
// the channel with wire.ErrBadMessage. The reason of a Close travels outside
// the seal: who carries the frames can read and forge it, as they can cut the
// connection. What must be believed is said in a message.
type Channel struct {
	conn wire.Conn
	hash [32]byte

	// sendMu is held while a frame is sealed and sent, so that frames leave in
	// the order of their nonces; the transport's write timeout bounds it.
	sendMu sync.Mutex
	out    *noise.CipherState
	unsent error // guarded by sendMu; set once, by the first frame that did not leave

	in     *noise.CipherState // owned by Recv
	broken error              // owned by Recv; set once, by the first bad frame
}

var _ wire.Conn = (*Channel)(nil)

func newChannel(conn wire.Conn, hs *noise.HandshakeState, in, out *noise.CipherState) *Channel {
	return &Channel{conn: conn, hash: [32]byte(hs.ChannelBinding()), in: in, out: out}
}

// Hash returns h, the Noise handshake hash: equal on both ends of a channel and
// different for every other.
func (c *Channel) Hash() [32]byte { return c.hash }

// Send seals b and sends it. More than wire.MaxMessage bytes are
// wire.ErrBadMessage; after any other failure nothing more is sent.
func (c *Channel) Send(b []byte) error {
	plain, ok := pad(b)
	if !ok {
		return wire.ErrBadMessage
	}
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	if c.unsent != nil {
		return c.unsent
	}
	frame, err := c.out.Encrypt(plain[:0], nil, plain)
	if err != nil { // after 2⁶⁴ frames
		err = fmt.Errorf("seal frame: %w", err)
		c.conn.Close(err)
	} else {
		err = c.conn.Send(frame)
	}
	c.unsent = err // its nonce is used up: the other end would refuse the next
	return err
}

// Recv returns the data of the next frame.
func (c *Channel) Recv() ([]byte, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	frame, err := c.conn.Recv()
	if err != nil {
		return nil, err
	}
	data, ok := c.open(frame)
	if !ok {
		c.broken = fmt.Errorf("open sealed frame: %w", wire.ErrBadMessage)
		c.conn.Close(c.broken)
		return nil, c.broken
	}
	return data, nil
}

func (c *Channel) open(frame []byte) ([]byte, bool) {
	if !slices.Contains(sizes, len(frame)-tagSize) {
		return nil, false
	}
	plain, err := c.in.Decrypt(frame[:0], nil, frame)
	if err != nil {
		return nil, false
	}
	return unpad(plain)
}

// Close implements wire.Conn.
func (c *Channel) Close(reason error) { c.conn.Close(reason) }

// pad returns length | data | zeros in the smallest size that holds it, with
// room behind it for the tag.
func pad(data []byte) ([]byte, bool) {
	if len(data) > wire.MaxMessage {
		return nil, false
	}
	i, _ := slices.BinarySearch(sizes, headSize+len(data))
	plain := make([]byte, sizes[i], sizes[i]+tagSize)
	binary.BigEndian.PutUint16(plain, uint16(len(data)))
	copy(plain[headSize:], data)
	return plain, true
}

// unpad is the inverse of pad, and accepts nothing that pad does not make.
func unpad(plain []byte) ([]byte, bool) {
	if len(plain) < headSize {
		return nil, false
	}
	end := headSize + int(binary.BigEndian.Uint16(plain))
	if i, _ := slices.BinarySearch(sizes, end); i == len(sizes) || sizes[i] != len(plain) {
		return nil, false
	}
	if slices.ContainsFunc(plain[end:], func(b byte) bool { return b != 0 }) {
		return nil, false
	}
	return plain[headSize:end:end], true
}
