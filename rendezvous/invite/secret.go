package invite

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
)

// redacted is what any printer gets instead of a secret.
const redacted = "[secret]"

// A Secret is bytes that no printer can reach: fmt, json and slog walk
// fields, and this field holds a func. It cannot be compared with ==, only in
// constant time. The zero Secret holds nothing and must not be revealed.
type Secret struct{ held func() []byte }

// newSecret returns a Secret that holds a copy of b.
func newSecret(b []byte) Secret {
	b = bytes.Clone(b)
	return Secret{held: func() []byte { return b }}
}

// randomSecret returns a Secret of n bytes from the system's random source,
// which does not fail.
func randomSecret(n int) Secret {
	b := make([]byte, n)
	rand.Read(b)
	return newSecret(b)
}

// Reveal returns a copy of the bytes.
func (s Secret) Reveal() []byte { return bytes.Clone(s.held()) }

// wipe clears the bytes: in every copy of s, which must not be used any more.
func (s Secret) wipe() { clear(s.held()) }

// Equal reports in constant time whether s and t hold the same bytes.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare(s.held(), t.held()) == 1
}

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler, which json and slog ask first.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
