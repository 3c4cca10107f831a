package invite

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

const (
	// Replicas is how many records announce one invite in one epoch, each
	// under a key of its own.
	Replicas = 3

	epochSeconds = 3600

	// edge is how long, in seconds, an epoch's records are published and live
	// beyond its ends: clocks may differ by that much either way.
	edge = 600
)

// A RendezvousKey is K_rdv: it finds the home node of one invite. A gateway is
// given it by the browser it serves.
type RendezvousKey struct{ secret Secret }

// NewRendezvousKey returns the key with the given bytes. It does not keep b.
func NewRendezvousKey(b *[32]byte) RendezvousKey { return RendezvousKey{newSecret(b[:])} }

// Reveal returns the key's bytes.
func (k RendezvousKey) Reveal() [32]byte { return [keySize]byte(k.secret.Reveal()) }

// Wipe ends the key, and every copy of it: its bytes are cleared. Whoever was
// given a key calls it when they are done. Nobody may use the key meanwhile or
// afterwards.
//
// It clears the bytes that this package holds. What the standard library made of
// them stays until that memory is used again, such as an HMAC's padded key or a
// cipher's schedule; and the Go runtime promises nothing of registers, or of
// stacks that have grown.
func (k RendezvousKey) Wipe() { k.secret.wipe() }

// RID returns rid, by which nodes are asked for the invite. The key does not
// follow from it.
func (k RendezvousKey) RID() [32]byte {
	return [keySize]byte(expand(k.secret.held(), "ar1 rid", keySize))
}

// Phase returns by how many seconds the invite's epochs begin before the full
// hour, 0 to 3599. So invites of one practice do not change keys together.
func (k RendezvousKey) Phase() int64 {
	n := binary.BigEndian.Uint64(expand(k.secret.held(), "ar1 phase", 8))
	return int64(n % epochSeconds)
}

// An Epoch counts hours since 1970, shifted by the invite's phase.
type Epoch int64

// Epoch returns the epoch that t is in.
func (k RendezvousKey) Epoch(t time.Time) Epoch {
	return Epoch((t.Unix() + k.Phase()) / epochSeconds)
}

// Epochs returns the epochs whose records are live at t: the one t is in and,
// within ten minutes of an edge, the neighbour beyond it. A home node publishes
// for all of them; a look-up tries the first, then the others.
func (k RendezvousKey) Epochs(t time.Time) []Epoch {
	list := []Epoch{k.Epoch(t)}
	for _, off := range []time.Duration{-edge, edge} {
		if e := k.Epoch(t.Add(off * time.Second)); e != list[0] {
			list = append(list, e)
		}
	}
	return list
}

// Replica derives the keys of replica r, 0 to Replicas-1, in epoch e.
func (k RendezvousKey) Replica(e Epoch, r int) Replica {
	if r < 0 || r >= Replicas {
		panic(fmt.Sprintf("invite: no replica %d", r))
	}
	epochKey := k.epochKey(e)
	defer clear(epochKey)
	which := string([]byte{byte(r)})
	seed := expand(epochKey, "ar1 sign"+which, ed25519.SeedSize)
	defer clear(seed)
	signKey := ed25519.NewKeyFromSeed(seed)
	sealKey := expand(epochKey, "ar1 seal"+which, keySize)
	return Replica{
		name:   signKey.Public().(ed25519.PublicKey),
		begins: int64(e)*epochSeconds - k.Phase(),
		sign:   Secret{func() []byte { return signKey }},
		seal:   Secret{func() []byte { return sealKey }},
	}
}

// epochKey returns K_ep.
func (k RendezvousKey) epochKey(e Epoch) []byte {
	info := binary.BigEndian.AppendUint64([]byte("ar1 epoch"), uint64(e))
	return expand(k.secret.held(), string(info), keySize)
}

// Format implements fmt.Formatter for every verb.
func (RendezvousKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler.
func (RendezvousKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }
