// Package certs keeps the certificate of the public page: one that its owner
// puts into two files, or one that it obtains and renews itself from an ACME
// directory (RFC 8555), for a domain or for a bare IP address.
//
// There is never a certificate of its own making: without a good one the
// handshake fails, or the last one is served and the browser says that it has
// expired. It opens no socket. Challenges are answered by the listeners that
// exist already: tls-alpn-01 by whoever uses TLSConfig, http-01 by whoever asks
// Challenge. In mode Files it contacts nobody; in mode ACME the directory, and
// nobody else.
package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mholt/acmez/v3"
)

// The modes: where the certificate comes from.
const (
	Files = "files"
	ACME  = "acme"
)

// Config says which certificate a Manager keeps.
type Config struct {
	Mode string // Files or ACME
	Name string // what browsers ask for: a domain in lower case, or an IP address

	CertFile, KeyFile string // Files: PEM, the chain with the leaf first, and its key

	// The rest is for ACME.
	Dir       string // where the account's key and the certificate are kept, mode 0700
	Directory string // its URL; empty: Let's Encrypt
	Email     string // whom the authority may write to, or empty
	CAFile    string // PEM, the roots of the directory's own certificate; empty: the system's
	Agreed    bool   // to the authority's terms; without it there is no certificate
	HTTP      bool   // port 80 reaches Challenge, so http-01 can be tried as well

	// Reached returns once connections for Name come in here, or when ctx ends,
	// why they do not. nil: they do from the start.
	Reached func(ctx context.Context) error

	Log *slog.Logger // nil: nothing is logged
}

// A Manager keeps one certificate.
type Manager struct {
	mode, name string
	source     source
	log        *slog.Logger

	current atomic.Pointer[tls.Certificate] // nil until there is one
	pending *atomic.Pointer[challenge]
	again   chan struct{} // Renew was called; full: Run will know

	mu    sync.Mutex
	err   error     // why the certificate is not renewed; nil: nothing is wrong
	retry time.Time // when that is tried again
	alert bool      // has been logged
}

// A source is where certificates come from. Only Run uses it.
type source interface {
	// next returns the certificate to serve from now on, nil if that is still
	// old, and how long it is until next should be asked again.
	next(ctx context.Context, old *tls.Certificate) (*tls.Certificate, time.Duration, error)
}

// New returns a Manager. In mode Files it fails if there is no certificate for
// the name yet. In mode ACME it has the one of an earlier run, if there is one.
func New(cfg Config) (*Manager, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m := &Manager{mode: cfg.Mode, name: cfg.Name, log: cfg.Log, pending: new(atomic.Pointer[challenge]), again: make(chan struct{}, 1)}
	var first *tls.Certificate
	var err error
	switch cfg.Mode {
	case Files:
		m.source, first, err = newFiles(cfg)
	case ACME:
		m.source, first, err = newACME(cfg, solver{pending: m.pending})
	default:
		err = fmt.Errorf("certificate: mode %q is not known", cfg.Mode)
	}
	if err != nil {
		return nil, err
	}
	m.current.Store(first)
	return m, nil
}

// TLSConfig returns what the public listeners are made with. Its session
// tickets are sealed with keys that are never written down.
func (m *Manager) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1", acmez.ACMETLS1Protocol},
		GetCertificate: m.certificate,
	}
}

var (
	errNoChallenge   = errors.New("no challenge is open")
	errNoCertificate = errors.New("there is no certificate yet")
	errOtherName     = errors.New("another name is asked for")
)

// certificate chooses what a handshake is answered with. RFC 8737 has a
// challenge's handshake offer its protocol and no other.
func (m *Manager) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acmez.ACMETLS1Protocol {
		c := m.pending.Load()
		if c == nil || c.cert == nil || !strings.EqualFold(hello.ServerName, c.serverName) {
			return nil, errNoChallenge
		}
		return c.cert, nil
	}
	// Who asks for an IP address sends no name.
	if hello.ServerName != "" && !strings.EqualFold(hello.ServerName, m.name) {
		return nil, errOtherName
	}
	cert := m.current.Load()
	if cert == nil {
		return nil, errNoCertificate
	}
	return cert, nil
}

// Challenge returns what a request for path on port 80 is answered with, if
// path is that of an open http-01 challenge.
func (m *Manager) Challenge(path string) (answer string, ok bool) {
	c := m.pending.Load()
	if c == nil || c.path == "" || c.path != path {
		return "", false
	}
	return c.answer, true
}

