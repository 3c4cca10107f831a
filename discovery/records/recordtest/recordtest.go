// Package recordtest makes records for tests the way that publishers do.
package recordtest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/path"
	"github.com/libp2p/go-libp2p/core/crypto"
)

// A Name is a name and the key that signs its records.
type Name struct {
	ed25519.PublicKey
	private ed25519.PrivateKey
}

// New makes a name.
func New(t testing.TB) Name {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Name{public, private}
}

// A Draft is a record before it is signed; Draft{} is a good one.
type Draft struct {
	Seq      uint64
	Ahead    time.Duration // of expiry; 0: 80 minutes
	Value    string        // "": NoopValue
	Metadata map[string]any
	Payload  []byte
	Options  []ipns.Option
}

// Sign makes a record the way a publisher does, with boxo.
func (n Name) Sign(t testing.TB, d Draft) []byte {
	t.Helper()
	if d.Ahead == 0 {
		d.Ahead = 80 * time.Minute
	}
	if d.Value == "" {
		d.Value = ipns.NoopValue
	}
	if d.Payload == nil {
		d.Payload = bytes.Repeat([]byte{0xa5}, 552)
	}
	if d.Metadata == nil {
		d.Metadata = map[string]any{"_ar": d.Payload}
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(n.private)
	if err != nil {
		t.Fatal(err)
	}
	value, err := path.NewPath(d.Value)
	if err != nil {
		t.Fatal(err)
	}
	options := append([]ipns.Option{ipns.WithV1Compatibility(false), ipns.WithMetadata(d.Metadata)}, d.Options...)
	eol := time.Now().Add(d.Ahead).Truncate(time.Second)
	rec, err := ipns.NewRecord(key, value, d.Seq, eol, 0, options...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := ipns.MarshalRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
