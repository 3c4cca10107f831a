package invite

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// keySize is the length of every symmetric key and of rid, bytes.
const keySize = 32

// Keys is what follows from a link's secret and is the same on both ends.
type Keys struct {
	PSK        Secret        // K_psk, of the Noise handshake
	Admit      Secret        // K_admit, of the MAC that comes before any curve operation
	Hello      Secret        // K_hello, seals the host's public key
	Rendezvous RendezvousKey // K_rdv, may be given to a gateway
}

// Keys derives the keys. PROTOCOL.md, "Keys".
func (l Link) Keys() Keys {
	salt := sha256.Sum256([]byte("ar1 salt"))
	prk, err := hkdf.Extract(sha256.New, l.secret.Reveal(), salt[:])
	if err != nil { // only a FIPS build refuses, and only keys shorter than ours
		panic("extract invite key: " + err.Error())
	}
	return Keys{
		PSK:        newSecret(expand(prk, "ar1 psk", keySize)),
		Admit:      newSecret(expand(prk, "ar1 admit", keySize)),
		Hello:      newSecret(expand(prk, "ar1 hello-aead", keySize)),
		Rendezvous: NewRendezvousKey((*[keySize]byte)(expand(prk, "ar1 rendezvous", keySize))),
	}
}

// expand is HKDF-Expand with SHA-256; n is at most 32.
func expand(key []byte, info string, n int) []byte {
	out, err := hkdf.Expand(sha256.New, key, info, n)
	if err != nil { // as above
		panic("expand invite key: " + err.Error())
	}
	return out
}
