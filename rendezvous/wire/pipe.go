package wire

import (
	"io"
	"sync"
)

// pipeQueue is how many frames one direction of a Pipe holds; Send blocks
// when it is full, as a transport does.
const pipeQueue = 64

// Pipe returns two connected Conns. What one sends, the other receives.
func Pipe() (Conn, Conn) {
	p := &pipe{done: make(chan struct{})}
	ab, ba := make(chan []byte, pipeQueue), make(chan []byte, pipeQueue)
	return &pipeEnd{p, ab, ba}, &pipeEnd{p, ba, ab}
}

type pipe struct {
	once   sync.Once
	done   chan struct{} // closed after reason is set
	reason error
}

type pipeEnd struct {
	*pipe
	out chan<- []byte
	in  <-chan []byte
}

func (p *pipeEnd) Send(b []byte) error {
	if len(b) > MaxFrame {
		return ErrBadMessage
	}
	select {
	case <-p.done:
		return p.reason
	default:
	}
	select {
	case p.out <- append([]byte(nil), b...):
		return nil
	case <-p.done:
		return p.reason
	}
}

func (p *pipeEnd) Recv() ([]byte, error) {
	select { // what was sent before the close still arrives
	case b := <-p.in:
		return b, nil
	default:
	}
	select {
	case b := <-p.in:
		return b, nil
	case <-p.done:
		select {
		case b := <-p.in:
			return b, nil
		default:
			return nil, p.reason
		}
	}
}

func (p *pipe) Close(reason error) {
	p.once.Do(func() {
		p.reason = Reason(reason)
		if p.reason != io.EOF { // the code alone, as on any other transport
			p.reason = ErrorFor(Public(p.reason).Code)
		}
		close(p.done)
	})
}
