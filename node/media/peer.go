package media

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v3"

	"anteroom/rendezvous/wire"
)

// A peer is one connection to one member. Everything but flowing and what the
// lanes hold is owned by the call's loop.
type peer struct {
	call   *call
	member wire.MemberID
	pc     *webrtc.PeerConnection
	c0     *webrtc.DataChannel
	lanes  map[webrtc.RTPCodecType]*lane

	gone    chan struct{} // closed by close
	workers sync.WaitGroup
	flowing atomic.Bool // whether media is sent back

	intro    *wire.Introduce // whom this is with; nil while waiting
	session  uint64          // of the other's connection; 0 until it described itself
	server   bool            // of the DTLS handshake, as negotiated
	offered  string          // what an answer to our latest description calls it
	mid      string          // of our candidates
	outgoing int             // candidates sent

	open     bool        // c0 can carry our proof
	proof    []byte      // what the other sent as theirs
	deadline *time.Timer // runs from the DTLS handshake until verified
	verified bool
}

// newPeer makes a connection with both kinds of media and the data channel c0.
// Nothing is sent on it before the other side is verified.
func newPeer(c *call, id wire.MemberID) (*peer, error) {
	pc, err := c.engine.api.NewPeerConnection(c.engine.config)
	if err != nil {
		return nil, err
	}
	p := &peer{call: c, member: id, pc: pc, gone: make(chan struct{}), lanes: make(map[webrtc.RTPCodecType]*lane)}
	if err := p.furnish(); err != nil {
		pc.GracefulClose()
		return nil, err
	}
	pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		p.post(func() error { return p.sendCandidate(candidate) })
	})
	pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) { p.post(p.observe) })
	pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		p.post(func() error { p.attach(track, receiver); return nil })
	})
	p.c0.OnOpen(func() {
		p.post(func() error { p.open = true; return p.prove() })
	})
	p.c0.OnMessage(func(m webrtc.DataChannelMessage) {
		if len(m.Data) == proofSize && !m.IsString { // what follows is for people
			p.post(func() error { return p.heard(m.Data) })
		}
	})
	for _, l := range p.lanes {
		p.workers.Go(func() { l.listen(p.askKeyFrame) }) // ends when pc closes
	}
	return p, nil
}

func (p *peer) furnish() error {
	for _, c := range codecs {
		l, err := newLane(p, c.kind, c.RTPCodecCapability)
		if err != nil {
			return fmt.Errorf("add %s: %w", c.kind, err)
		}
		p.lanes[c.kind] = l
	}
	negotiated, id := true, uint16(0)
	var err error
	p.c0, err = p.pc.CreateDataChannel("c0", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id})
	if err != nil {
		return fmt.Errorf("add data channel: %w", err)
	}
	return nil
}

// post has the call's loop run f, unless the peer is closed by then. It is for
// the library's goroutines, and waits.
func (p *peer) post(f func() error) {
	select {
	case p.call.posts <- func() error {
		if p.closed() {
			return nil
		}
		return f()
	}:
	case <-p.gone:
	}
}

func (p *peer) closed() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// close ends the connection. The call waits for what it leaves behind.
func (p *peer) close() {
	if p.closed() {
		return
	}
	close(p.gone)
	p.flowing.Store(false)
	if p.deadline != nil {
		p.deadline.Stop()
	}
	p.call.closing.Go(func() {
		if err := p.pc.GracefulClose(); err != nil {
			p.call.log.Debug("media connection not closed cleanly", "member", p.member, "err", scrub(err.Error()))
		}
		p.workers.Wait()
	})
}

// offering reports whether an offer of ours is not yet answered.
func (p *peer) offering() bool {
	return p.pc.SignalingState() == webrtc.SignalingStateHaveLocalOffer
}

// offer describes this side first. A peer offers once, when it is new.
func (p *peer) offer() error {
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("make offer: %w", err)
	}
	return p.describe("offer", offer, corrected(offer.SDP, setupActive))
}

// answered takes the answer to our offer. One to another offer, or to none, is
// ignored.
func (p *peer) answered(d description) error {
	if !p.offering() || d.answers != "" && d.answers != p.offered {
		return nil
	}
	return p.remote(d)
}

// answer takes an offer, the first or a later one, and answers it.
func (p *peer) answer(d description) error {
	if err := p.remote(d); err != nil {
		return err
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("make answer: %w", err)
	}
	p.outgoing = 0 // an ICE restart gathers anew
	if d.active {
		p.server = true
	}
	setup := setupActive
	if p.server {
		setup = setupPassive
	}
	return p.describe("answer", answer, withAnswers(corrected(answer.SDP, setup), d.name()))
}

// describe sets our description and sends it as it shall read. Candidates
// follow, and not before: they come as posts.
func (p *peer) describe(kind string, d webrtc.SessionDescription, text string) error {
	p.offered, p.mid = ownDescription(d.SDP)
	if err := p.pc.SetLocalDescription(d); err != nil {
		return fmt.Errorf("set local description: %w", err)
	}
	return p.call.send(&wire.Description{Peer: p.member, Kind: kind, SDP: text})
}

func (p *peer) remote(d description) error {
	if err := p.pc.SetRemoteDescription(d.SessionDescription); err != nil {
		return fmt.Errorf("set remote description: %w", err)
	}
	p.session = d.session
	return nil
}

// candidate takes one of the other's candidates. They follow the description
// that they belong to; others are ignored.
func (p *peer) candidate(m *wire.Candidate) {
	if err := p.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: m.Candidate, SDPMid: &m.MID}); err != nil {
		p.call.log.Debug("candidate ignored", "member", p.member, "err", scrub(err.Error()))
	}
}

// sendCandidate sends one of our candidates; nil is the last.
func (p *peer) sendCandidate(c *webrtc.ICECandidate) error {
	if p.outgoing == wire.MaxCandidates {
		return nil // the room would not keep it
	}
	p.outgoing++
	m := &wire.Candidate{Peer: p.member, MID: p.mid}
	if c != nil {
		m.Candidate = c.ToJSON().Candidate
	}
	return p.call.send(m)
}
