package httpui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// deskSocket sends a practitioner's diary at once, and what changes in it
// whenever it does. The page sends its token first, and nothing after.
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
		session, detach, err := s.admit(r, c, first.Token, "")
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
		err = s.pushDesk(c, s.backend.As(session.Practitioner))
		c.Close(err)
		return err
	})
}

// deskPause is how long a page waits for the next change at least, so that a
// crowd at the doors is shown ten times a second, which is as much as anybody
// can follow. A diary that takes long to read is read a quarter of the time.
const deskPause = 100 * time.Millisecond

// A deskChange is a Desk that says of the diary only what is not as it was in
// the messages before on the same socket: appointments that are new or have
// changed, and those that are gone. The first one holds all of them.
type deskChange struct {
	api.Desk
	Gone []string `json:"gone"` // ids; never null
}

// pushDesk sends the diary on c, and then what changes in it, until c ends.
// Changes that come while one is on its way are one change.
func (s *Server) pushDesk(c *wsConn, diary api.Diary) error {
	changed, stop := diary.Watch() // before the first snapshot, so no change falls between
	defer stop()
	var sent map[string]string
	for {
		began := time.Now()
		desk, err := diary.Desk(c.ctx)
		if err != nil {
			return fmt.Errorf("read desk: %w", err)
		}
		edge := time.NewTimer(untilEdge(desk))
		change, held, err := sinceSent(desk, sent)
		if err == nil {
			var message []byte
			if message, err = json.Marshal(change); err == nil {
				err = c.write(message)
			}
		}
		if err != nil {
			edge.Stop()
			return fmt.Errorf("write desk: %w", err)
		}
		sent = held
		rest := time.NewTimer(max(deskPause, 3*time.Since(began)))
		err = awaitChange(c, changed, edge.C, rest.C)
		edge.Stop()
		rest.Stop()
		if err != nil {
			return err
		}
	}
}

// awaitChange returns when something has changed or edge has come, and not
// before rest; its error is why c has ended.
func awaitChange(c *wsConn, changed <-chan struct{}, edge, rest <-chan time.Time) error {
	select {
	case <-changed:
	case <-edge:
	case <-c.done:
		return c.reason
	}
	select {
	case <-rest:
		return nil
	case <-c.done:
		return c.reason
	}
}

// sinceSent returns what of desk is not as sent says, and what the page knows
// after that: each appointment's JSON by its id.
func sinceSent(desk api.Desk, sent map[string]string) (deskChange, map[string]string, error) {
	change := deskChange{Desk: desk, Gone: []string{}}
	change.Appointments = []api.Appointment{}
	held := make(map[string]string, len(desk.Appointments))
	for _, a := range desk.Appointments {
		text, err := json.Marshal(a)
		if err != nil {
			return deskChange{}, nil, err
		}
		held[a.ID] = string(text)
		if before, known := sent[a.ID]; !known || before != held[a.ID] {
			change.Appointments = append(change.Appointments, a)
		}
	}
	for id := range sent {
		if _, still := held[id]; !still {
			change.Gone = append(change.Gone, id)
		}
	}
	return change, held, nil
}

// untilEdge is how long desk stays true if nothing happens: until the next
// appointment opens or closes by the node's clock.
func untilEdge(desk api.Desk) time.Duration {
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
