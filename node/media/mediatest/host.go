package mediatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"

	"github.com/pion/webrtc/v3"

	"anteroom/rendezvous/wire"
)

// Lies are what a dishonest Host does. The zero value is honest.
type Lies struct {
	// Describe, if not nil, changes the answer before it is sent.
	Describe func(sdp string) string
	// Proof, if not nil, changes the binding MAC; nothing is sent if it
	// returns nil.
	Proof func(mac []byte) []byte
}

// A Host is a practitioner in one room. Its methods may be called while it
// runs, from any goroutine.
type Host struct {
	conn   wire.Conn
	attend wire.Attend
	lies   Lies
	api    *webrtc.API
	config webrtc.Configuration
	own    []byte // SHA-256 of the certificate, whatever attend says
	tag    []byte // of every packet of the pattern

	closing sync.WaitGroup // connections on their way out

	mu      sync.Mutex
	changed chan struct{} // closed and replaced whenever the view changes
	view    View
	intros  map[wire.MemberID]*wire.Introduce
	links   map[wire.MemberID]*link
}

// A View is what a Host knows.
type View struct {
	Attending bool // the room has told who is there
	Locked    bool
	Code      wire.Code // of the last error or goodbye
	Returned  int       // packets that came from anybody who was ever here
	Guests    map[wire.MemberID]Guest
}

// A Guest is what a Host knows of one guest.
type Guest struct {
	State wire.SeatState
	Name  string
	Label string
	Alarm bool

	Ready       bool   // the answer to the latest offer is made
	Connections int    // made so far
	Answers     int    // to offers of the host
	Verified    bool   // of the latest: the guest proved who they are
	Failed      string // of the latest: why it was given up

	Sent      int // packets of the pattern sent so far, of both kinds
	Audio     int // packets that came back unchanged
	Video     int
	Strange   int // packets that came and were not the pattern's
	KeyFrames int // how often the guest asked for one
}

// NewHost returns a host that will attend over conn, which carries messages
// unsealed, as a practitioner's WebSocket does. It fills in attend's fingerprint
// if there is none.
func NewHost(conn wire.Conn, attend wire.Attend, lies Lies) (*Host, error) {
	h := &Host{
		conn: conn, attend: attend, lies: lies, changed: make(chan struct{}),
		view:   View{Guests: make(map[wire.MemberID]Guest)},
		intros: make(map[wire.MemberID]*wire.Introduce), links: make(map[wire.MemberID]*link),
	}
	if err := h.setUp(); err != nil {
		return nil, err
	}
	if h.attend.Fingerprint == nil {
		h.attend.Fingerprint = h.own
	}
	return h, nil
}

// Run attends until the connection or ctx ends. It returns when everything it
// started has stopped: nil after a normal end, else why.
func (h *Host) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { h.conn.Close(nil) })
	defer stop()
	defer h.closing.Wait()
	defer h.closeAll()
	h.send(&h.attend) // if it is lost, Recv says why
	for {
		frame, err := h.conn.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("hear room: %w", err)
		}
		body, err := wire.Decode(frame)
		if err != nil {
			return fmt.Errorf("hear room: %w", err)
		}
		h.mu.Lock()
		err = h.hearLocked(body)
		h.changeLocked()
		h.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// Await waits until ok is true of what the host knows, and returns that.
func (h *Host) Await(ctx context.Context, ok func(View) bool) (View, error) {
	for {
		h.mu.Lock()
		view, changed := h.view, h.changed
		view.Guests = maps.Clone(view.Guests)
		h.mu.Unlock()
		if ok(view) {
			return view, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return view, fmt.Errorf("await %+v: %w", view, context.Cause(ctx))
		}
	}
}

// Admit lets a guest in with the answer to their offer; they must be Ready. The
// pattern starts at the same moment.
func (h *Host) Admit(m wire.MemberID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.links[m]
	if l == nil || !h.view.Guests[m].Ready {
		return errors.New("admit: no answer is ready")
	}
	if err := h.send(&wire.Admit{Member: m, SDP: l.answer}); err != nil {
		return err
	}
	l.beginLocked()
	return nil
}

