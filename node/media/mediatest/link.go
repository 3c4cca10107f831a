package mediatest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v3"

	"anteroom/rendezvous/seal"
	"anteroom/rendezvous/wire"
)

// setUp makes the certificate and sets the library up for sound and picture.
func (h *Host) setUp() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	prints, err := certificate.GetFingerprints()
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	if h.own, err = hex.DecodeString(strings.ReplaceAll(prints[0].Value, ":", "")); err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	h.tag = make([]byte, 8)
	rand.Read(h.tag)
	h.config = webrtc.Configuration{Certificates: []webrtc.Certificate{*certificate}}

	codecs, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := codecs.RegisterDefaultCodecs(); err != nil {
		return fmt.Errorf("register codecs: %w", err)
	}
	if err := webrtc.RegisterDefaultInterceptors(codecs, registry); err != nil {
		return fmt.Errorf("register interceptors: %w", err)
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	settings := webrtc.SettingEngine{LoggerFactory: quiet}
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetDTLSRetransmissionInterval(100 * time.Millisecond)
	h.api = webrtc.NewAPI(webrtc.WithMediaEngine(codecs), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings))
	return nil
}

// A link is one connection to one guest. Its state is guarded by the host's mu;
// the library's goroutines take it.
type link struct {
	*Host
	guest wire.MemberID
	pc    *webrtc.PeerConnection
	c0    *webrtc.DataChannel
	sound *webrtc.TrackLocalStaticRTP
	video *webrtc.TrackLocalStaticRTP
	gone  chan struct{}

	begun   bool   // the guest is admitted: paths are tried, the pattern runs
	answer  string // ready to be sent
	early   []webrtc.ICECandidateInit
	open    bool
	proof   []byte
	picture webrtc.SSRC // of what the guest sends; 0 before
}

// newLinkLocked makes a connection to a guest in the place of any earlier one.
func (h *Host) newLinkLocked(m wire.MemberID) (*link, error) {
	if h.intros[m] == nil {
		return nil, errors.New("connect: guest was not introduced")
	}
	if old := h.links[m]; old != nil {
		old.closeLocked()
	}
	pc, err := h.api.NewPeerConnection(h.config)
	if err != nil {
		return nil, fmt.Errorf("make connection: %w", err)
	}
	l := &link{Host: h, guest: m, pc: pc, gone: make(chan struct{})}
	if err := l.furnish(); err != nil {
		pc.GracefulClose()
		return nil, fmt.Errorf("furnish connection: %w", err)
	}
	h.links[m] = l
	h.guestLocked(m, func(g *Guest) {
		g.Connections++
		g.Ready, g.Verified, g.Failed = false, false, ""
	})
	return l, nil
}

func (l *link) furnish() (err error) {
	add := func(mime, id string) (*webrtc.TrackLocalStaticRTP, error) {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, id, "practitioner")
		if err != nil {
			return nil, err
		}
		sender, err := l.pc.AddTrack(track)
		if err != nil {
			return nil, err
		}
		l.closing.Go(func() { l.reports(sender) }) // ends with pc
		return track, nil
	}
	if l.sound, err = add(webrtc.MimeTypeOpus, "sound"); err != nil {
		return err
	}
	if l.video, err = add(webrtc.MimeTypeVP8, "video"); err != nil {
		return err
	}
	negotiated, id := true, uint16(0)
	if l.c0, err = l.pc.CreateDataChannel("c0", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id}); err != nil {
		return err
	}
	l.c0.OnOpen(func() {
		l.locked(func() { l.open = true; l.proveLocked() })
	})
	l.c0.OnMessage(func(m webrtc.DataChannelMessage) {
		l.locked(func() { l.proof = m.Data; l.verifyLocked() })
	})
	l.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateFailed {
			l.locked(func() { l.failLocked("connection failed") })
		}
	})
	l.c0.OnClose(func() { l.locked(func() { l.failLocked("closed by the guest") }) })
	l.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { l.count(track) })
	l.pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil {
			l.locked(func() {
				if l.begun {
					l.send(&wire.Candidate{Peer: l.guest, Candidate: c.ToJSON().Candidate, MID: "0"}) // lost with the room
				}
			})
		}
	})
	return nil
}

// locked runs f with the host locked, unless the link is closed.
func (l *link) locked(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.links[l.guest] == l {
		f()
	}
}

func (l *link) closeLocked() {
	delete(l.links, l.guest)
	if _, here := l.view.Guests[l.guest]; here {
		l.guestLocked(l.guest, func(g *Guest) { g.Ready, g.Verified = false, false })
	}
	close(l.gone)
	l.closing.Go(func() { l.pc.GracefulClose() })
}

func (l *link) failLocked(why string) {
	l.guestLocked(l.guest, func(g *Guest) { g.Verified, g.Failed = false, why })
}

