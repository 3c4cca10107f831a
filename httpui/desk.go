package httpui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"anteroom/rendezvous/wire"
)

// deskSocket sends a practitioner's diary: at once, and whenever it changes.
// The page sends its token first, and nothing after.
func (s *Server) deskSocket(w http.ResponseWriter, r *request) error {
	return s.serveSocket(w, r, websocket.MessageText, func(c *wsConn) error {
		frame, err := c.Recv()
		if err != nil {
			return err
		}
		var first struct {
			Token string `json:"token"`
		}
		if decode(frame, &first) != nil {
			return wire.ErrBadMessage
		}
		session, detach, err := s.admit(r, c, first.Token, nil)
		if err != nil {
			return err
		}
		defer detach()

		var reading sync.WaitGroup
		defer reading.Wait()
		defer c.Close(wire.ErrInternal) // after a panic; otherwise it is closed
		reading.Go(func() {             // reads pongs; ends with the Conn
			if _, err := c.Recv(); err == nil {
				c.Close(wire.ErrBadMessage)
			}
		})
		err = s.pushDesk(c, session.Practitioner)
		c.Close(err)
		return err
	})
}

// pushDesk sends snapshots on c until it ends. Changes that come while one is
// on its way are one change.
func (s *Server) pushDesk(c *wsConn, practitioner string) error {
	changed, stop := s.backend.Watch() // before the first snapshot, so no change falls between
	defer stop()
	for {
		desk, err := s.backend.Desk(c.ctx, practitioner)
		if err != nil {
			return fmt.Errorf("read desk: %w", err)
		}
		snapshot, err := json.Marshal(desk)
		if err != nil {
			return fmt.Errorf("write desk: %w", err)
		}
		if err := c.write(snapshot); err != nil {
			return err
		}
		edge := time.NewTimer(untilEdge(desk))
		select {
		case <-changed:
		case <-edge.C:
		case <-c.done:
			edge.Stop()
			return c.reason
		}
		edge.Stop()
	}
}

// untilEdge is how long desk stays true if nothing happens: until the next
// appointment opens or closes by the node's clock.
func untilEdge(desk Desk) time.Duration {
	next := desk.Now + int64(time.Hour/time.Second)
	for _, a := range desk.Appointments {
		for _, t := range []int64{a.Opens, a.Starts, a.Ends, a.Closes} {
			if desk.Now < t && t < next {
				next = t
			}
		}
	}
	return time.Duration(next-desk.Now) * time.Second
}
