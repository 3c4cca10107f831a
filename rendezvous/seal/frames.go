package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"

	"anteroom/rendezvous/invite"
)

// The frames before the channel is sealed. All have one length each and no
// optional part. PROTOCOL.md, "The handshake".
const (
	version = 1
	suite   = 1 // Noise_NKpsk0_P256_AESGCM_SHA256, the only one

	pointSize = 65
	tagSize   = 16
	nonceSize = 32
	ivSize    = 12
	boxSize   = ivSize + pointSize + tagSize // 93
	admitSize = 16
	m1Size    = pointSize + tagSize // 81: its payload is empty

	openSize  = 1 + 32                          // version | rid
	helloSize = 1 + 1 + 1 + nonceSize + boxSize // version | number of suites | suite | nonce_h | box
	knockSize = admitSize + m1Size              // admit | m1
)

// openFrame asks the home node for the invite rid.
func openFrame(rid [32]byte) []byte { return append([]byte{version}, rid[:]...) }

// parseOpen is the inverse of openFrame.
func parseOpen(frame []byte) (rid [32]byte, ok bool) {
	if len(frame) != openSize || frame[0] != version {
		return rid, false
	}
	return [32]byte(frame[1:]), true
}

// helloFrame is the home node's answer: its nonce, and its public key, which
// only a holder of the link can read. iv must be fresh.
func helloFrame(hello invite.Secret, rid, nonce [32]byte, iv [ivSize]byte, public [pointSize]byte) ([]byte, error) {
	aead, err := helloAEAD(hello)
	if err != nil {
		return nil, err
	}
	frame := make([]byte, 0, helloSize)
	frame = append(frame, version, 1, suite)
	frame = append(frame, nonce[:]...)
	frame = append(frame, iv[:]...)
	return aead.Seal(frame, iv[:], public[:], helloData(rid, nonce)), nil
}

// openHello returns the nonce and public key in a hello frame. It reports false
// if the frame was made for another link, or has been changed.
func openHello(hello invite.Secret, rid [32]byte, frame []byte) (nonce [32]byte, public [pointSize]byte, ok bool) {
	if len(frame) != helloSize || !bytes.HasPrefix(frame, []byte{version, 1, suite}) {
		return nonce, public, false
	}
	nonce = [32]byte(frame[3:])
	iv, box := frame[3+nonceSize:][:ivSize], frame[3+nonceSize+ivSize:]
	aead, err := helloAEAD(hello)
	if err != nil {
		return nonce, public, false
	}
	plain, err := aead.Open(nil, iv, box, helloData(rid, nonce))
	if err != nil {
		return nonce, public, false
	}
	return nonce, [pointSize]byte(plain), true
}

func helloAEAD(hello invite.Secret) (cipher.AEAD, error) {
	block, err := aes.NewCipher(hello.Reveal())
	if err != nil {
		return nil, fmt.Errorf("make hello cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

func helloData(rid, nonce [32]byte) []byte {
	return slices.Concat([]byte("ar1 hello"), rid[:], nonce[:])
}

// prologue is what both sides must agree on before the first Noise message.
func prologue(rid [32]byte, commitment [16]byte, nonce [32]byte) []byte {
	return slices.Concat([]byte("ar1\x00"), []byte{version, suite}, rid[:], commitment[:], nonce[:])
}

// admitMAC proves that the sender of e_pub, the first 65 bytes of m1, holds the
// link. The home node checks it before it does anything costly.
func admitMAC(admit invite.Secret, nonce, rid [32]byte, ePub []byte) []byte {
	mac := hmac.New(sha256.New, admit.Reveal())
	mac.Write([]byte("ar1 admit"))
	mac.Write(nonce[:])
	mac.Write(rid[:])
	mac.Write(ePub)
	return mac.Sum(nil)[:admitSize]
}