// Deny, Remove, Hold, Lock, Leave and End say what their messages are named.
func (h *Host) Deny(m wire.MemberID) error          { return h.send(&wire.Deny{Member: m}) }
func (h *Host) Remove(m wire.MemberID) error        { return h.send(&wire.Remove{Member: m}) }
func (h *Host) Hold(m wire.MemberID, on bool) error { return h.send(&wire.Hold{Member: m, On: on}) }
func (h *Host) Lock(on bool) error                  { return h.send(&wire.Lock{On: on}) }
func (h *Host) End() error                          { return h.send(&wire.End{}) }

// Leave steps out: every guest goes back to the waiting room.
func (h *Host) Leave() error {
	h.closeAll()
	return h.send(&wire.Leave{})
}

// Restart makes a guest's connection find a new path: an offer with an ICE
// restart on the connection that exists.
func (h *Host) Restart(m wire.MemberID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.links[m]
	if l == nil {
		return errors.New("restart: no connection")
	}
	return l.offerLocked(&webrtc.OfferOptions{ICERestart: true})
}

// Rebuild gives a guest's connection up without a word and offers a new one.
func (h *Host) Rebuild(m wire.MemberID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	l, err := h.newLinkLocked(m)
	if err != nil {
		return err
	}
	l.beginLocked()
	return l.offerLocked(nil)
}

// AskKeyFrame asks a guest for a key frame of what they send.
func (h *Host) AskKeyFrame(m wire.MemberID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.links[m]
	if l == nil || l.picture == 0 {
		return errors.New("ask for key frame: no picture has come")
	}
	return l.askKeyFrame()
}

func (h *Host) hearLocked(body wire.Body) error {
	switch m := body.(type) {
	case *wire.Roster:
		h.rosterLocked(m)
	case *wire.Introduce:
		h.intros[m.Member] = m
		if l := h.links[m.Member]; l != nil {
			return l.introduceLocked(m)
		}
	case *wire.Description:
		return h.describeLocked(m)
	case *wire.Candidate:
		if l := h.links[m.Peer]; l != nil {
			return l.candidateLocked(webrtc.ICECandidateInit{Candidate: m.Candidate, SDPMid: &m.MID})
		}
	case *wire.ErrorBody:
		h.view.Code = m.Code
	case *wire.Bye:
		h.view.Code = m.Code
	}
	return nil
}

func (h *Host) rosterLocked(r *wire.Roster) {
	h.view.Attending, h.view.Locked = true, r.Locked
	here := make(map[wire.MemberID]bool)
	for _, m := range r.Members {
		if m.Role == wire.RoleHost {
			continue
		}
		here[m.Member] = true
		h.guestLocked(m.Member, func(g *Guest) {
			g.State, g.Name, g.Label, g.Alarm = m.State, m.Name, m.Label, m.Alarm
		})
		if l := h.links[m.Member]; l != nil {
			l.deliverLocked()
		}
	}
	for id := range h.view.Guests {
		if !here[id] {
			delete(h.view.Guests, id)
			if l := h.links[id]; l != nil {
				l.closeLocked()
			}
		}
	}
}

func (h *Host) describeLocked(m *wire.Description) error {
	if m.Kind == "answer" {
		if l := h.links[m.Peer]; l != nil {
			return l.answeredLocked(m.SDP)
		}
		return nil
	}
	l, err := h.newLinkLocked(m.Peer)
	if err != nil {
		return err
	}
	return l.answerLocked(m.SDP)
}

// guestLocked changes what is known of a guest and wakes who awaits it.
func (h *Host) guestLocked(m wire.MemberID, change func(*Guest)) {
	g := h.view.Guests[m]
	change(&g)
	h.view.Guests[m] = g
	h.changeLocked()
}

func (h *Host) changeLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *Host) closeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.links {
		l.closeLocked()
	}
}

func (h *Host) send(body wire.Body) error {
	frame, err := wire.Encode(body)
	if err != nil {
		return fmt.Errorf("encode %s: %w", body.Type(), err)
	}
	if err := h.conn.Send(frame); err != nil {
		return fmt.Errorf("send %s: %w", body.Type(), err)
	}
	return nil
}
