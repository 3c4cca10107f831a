//go:build e2e

package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"anteroom/httpui/certs/certstest"
)

// A site is a Manager with the listeners that an authority asks.
type site struct {
	*Manager
	t      *testing.T
	cfg    Config
	pebble *certstest.Pebble
	tls    net.Listener
}

// newSite serves with a certificate from Pebble, once run. Pauses between
// attempts are short.
func newSite(t *testing.T, name string, profiles certstest.Profiles, change ...func(*Config)) *site {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	s := &site{t: t, tls: listen()}
	plain := listen()
	s.pebble = certstest.NewPebble(t, certstest.Port(t, plain), certstest.Port(t, s.tls), profiles)
	s.cfg = Config{
		Mode: ACME, Name: name, Dir: filepath.Join(t.TempDir(), "certs"),
		Directory: s.pebble.Directory, CAFile: s.pebble.CAFile, Email: "it@clinic.example", Agreed: true,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, f := range change {
		f(&s.cfg)
	}
	s.Manager = s.new()
	servers := []*http.Server{
		{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)},
		{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if answer, ok := s.Challenge(r.URL.Path); ok {
				w.Write([]byte(answer))
			}
		})},
	}
	go servers[0].Serve(tls.NewListener(s.tls, s.TLSConfig())) // both end with Close
	go servers[1].Serve(plain)
	t.Cleanup(func() {
		for _, server := range servers {
			server.Close()
		}
	})
	return s
}

func (s *site) new() *Manager {
	s.t.Helper()
	m, err := New(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	m.source.(*fromACME).retry = 200 * time.Millisecond
	return m
}

// visit returns the certificate that a browser gets, and whether it trusts it.
func (s *site) visit() (leaf *x509.Certificate, protocol string, trusted error) {
	s.t.Helper()
	conn, err := tls.Dial("tcp", s.tls.Addr().String(), &tls.Config{
		ServerName: s.cfg.Name, NextProtos: []string{"h2", "http/1.1"}, InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			above := x509.NewCertPool()
			for _, cert := range state.PeerCertificates[1:] {
				above.AddCert(cert)
			}
			leaf, protocol = state.PeerCertificates[0], state.NegotiatedProtocol
			_, trusted = leaf.Verify(x509.VerifyOptions{DNSName: s.cfg.Name, Roots: s.pebble.Roots, Intermediates: above})
			return nil
		},
	})
	if err != nil {
		return nil, "", err
	}
	conn.Close()
	return leaf, protocol, trusted
}

// await waits until what holds.
func (s *site) await(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("never: %s; %+v", what, s.Status())
		}
	}
}

func (s *site) obtained() bool { return !s.Status().NotAfter.IsZero() }

var ordinary = certstest.Profiles{"default": 90 * 24 * 3600}

// TestDomain obtains a certificate, keeps it for nobody else to read, and has
// it again after a restart, without the authority.
func TestDomain(t *testing.T) {
	t.Parallel()
	s := newSite(t, name, ordinary)
	if _, _, err := s.visit(); err == nil {
		t.Fatal("a handshake before there is a certificate")
	}
	stop := run(t, s.Manager)
	s.await("a certificate", s.obtained)
	leaf, protocol, trusted := s.visit()
	if trusted != nil || protocol != "h2" || life(leaf).Round(time.Hour) != 90*24*time.Hour {
		t.Errorf("%q, %v, good for %v", protocol, trusted, life(leaf))
	}
	if st := s.Status(); st.Alert || st.Reason != "" || st.Names[0] != name || st.Mode != ACME {
		t.Errorf("%+v", st)
	}
	stop()
	files := 0
	err := filepath.WalkDir(s.cfg.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[d.IsDir()]; err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
		if !d.IsDir() {
			files++
		}
		return nil
	})
	if err != nil || files != 2 {
		t.Errorf("%d files, %v", files, err)
	}

	s.pebble.Stop()
	again := s.new()
	if got := served(again); got == nil || !got.Equal(leaf) {
		t.Error("the certificate is lost after a restart")
	}
	s.cfg.Name = "other.example"
	if served(s.new()) != nil {
		t.Error("the certificate is used for another name")
	}
}

// TestAddress obtains a certificate for an address, under the profile for that.
func TestAddress(t *testing.T) {
	t.Parallel()
	profiles := certstest.Profiles{shortLived: 6 * 24 * 3600}
	for i := range 20 { // Pebble chooses at random if it is asked for none
		profiles[fmt.Sprintf("other-%d", i)] = 90 * 24 * 3600
	}
	s := newSite(t, "127.0.0.1", profiles)
	run(t, s.Manager)
	s.await("a certificate", s.obtained)
	leaf, protocol, trusted := s.visit()
	if trusted != nil || protocol != "h2" || life(leaf).Round(time.Hour) != 6*24*time.Hour || leaf.IPAddresses[0].String() != "127.0.0.1" {
		t.Errorf("%q, %v, good for %v", protocol, trusted, life(leaf))
	}
}

