package media

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/pion/webrtc/v3"

	"anteroom/rendezvous/seal"
	"anteroom/rendezvous/wire"
)

const (
	// bindingTime is how long after the DTLS handshake the other side may take
	// to prove who it is. PROTOCOL.md, "Media binding".
	bindingTime = 3 * time.Second

	proofSize = 32
)

// fits reports whether the connection can be with whom in describes: it is
// with them already, or nobody was introduced on it yet.
func (p *peer) fits(in *wire.Introduce) bool {
	return p.intro == nil || bytes.Equal(p.intro.Fingerprint, in.Fingerprint)
}

// introduce says whom the connection is with. With new keys our proof is sent
// again, since the other side may not have accepted the last.
func (p *peer) introduce(in *wire.Introduce) error {
	p.intro = in
	return p.prove()
}

// prove sends our proof, as soon as it can be made and carried.
func (p *peer) prove() error {
	if p.open && p.intro != nil {
		mac := p.mac(p.intro.Role, p.call.engine.fingerprint, p.intro.Fingerprint)
		if err := p.c0.Send(mac); err != nil {
			p.call.log.Debug("proof not sent", "member", p.member, "err", scrub(err.Error()))
		}
	}
	return p.verify()
}

// heard takes the other's proof.
func (p *peer) heard(proof []byte) error {
	p.proof = proof
	return p.verify()
}

// observe looks at how far the connection is. States are reported by
// goroutines that overtake each other, so what counts is what holds now.
func (p *peer) observe() error {
	switch p.dtls().State() {
	case webrtc.DTLSTransportStateConnected:
		if p.deadline == nil {
			p.deadline = time.AfterFunc(bindingTime, func() { p.post(p.expire) })
		}
		return p.verify()
	case webrtc.DTLSTransportStateFailed: // above all: not the certificate in the description
		return p.call.lose(p.member, fmt.Errorf("handshake with another certificate or none: %w", ErrUnverified))
	}
	return nil // a path that failed may be restarted by the other side
}

func (p *peer) expire() error {
	if p.verified {
		return nil
	}
	return p.call.lose(p.member, fmt.Errorf("no valid proof in time: %w", ErrUnverified))
}

// verify opens the way back once the certificate in use is the introduced one
// and the other side has proved that it knows the introduction's key.
func (p *peer) verify() error {
	certificate := p.dtls().GetRemoteCertificate()
	if p.verified || p.intro == nil || p.proof == nil || len(certificate) == 0 {
		return nil
	}
	err := p.check(certificate)
	if err == nil {
		p.verified = true
		p.call.tell(Event{Kind: EventVerified})
		p.call.gate()
		return nil
	}
	if p.member != wire.HostID && errors.Is(err, errProof) {
		return nil // keys between guests may have changed on the way; the deadline decides
	}
	return p.call.lose(p.member, fmt.Errorf("%w: %w", ErrUnverified, err))
}

var errProof = errors.New("proof made with another key")

// check compares the certificate in use, not the one in a description, and the
// proof with the introduction.
func (p *peer) check(certificate []byte) error {
	fingerprint := sha256.Sum256(certificate)
	if !bytes.Equal(fingerprint[:], p.intro.Fingerprint) {
		return errors.New("another certificate is in use")
	}
	other := seal.RoleHost
	if p.intro.Role == seal.RoleHost {
		other = seal.RoleGuest
	}
	if !hmac.Equal(p.proof, p.mac(other, p.intro.Fingerprint, p.call.engine.fingerprint)) {
		return errProof
	}
	return nil
}

// mac returns the proof of the side that has the given role and certificate.
func (p *peer) mac(role string, self, peer []byte) []byte {
	mac := seal.BindingMAC([32]byte(p.intro.Key), role, [32]byte(p.intro.Hash), [32]byte(self), [32]byte(peer))
	return mac[:]
}

func (p *peer) dtls() *webrtc.DTLSTransport { return p.pc.SCTP().Transport() }
