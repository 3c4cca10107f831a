package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// A challenge is what the authority will ask for next: there is one name, so
// there is one at a time.
type challenge struct {
	// tls-alpn-01 (RFC 8737)
	serverName string
	cert       *tls.Certificate
	// http-01 (RFC 8555, section 8.3)
	path, answer string
}

// A solver shows challenges to the listeners.
type solver struct {
	pending *atomic.Pointer[challenge]
	shown   func() // is called for each
}

var _ acmez.Solver = solver{}

func (s solver) Present(_ context.Context, asked acme.Challenge) error {
	s.shown()
	switch asked.Type {
	case acme.ChallengeTypeTLSALPN01:
		cert, err := acmez.TLSALPN01ChallengeCert(asked)
		if err != nil {
			return fmt.Errorf("prepare challenge: %w", err)
		}
		s.pending.Store(&challenge{serverName: serverName(asked.Identifier.Value), cert: cert})
	case acme.ChallengeTypeHTTP01:
		s.pending.Store(&challenge{path: asked.HTTP01ResourcePath(), answer: asked.KeyAuthorization})
	}
	return nil
}

func (s solver) CleanUp(context.Context, acme.Challenge) error {
	s.pending.Store(nil)
	return nil
}

// serverName is what a handshake for name says: a domain as it is, an address
// as the name of its reverse look-up, since SNI has no addresses (RFC 8738).
func serverName(name string) string {
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return name
	}
	bytes := ip.AsSlice()
	slices.Reverse(bytes)
	var labels []string
	for _, b := range bytes {
		if ip.Is4() {
			labels = append(labels, fmt.Sprint(b))
		} else {
			labels = append(labels, fmt.Sprintf("%x", b&0xf), fmt.Sprintf("%x", b>>4))
		}
	}
	if ip.Is4() {
		return strings.Join(labels, ".") + ".in-addr.arpa"
	}
	return strings.Join(labels, ".") + ".ip6.arpa"
}
