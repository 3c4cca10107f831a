package invite

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The payload of a link is version | S | HC | CK in base64url without padding.
const (
	linkVersion  = 1
	secretSize   = 32
	commitSize   = 16
	checksumSize = 2
	payloadBytes = 1 + secretSize + commitSize + checksumSize // 51
	payloadChars = payloadBytes / 3 * 4                       // 68, exact: no padding
)

// ErrBadLink is the only thing ParseLink says: a link that was cut, changed or
// never was one. It is for the person who holds the link; nothing is sent.
var ErrBadLink = errors.New("bad link")

// A Link is what a guest holds: the invite's secret and the commitment to the
// host's public key. It lets its holder knock, and nothing more.
type Link struct {
	secret Secret
	commit [commitSize]byte
}

// ParseLink decodes a link's payload, or a URL whose fragment is one; what
// stands before the first "#" is not looked at. It accepts exactly the strings
// that URL and Payload make: any other length, alphabet, spelling of the same
// bytes, version or checksum is ErrBadLink.
func ParseLink(s string) (Link, error) {
	if _, fragment, ok := strings.Cut(s, "#"); ok {
		s = fragment
	}
	if len(s) != payloadChars {
		return Link{}, ErrBadLink
	}
	// 68 characters are 51 bytes to the bit, so no two of them mean the same; the
	// decoder skips line ends, which the count of bytes rules out.
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != payloadBytes || b[0] != linkVersion {
		return Link{}, ErrBadLink
	}
	l := Link{secret: newSecret(b[1 : 1+secretSize])}
	copy(l.commit[:], b[1+secretSize:])
	ck := l.checksum()
	if subtle.ConstantTimeCompare(ck[:], b[payloadBytes-checksumSize:]) != 1 {
		return Link{}, ErrBadLink
	}
	return l, nil
}

// Payload returns the 68 characters after the "#". They are the secret: show
// them to the practitioner who hands them out, and write them nowhere.
func (l Link) Payload() string {
	b := make([]byte, 0, payloadBytes)
	b = append(b, linkVersion)
	b = append(b, l.secret.Reveal()...)
	b = append(b, l.commit[:]...)
	ck := l.checksum()
	return base64.RawURLEncoding.EncodeToString(append(b, ck[:]...))
}

// URL returns the link for a page served at base, such as
// "https://practice.example". Everything secret is in the fragment, which no
// browser sends.
func (l Link) URL(base string) string {
	return strings.TrimSuffix(base, "/") + "/j#" + l.Payload()
}

// Commitment returns HC, by which the holder recognises the host's key.
func (l Link) Commitment() [16]byte { return l.commit }

// checksum returns CK. It finds typing and copying mistakes; it is no proof of
// anything.
func (l Link) checksum() [checksumSize]byte {
	h := sha256.New()
	io.WriteString(h, "ar1 link")
	h.Write([]byte{linkVersion})
	h.Write(l.secret.Reveal())
	h.Write(l.commit[:])
	return [checksumSize]byte(h.Sum(nil))
}

// Format implements fmt.Formatter for every verb.
func (Link) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Link) MarshalText() ([]byte, error) { return []byte(redacted), nil }