// TestAddressWithoutProfiles: an authority that knows no profiles is asked
// for none.
func TestAddressWithoutProfiles(t *testing.T) {
	t.Parallel()
	s := newSite(t, "127.0.0.1", certstest.Profiles{"default": 24 * 3600})
	run(t, s.Manager)
	s.await("a certificate", s.obtained)
}

// TestPlainChallenge: port 80 is enough.
func TestPlainChallenge(t *testing.T) {
	t.Parallel()
	s := newSite(t, name, ordinary, func(c *Config) { c.HTTP = true })
	delete(s.source.(*fromACME).client.ChallengeSolvers, acme.ChallengeTypeTLSALPN01)
	run(t, s.Manager)
	s.await("a certificate", s.obtained)
	if _, ok := s.Challenge("/.well-known/acme-challenge/"); ok {
		t.Error("a challenge is still answered")
	}
}

// TestRenewal: every visitor of three lives of a certificate gets a good one.
func TestRenewal(t *testing.T) {
	t.Parallel()
	s := newSite(t, name, certstest.Profiles{"default": 8})
	run(t, s.Manager)
	s.await("a certificate", s.obtained)
	serials := make(map[string]bool)
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		leaf, _, trusted := s.visit()
		if trusted != nil {
			t.Fatalf("after %d certificates: %v", len(serials), trusted)
		}
		serials[leaf.SerialNumber.String()] = true
	}
	if len(serials) < 3 {
		t.Errorf("%d certificates", len(serials))
	}
}

// TestRenewalFails: the old certificate is served until its end and after it,
// with an alert; never one that we made. Once the authority is back, which has
// forgotten us and is another one by now, there is a good one.
func TestRenewalFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, name, certstest.Profiles{"default": 30})
	run(t, s.Manager)
	s.await("a certificate", s.obtained)
	s.pebble.Stop()
	s.await("a failure", func() bool { return s.Status().Reason != "" })
	first, _, _ := s.visit()
	if time.Until(first.NotAfter) < time.Second {
		t.Fatal("it was too late when renewal was tried")
	}
	if !strings.Contains(s.Status().Reason, "connection refused") {
		t.Errorf("%+v", s.Status())
	}
	s.await("an alert", func() bool { return s.Status().Alert })
	if time.Until(first.NotAfter) < 0 {
		t.Error("the alert came after its end")
	}
	s.await("its end", func() bool { return time.Now().After(first.NotAfter.Add(2 * time.Second)) })
	last, _, trusted := s.visit()
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](trusted); !last.Equal(first) || !ok || invalid.Reason != x509.Expired {
		t.Errorf("served after its end: %v, %v", last.Subject, trusted)
	}
	if !s.Status().Alert {
		t.Error("no alert after its end")
	}

	s.pebble.Start()
	s.await("a new one", func() bool { return s.Status().NotAfter.After(first.NotAfter) && !s.Status().Alert })
	if _, _, trusted := s.visit(); trusted != nil {
		t.Errorf("with the authority back: %v", trusted)
	}
	if reason := s.Status().Reason; reason != "" {
		t.Errorf("with the authority back: %s", reason)
	}
}

// TestChallengeFails: if the authority cannot reach this node, its own words
// say so.
func TestChallengeFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, name, ordinary)
	s.tls.Close()
	run(t, s.Manager)
	s.await("a failure", func() bool { return s.Status().Reason != "" })
	if st := s.Status(); !strings.HasPrefix(st.Reason, "the directory says: ") || !strings.Contains(st.Reason, "tls-alpn-01 challenge") || !st.Alert {
		t.Errorf("%+v", st)
	}
	if _, err := os.Stat(s.source.(*fromACME).file()); err == nil {
		t.Error("there is a certificate")
	}
}

// TestContact: a real authority takes another address for the same account.
func TestContact(t *testing.T) {
	t.Parallel()
	s := newSite(t, name, ordinary)
	stop := run(t, s.Manager)
	s.await("a certificate", s.obtained)
	first := s.source.(*fromACME).account
	stop()
	s.cfg.Email = "office@clinic.example"
	a := s.new().source.(*fromACME)
	if _, err := a.register(t.Context()); err != nil {
		t.Fatal(err)
	}
	known, err := a.client.GetAccount(t.Context(), acme.Account{PrivateKey: a.account.PrivateKey})
	if err != nil || known.Location != first.Location || !slices.Equal(known.Contact, []string{"mailto:office@clinic.example"}) {
		t.Errorf("%s has %q, want %s; %v", known.Location, known.Contact, first.Location, err)
	}
}
