package passthrough

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// idleTime ends a connection that carries nothing: a page's WebSocket is
// pinged every 15 s.
const idleTime = 2 * time.Minute

// splice carries bytes both ways until both are done, one fails, or nothing
// has moved for idleTime. It calls goesOn whenever s has something for a client
// who has said something since s first had: a node of which only the first
// message of TLS is asked answers once.
func splice(conn *rewound, s network.Stream, goesOn func()) error {
	alive := func() {
		deadline := time.Now().Add(idleTime)
		conn.SetDeadline(deadline)
		s.SetDeadline(deadline)
	}
	var answered, replied atomic.Bool
	up := make(chan error, 1)
	go func() { // ends with s or conn
		err := pump(s, conn, alive, func() {
			if answered.Load() {
				replied.Store(true)
			}
		})
		if err == nil {
			err = s.CloseWrite()
		}
		if err != nil {
			s.Reset()
			conn.Close()
		}
		up <- err
	}()
	err := pump(conn, s, alive, func() {
		answered.Store(true)
		if replied.Load() {
			goesOn()
		}
	})
	if err == nil {
		err = conn.CloseWrite()
	}
	if err != nil {
		s.Reset()
		conn.Close()
	}
	err = errors.Join(err, <-up)
	s.Close()
	return err
}

// pump copies from src to dst until src ends, and calls alive before each read
// and came with each piece.
func pump(dst io.Writer, src io.Reader, alive, came func()) error {
	buf := make([]byte, 16<<10)
	for {
		alive()
		n, err := src.Read(buf)
		if n > 0 {
			came()
			if _, err := dst.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
