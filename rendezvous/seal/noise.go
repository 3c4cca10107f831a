package seal

import (
	"crypto/ecdh"
	"fmt"
	"io"

	"github.com/flynn/noise"
)

// p256 is Diffie-Hellman on P-256, which every browser's WebCrypto has. Keys
// are a 32-byte scalar and a 65-byte uncompressed point; the shared secret is
// the 32-byte x-coordinate.
type p256 struct{}

// GenerateKeypair implements noise.DHFunc.
func (p256) GenerateKeypair(random io.Reader) (noise.DHKey, error) {
	priv, err := ecdh.P256().GenerateKey(random)
	if err != nil {
		return noise.DHKey{}, fmt.Errorf("generate key: %w", err)
	}
	return noise.DHKey{Private: priv.Bytes(), Public: priv.PublicKey().Bytes()}, nil
}

// DH implements noise.DHFunc. It refuses a public key that is not an
// uncompressed point on the curve.
func (p256) DH(private, public []byte) ([]byte, error) {
	priv, err := ecdh.P256().NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	pub, err := ecdh.P256().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	return priv.ECDH(pub)
}

// DHLen implements noise.DHFunc: for the library it is the length of a public key.
func (p256) DHLen() int { return pointSize }

// DHName implements noise.DHFunc.
func (p256) DHName() string { return "P256" }

// pattern is the handshake pattern of every handshake: psk0 comes with the key.
var pattern = noise.HandshakeNK

// initiate begins a handshake with the holder of the private half of static.
func initiate(dh noise.DHFunc, static, psk, prologue []byte) (*noise.HandshakeState, error) {
	return noise.NewHandshakeState(noise.Config{
		CipherSuite:  noise.NewCipherSuite(dh, noise.CipherAESGCM, noise.HashSHA256),
		Pattern:      pattern,
		Initiator:    true,
		Prologue:     prologue,
		PresharedKey: psk,
		PeerStatic:   static,
	})
}

// respond answers a handshake as the holder of static.
func respond(dh noise.DHFunc, static noise.DHKey, psk, prologue []byte) (*noise.HandshakeState, error) {
	return noise.NewHandshakeState(noise.Config{
		CipherSuite:   noise.NewCipherSuite(dh, noise.CipherAESGCM, noise.HashSHA256),
		Pattern:       pattern,
		Prologue:      prologue,
		PresharedKey:  psk,
		StaticKeypair: static,
	})
}