// answerLocked answers an offer: at admission if the guest waits, at once if
// not. A waiting guest's candidates are kept aside, so that nothing leaves.
func (l *link) answerLocked(offer string) error {
	if err := l.setRemote(webrtc.SDPTypeOffer, offer); err != nil {
		return err
	}
	answer, err := l.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("make answer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(l.pc)
	if err := l.pc.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("set answer: %w", err)
	}
	active := strings.Contains(offer, "a=setup:active")
	l.closing.Go(func() {
		select {
		case <-gathered:
			l.locked(func() { l.readyLocked(active) })
		case <-l.gone:
		}
	})
	return nil
}

func (l *link) readyLocked(active bool) {
	l.answer = l.pc.LocalDescription().SDP
	if active { // the library claims that part in every answer, whatever the offer says
		l.answer = strings.ReplaceAll(l.answer, "a=setup:active", "a=setup:passive")
	}
	if l.lies.Describe != nil {
		l.answer = l.lies.Describe(l.answer)
	}
	l.guestLocked(l.guest, func(g *Guest) { g.Ready = true })
	l.deliverLocked()
}

// deliverLocked sends the answer, once it is ready, to a guest who is admitted
// already. That they are may be known only after they have offered.
func (l *link) deliverLocked() {
	g := l.view.Guests[l.guest]
	if g.Ready && !l.begun && (g.State == wire.SeatAdmitted || g.State == wire.SeatHeld) {
		l.send(&wire.Description{Peer: l.guest, Kind: "answer", SDP: l.answer}) // lost with the room
		l.beginLocked()
	}
}

// beginLocked is what admission allows: paths are tried and the pattern runs.
func (l *link) beginLocked() {
	if l.begun {
		return
	}
	l.begun = true
	for _, c := range l.early {
		l.pc.AddICECandidate(c)
	}
	l.closing.Go(l.play)
}

func (l *link) candidateLocked(c webrtc.ICECandidateInit) error {
	if !l.begun || l.pc.RemoteDescription() == nil {
		l.early = append(l.early, c)
		return nil
	}
	return l.pc.AddICECandidate(c)
}

func (l *link) offerLocked(options *webrtc.OfferOptions) error {
	offer, err := l.pc.CreateOffer(options)
	if err != nil {
		return fmt.Errorf("make offer: %w", err)
	}
	if err := l.pc.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("set offer: %w", err)
	}
	return l.send(&wire.Description{Peer: l.guest, Kind: "offer", SDP: offer.SDP})
}

func (l *link) answeredLocked(answer string) error {
	if err := l.setRemote(webrtc.SDPTypeAnswer, answer); err != nil {
		return err
	}
	for _, c := range l.early {
		l.pc.AddICECandidate(c)
	}
	l.early = nil
	l.guestLocked(l.guest, func(g *Guest) { g.Answers++ })
	return nil
}

// setRemote sets a description if it names the introduced certificate.
func (l *link) setRemote(kind webrtc.SDPType, text string) error {
	want := l.intros[l.guest].Fingerprint
	for line := range strings.Lines(text) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), "a=fingerprint:sha-256 ")
		got, err := hex.DecodeString(strings.ReplaceAll(value, ":", ""))
		if ok && (err != nil || !bytes.Equal(got, want)) {
			return errors.New("set remote description: it names another certificate")
		}
	}
	if err := l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: text}); err != nil {
		return fmt.Errorf("set remote description: %w", err)
	}
	return nil
}

// introduceLocked hears again of a guest to whom there is a connection.
func (l *link) introduceLocked(in *wire.Introduce) error {
	cert := l.pc.SCTP().Transport().GetRemoteCertificate()
	if sum := sha256.Sum256(cert); len(cert) > 0 && !bytes.Equal(sum[:], in.Fingerprint) {
		l.closeLocked()
		return nil
	}
	l.proveLocked()
	return nil
}

func (l *link) proveLocked() {
	in := l.intros[l.guest]
	if !l.open {
		return
	}
	mac := seal.BindingMAC([32]byte(in.Key), in.Role, [32]byte(in.Hash), [32]byte(l.attend.Fingerprint), [32]byte(in.Fingerprint))
	proof := mac[:]
	if l.lies.Proof != nil {
		proof = l.lies.Proof(proof)
	}
	if proof != nil {
		l.c0.Send(proof) // lost with the connection
	}
	l.verifyLocked()
}

func (l *link) verifyLocked() {
	in, cert := l.intros[l.guest], l.pc.SCTP().Transport().GetRemoteCertificate()
	if l.proof == nil || len(cert) == 0 {
		return
	}
	want := seal.BindingMAC([32]byte(in.Key), seal.RoleGuest, [32]byte(in.Hash), [32]byte(in.Fingerprint), [32]byte(l.attend.Fingerprint))
	if sum := sha256.Sum256(cert); !bytes.Equal(sum[:], in.Fingerprint) || !hmac.Equal(l.proof, want[:]) {
		l.failLocked("proof or certificate of someone else")
		return
	}
	l.guestLocked(l.guest, func(g *Guest) { g.Verified = true })
}

func (l *link) askKeyFrame() error {
	return l.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(l.picture)}})
}
