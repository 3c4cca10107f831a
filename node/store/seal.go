package store

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the length of every key here, in bytes.
const KeySize = 32

// sealVersion is the version of the key that Seal uses, and of the layout of
// what it returns. A later version must keep opening this one.
const sealVersion = 1

// ErrSealBroken says that a sealed value was changed, moved from elsewhere,
// or sealed under another key.
var ErrSealBroken = errors.New("sealed value does not open")

// A Cell is where a sealed value lives. It is authenticated with the value,
// which therefore opens nowhere else. Row names the row by something that
// never changes; parts of it are joined with "/".
type Cell struct{ Table, Column, Row string }

// A Sealer seals values under one key with XChaCha20-Poly1305. What it does
// not prevent: an older value of the same place put back.
//
// The cipher is behind a func because fmt would print it otherwise, and the
// key is in it.
type Sealer struct{ aead func() cipher.AEAD }

// NewSealer returns a Sealer for a key of KeySize random bytes.
func NewSealer(key []byte) (Sealer, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return Sealer{}, fmt.Errorf("make sealer: %w", err)
	}
	return Sealer{func() cipher.AEAD { return aead }}, nil
}

// Seal returns u16be key version | nonce[24] | ciphertext | tag[16].
func (s Sealer) Seal(at Cell, plain []byte) []byte {
	out := binary.BigEndian.AppendUint16(nil, sealVersion)
	out = append(out, make([]byte, chacha20poly1305.NonceSizeX)...)
	nonce := out[2:]
	rand.Read(nonce)
	return s.aead().Seal(out, nonce, plain, at.bind(sealVersion))
}

// Unseal returns what Seal was given for the same place.
func (s Sealer) Unseal(at Cell, sealed []byte) ([]byte, error) {
	const header = 2 + chacha20poly1305.NonceSizeX
	if len(sealed) < header+chacha20poly1305.Overhead {
		return nil, at.broken()
	}
	version := binary.BigEndian.Uint16(sealed)
	if version != sealVersion {
		return nil, at.broken()
	}
	plain, err := s.aead().Open(nil, sealed[2:header], sealed[header:], at.bind(version))
	if err != nil {
		return nil, at.broken()
	}
	return plain, nil
}

// broken names the column; the row may be a secret's neighbour in a log.
func (at Cell) broken() error {
	return fmt.Errorf("unseal %s.%s: %w", at.Table, at.Column, ErrSealBroken)
}

// bind is the associated data: each part behind its length, so that no two
// places share an encoding.
func (at Cell) bind(version uint16) []byte {
	out := []byte("anteroom sealed column")
	for _, part := range []string{at.Table, at.Column, at.Row} {
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
		out = append(out, part...)
	}
	return binary.BigEndian.AppendUint16(out, version)
}

// keys derives what the root key is used for. Every use has a key of its own.
type keys struct {
	prk func() []byte // a func, so that no printer reaches it
}

func newKeys(root []byte) (keys, error) {
	prk, err := hkdf.Extract(sha256.New, root, []byte("anteroom store"))
	if err != nil {
		return keys{}, fmt.Errorf("extract key: %w", err)
	}
	return keys{func() []byte { return prk }}, nil
}

// Subkey returns the key of KeySize bytes for one purpose, the same for as
// long as the root key lives. "db" and "index" are the store's own.
func (k keys) Subkey(purpose string) ([]byte, error) {
	key, err := hkdf.Expand(sha256.New, k.prk(), "anteroom store "+purpose, KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return key, nil
}

// Index returns the blind index of a value: the same 32 bytes each time, from
// which nobody without the key can tell or try values. Kind keeps equal values
// of different columns apart.
func (s *Store) Index(kind string, value []byte) []byte {
	mac := hmac.New(sha256.New, s.index())
	mac.Write(binary.BigEndian.AppendUint16(nil, uint16(len(kind))))
	mac.Write([]byte(kind))
	mac.Write(value)
	return mac.Sum(nil)
}
