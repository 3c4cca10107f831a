package rendezvous

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"anteroom/rendezvous/wire"
)

// A frame on a stream is kind | u16 length | payload. PROTOCOL.md, "Carrying".
const (
	kindData  = 0
	kindClose = 1 // payload: an error code in ASCII, empty for a normal end
	headSize  = 3
	maxReason = 32 // the longest error code has 14 letters

	// writeTime is how long the transport may take to accept a frame before
	// the counterpart counts as too slow.
	writeTime = 10 * time.Second

	// closeTime is how long Close waits, all in all, for a Send that is under
	// way and for the transport to accept the reason.
	closeTime = time.Second
)

// A Transport is what Stream needs of a libp2p stream. Close lets what was
// written arrive, Reset does not; after either, reads and writes fail. A
// deadline also ends what is under way.
type Transport interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Reset() error
}

// Stream returns a wire.Conn whose frames travel on t, and which owns t. Its
// Send fails with wire.ErrTooSlow when t has not accepted a frame for 10 s; its
// Close blocks for at most a second.
func Stream(t Transport) wire.Conn { return &stream{transport: t} }

type stream struct {
	transport Transport

	// writing is held while a frame is written, so that frames are whole.
	writing sync.Mutex
	torn    bool // guarded by writing; half a frame was written, nothing can follow

	mu     sync.Mutex // guards what follows; never held across reads and writes
	reason error      // why it is closed; nil while it is open
	until  time.Time  // when reason is set: how long writes may go on
}

// Send implements wire.Conn.
func (s *stream) Send(b []byte) error {
	if len(b) > wire.MaxFrame {
		return wire.ErrBadMessage
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if reason := s.ended(); reason != nil {
		return reason
	}
	err := s.write(kindData, b)
	switch {
	case err == nil:
		return nil
	case timedOut(err):
		return s.abort(wire.ErrTooSlow)
	default:
		return s.deafened(fmt.Errorf("write stream: %w", err))
	}
}

// Recv implements wire.Conn.
func (s *stream) Recv() ([]byte, error) {
	if reason := s.ended(); reason != nil {
		return nil, reason
	}
	kind, payload, err := s.read()
	switch {
	case errors.Is(err, wire.ErrBadMessage):
		s.Close(err)
	case err != nil:
		s.abort(fmt.Errorf("read stream: %w", err))
	case kind == kindData:
		return payload, nil
	default:
		reason := io.EOF
		if len(payload) > 0 {
			reason = wire.ErrorFor(wire.Code(payload))
		}
		if s.end(reason) {
			s.transport.Close()
		}
	}
	return nil, s.ended()
}

// Close implements wire.Conn.
func (s *stream) Close(reason error) {
	reason = wire.Reason(reason)
	if !s.end(reason) {
		return
	}
	var code wire.Code
	if reason != io.EOF {
		code = wire.Public(reason).Code
	}
	s.writing.Lock() // for a Send under way, which ends in closeTime
	err := s.write(kindClose, []byte(code))
	s.writing.Unlock()
	if err != nil {
		s.transport.Reset()
		return
	}
	s.transport.Close()
}

// end closes s for reason, unless it is closed already; it reports whether
// reason is the one that counts. Recv returns at once, a Send under way has
// closeTime left.
func (s *stream) end(reason error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != nil {
		return false
	}
	s.reason = reason
	s.until = time.Now().Add(closeTime)
	s.transport.SetReadDeadline(time.Unix(1, 0))
	s.transport.SetWriteDeadline(s.until)
	return true
}

// ended returns why s is closed, or nil.
func (s *stream) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// deafened notes that the other end takes nothing any more. It has closed s, most
// likely, and Recv has writeTime to read what it said. deafened returns why s is
// closed, or err.
func (s *stream) deafened(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != nil {
		return s.reason
	}
	s.transport.SetReadDeadline(time.Now().Add(writeTime))
	return err
}

// abort closes s, of which nothing is to be hoped any more, and returns why it
// is closed, which may have been decided before.
func (s *stream) abort(err error) error {
	if s.end(err) {
		s.transport.Reset()
	}
	return s.ended()
}

// write writes one frame. The caller holds s.writing.
func (s *stream) write(kind byte, payload []byte) error {
	if s.torn {
		return io.ErrClosedPipe
	}
	frame := make([]byte, headSize+len(payload))
	frame[0] = kind
	binary.BigEndian.PutUint16(frame[1:], uint16(len(payload)))
	copy(frame[headSize:], payload)

	s.mu.Lock() // so that end's deadline is not overwritten by a later one
	until := s.until
	if s.reason == nil {
		until = time.Now().Add(writeTime)
	}
	s.transport.SetWriteDeadline(until)
	s.mu.Unlock()

	_, err := s.transport.Write(frame)
	s.torn = err != nil
	return err
}

// read reads one frame. Only Recv calls it.
func (s *stream) read() (kind byte, payload []byte, err error) {
	var head [headSize]byte
	if _, err := io.ReadFull(s.transport, head[:]); err != nil {
		return 0, nil, unexpected(err)
	}
	kind = head[0]
	n := int(binary.BigEndian.Uint16(head[1:]))
	switch {
	case kind == kindData && n <= wire.MaxFrame:
	case kind == kindClose && n <= maxReason:
	default:
		return 0, nil, wire.ErrBadMessage
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(s.transport, payload); err != nil {
		return 0, nil, unexpected(err)
	}
	return kind, payload, nil
}

// unexpected keeps a stream that just stops from looking like one that was
// closed for no particular reason.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// timedOut reports whether err is a timeout, in whichever way a transport says so.
func timedOut(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}
