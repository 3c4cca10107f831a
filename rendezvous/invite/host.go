package invite

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

const (
	scalarSize = 32 // P-256 private key, big-endian
	pointSize  = 65 // P-256 public key, uncompressed
)

// An Invite is both halves as they are made: the link goes to the guest, the
// host keys never leave the home node.
type Invite struct {
	Link Link
	Host HostKeys
}

// New makes an invite with a fresh secret and a fresh host key pair.
func New() (Invite, error) {
	priv, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return Invite{}, fmt.Errorf("make host key: %w", err)
	}
	return newInvite(randomSecret(secretSize), priv), nil
}

func newInvite(s Secret, priv *ecdh.PrivateKey) Invite {
	host := HostKeys{private: newSecret(priv.Bytes()), public: [pointSize]byte(priv.PublicKey().Bytes())}
	link := Link{secret: s, commit: host.Commitment()}
	host.Keys = link.Keys()
	return Invite{Link: link, Host: host}
}

// HostKeys is everything the home node needs to answer a knock. It holds what
// follows from the invite's secret but not the secret, so a link cannot be
// made from it again.
type HostKeys struct {
	Keys
	private Secret // P-256 scalar
	public  [pointSize]byte
}

// Private returns the host's private key, a P-256 scalar.
func (k HostKeys) Private() Secret { return k.private }

// Public returns the host's public key, an uncompressed P-256 point.
func (k HostKeys) Public() [65]byte { return k.public }

// Commitment returns HC, which the link holds.
func (k HostKeys) Commitment() [16]byte { return CommitmentOf(k.public[:]) }

// CommitmentOf returns HC for an encoded public key.
func CommitmentOf(public []byte) [16]byte {
	h := sha256.New()
	io.WriteString(h, "ar1 host-commit")
	h.Write(public)
	return [commitSize]byte(h.Sum(nil))
}

// Decoy returns keys that belong to no invite, drawn at random: what an unknown
// rid is answered with, so that the answer takes the same work and looks the
// same. Its host key is no key; nothing that is meant to succeed may use it.
func Decoy() HostKeys {
	return HostKeys{
		Keys: Keys{
			PSK:        randomSecret(keySize),
			Admit:      randomSecret(keySize),
			Hello:      randomSecret(keySize),
			Rendezvous: RendezvousKey{randomSecret(keySize)},
		},
		private: randomSecret(scalarSize),
	}
}

// The stored form: version | K_psk | K_admit | K_hello | K_rdv | private | public.
const (
	hostKeysVersion = 1
	hostKeysSize    = 1 + 4*keySize + scalarSize + pointSize
)

// MarshalBinary implements encoding.BinaryMarshaler. The result is secret and
// meant to be sealed before it reaches a disk.
func (k HostKeys) MarshalBinary() ([]byte, error) {
	rdv := k.Rendezvous.Reveal()
	return bytes.Join([][]byte{
		{hostKeysVersion},
		k.PSK.Reveal(), k.Admit.Reveal(), k.Hello.Reveal(), rdv[:],
		k.private.Reveal(), k.public[:],
	}, nil), nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler. It does no curve
// operation: that a stored key pair belongs together is for the seal it was
// stored under to say, and answering a rid that exists must not take longer
// than one that does not.
func (k *HostKeys) UnmarshalBinary(b []byte) error {
	if len(b) != hostKeysSize || b[0] != hostKeysVersion {
		return errors.New("unmarshal host keys: not a stored host key")
	}
	b = b[1:]
	next := func(n int) (part []byte) {
		part, b = b[:n], b[n:]
		return part
	}
	k.PSK = newSecret(next(keySize))
	k.Admit = newSecret(next(keySize))
	k.Hello = newSecret(next(keySize))
	k.Rendezvous = NewRendezvousKey((*[keySize]byte)(next(keySize)))
	k.private = newSecret(next(scalarSize))
	k.public = [pointSize]byte(next(pointSize))
	return nil
}

// Format implements fmt.Formatter for every verb.
func (HostKeys) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler.
func (HostKeys) MarshalText() ([]byte, error) { return []byte(redacted), nil }