// Run obtains and renews the certificate until ctx ends, and returns nil. A
// failure is logged and stands in Status; the certificate that there is stays
// in use.
func (m *Manager) Run(ctx context.Context) error {
	for {
		fresh, wait, err := m.source.next(ctx, m.current.Load())
		if ctx.Err() != nil {
			return nil
		}
		m.take(fresh, wait, err)
		select {
		case <-time.After(wait):
		case <-m.again:
		case <-ctx.Done():
			return nil
		}
	}
}

// Renew has the files read again at once. An authority is not asked again
// before its time: it counts what it is asked.
func (m *Manager) Renew() {
	if m.mode != Files {
		return
	}
	select {
	case m.again <- struct{}{}:
	default:
	}
}

// take puts a certificate into use, or remembers why there is none and how long
// it is until the next attempt.
func (m *Manager) take(fresh *tls.Certificate, wait time.Duration, err error) {
	if fresh != nil {
		m.current.Store(fresh)
		m.log.Info("certificate in use", "dur", time.Until(fresh.Leaf.NotAfter).Round(time.Second))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil && !sameFailure(m.err, err) {
		m.log.Error("certificate not renewed", "err", err)
	}
	m.err, m.retry = err, time.Time{}
	if err != nil && m.mode == ACME && wait > 0 {
		m.retry = time.Now().Add(wait)
	}
	if alert := m.alertLocked(); alert != m.alert {
		m.alert = alert
		if alert {
			m.log.Error("no good certificate, or not for long: see anteroom status")
		}
	}
}

// sameFailure reports whether b says nothing new. That a network is down has
// many words, and a port in them.
func sameFailure(a, b error) bool {
	return a != nil && (a.Error() == b.Error() || errors.Is(a, errNoAnswer) && errors.Is(b, errNoAnswer))
}

// A Status is how a certificate is.
type Status struct {
	Mode     string    `json:"mode"`
	Names    []string  `json:"names"`     // what it is for
	NotAfter time.Time `json:"not_after"` // the zero time if there is none yet
	// NotBefore is when it begins to be good.
	NotBefore time.Time `json:"not_before,omitzero"`
	// LacksIssuer: its file does not hold its issuer's, so phones refuse it.
	LacksIssuer bool `json:"lacks_issuer,omitempty"`
	// Alert: patients cannot reach the page, or soon will not; see alertBefore.
	Alert  bool   `json:"alert"`
	Reason string `json:"reason"` // why the last attempt to renew it failed, or empty
	// Next is when it is tried again; the zero time if nothing has failed, or if
	// it is tried all the time.
	Next time.Time `json:"next,omitzero"`
}

// Status returns how the certificate is now.
func (m *Manager) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Status{Mode: m.mode, Names: []string{m.name}, Alert: m.alertLocked(), Next: m.retry}
	if m.err != nil {
		s.Reason = m.err.Error()
	}
	if cert := m.current.Load(); cert != nil {
		s.Names = names(cert.Leaf)
		s.NotAfter, s.NotBefore = cert.Leaf.NotAfter, cert.Leaf.NotBefore
		s.LacksIssuer = lacksIssuer(cert)
	}
	return s
}

// alertLocked reports whether somebody must do something. Before the first
// attempt has ended, a missing certificate is none of it.
func (m *Manager) alertLocked() bool {
	cert := m.current.Load()
	if cert == nil {
		return m.err != nil
	}
	return time.Until(cert.Leaf.NotAfter) < alertBefore(cert.Leaf)
}

// alertBefore is how long before its end a certificate should have been
// renewed: two days, and of one that lives for less than six, a third of its
// life. Renewal is first tried well before that (renewAt), so an alert means
// that it has been failing for a day or more.
func alertBefore(leaf *x509.Certificate) time.Duration {
	return min(48*time.Hour, life(leaf)/3)
}

// life is how long a certificate is good from its first second to its last.
func life(leaf *x509.Certificate) time.Duration { return leaf.NotAfter.Sub(leaf.NotBefore) }

// parse reads a chain and its key, and checks that they are for name.
func parse(chain, key []byte, name string) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	return &cert, isFor(&cert, name)
}

// isFor fails if cert is for other names.
func isFor(cert *tls.Certificate, name string) error {
	if cert.Leaf.VerifyHostname(name) != nil { // whose error lists whatever the certificate is for
		return fmt.Errorf("the certificate is for %s, not for %s", strings.Join(names(cert.Leaf), ", "), name)
	}
	return nil
}

func names(leaf *x509.Certificate) []string {
	all := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}

func isIP(name string) bool { return net.ParseIP(name) != nil }
