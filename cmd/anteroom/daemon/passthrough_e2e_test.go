//go:build e2e

package daemon

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mholt/acmez/v3"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/daemon/daemontest"
	"anteroom/discovery/contacts"
	"anteroom/httpui/certs/certstest"
)

// The names: of a public node, of a practice's hidden node to which it passes
// TLS, and of another practice's, to which it does not.
const frontName, hiddenName, unlistedName = "front.example", "hidden.example", "unlisted.example"

// A watchedDaemon is one whose log can be waited for.
type watchedDaemon struct {
	*Daemon
	*daemontest.LogWatch
}

// startDaemon runs a daemon until the test ends.
func startDaemon(t *testing.T, cfg config.Config, passed sockets) *watchedDaemon {
	t.Helper()
	return watchDaemon(t, daemontest.Plan(t, cfg), passed)
}

// watchDaemon is startDaemon with what a user could not configure.
func watchDaemon(t *testing.T, plan config.Plan, passed sockets) *watchedDaemon {
	t.Helper()
	log := daemontest.WatchLog(t)
	d, err := New(t.Context(), plan, passed, slog.New(slog.NewTextHandler(log, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, d)
	return &watchedDaemon{d, log}
}

func (d *watchedDaemon) card() string {
	d.T.Helper()
	card, err := d.discovery.Card("")
	if err != nil {
		d.T.Fatal(err)
	}
	return card
}

// A doorkeeper is a listener that remembers what each client said.
type doorkeeper struct {
	*net.TCPListener
	mu   sync.Mutex
	said []*bytes.Buffer
}

// Accept implements net.Listener.
func (k *doorkeeper) Accept() (net.Conn, error) {
	conn, err := k.AcceptTCP()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	said := new(bytes.Buffer)
	k.said = append(k.said, said)
	return &heardConn{conn, k, said}, nil
}

// challenges returns the names of which clients asked for a challenge.
func (k *doorkeeper) challenges() map[string]bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	names := make(map[string]bool)
	for _, said := range k.said {
		if hello := clientHello(said.Bytes()); hello != nil && slices.Equal(hello.SupportedProtos, []string{acmez.ACMETLS1Protocol}) {
			names[hello.ServerName] = true
		}
	}
	return names
}

type heardConn struct {
	*net.TCPConn
	keeper *doorkeeper
	said   *bytes.Buffer // guarded by keeper.mu
}

func (c *heardConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.keeper.mu.Lock()
	defer c.keeper.mu.Unlock()
	c.said.Write(b[:n])
	return n, err
}

// clientHello reads the first message of a TLS client; nil if it is none.
func clientHello(said []byte) (hello *tls.ClientHelloInfo) {
	_ = tls.Server(replayed{r: bytes.NewReader(said)}, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		hello = h
		return nil, errors.New("read") // ends the handshake
	}}).Handshake()
	return hello
}

// A replayed connection says what was said on another, and hears nothing.
type replayed struct {
	net.Conn
	r io.Reader
}

func (c replayed) Read(b []byte) (int, error)  { return c.r.Read(b) }
func (c replayed) Write(b []byte) (int, error) { return len(b), nil }

// TestHiddenNodeHasItsOwnCertificate: a public node and the node hidden behind
// it obtain each their own certificate, at the same port and the same time. The
// public one never has the other's key, and what is passed on leads to nobody
// whose name it does not know.
func TestHiddenNodeHasItsOwnCertificate(t *testing.T) {
	closed := daemontest.Listener(t)
	closed.Close()
	https := &doorkeeper{TCPListener: daemontest.Listener(t).(*net.TCPListener)}
	pebble := certstest.NewPebble(t, certstest.Port(t, closed), certstest.Port(t, https), certstest.Profiles{"default": 90 * 24 * 3600})
	fromPebble := config.TLS{Mode: config.TLSACME, AgreeTerms: true, Directory: pebble.Directory, CAFile: pebble.CAFile}

	hiddenConfig, unlistedConfig := daemontest.LocalNode(t, hiddenName, fromPebble), daemontest.LocalNode(t, unlistedName, fromPebble)
	front := startDaemon(t, daemontest.PublicNode(t, frontName, fromPebble, hiddenName+" "+daemontest.Identity(t, hiddenConfig).String()), sockets{SocketHTTPS: {https}})
	hidden := startDaemon(t, daemontest.Hide(hiddenConfig, front.card()), nil)
	unlisted := startDaemon(t, daemontest.Hide(unlistedConfig, front.card()), nil)

	const inUse = "certificate in use"
	hidden.Await(inUse)
	front.Await(inUse)
	unlisted.Await("certificate not renewed")

	if diff := cmp.Diff(map[string]bool{frontName: true, hiddenName: true, unlistedName: true}, https.challenges()); diff != "" {
		t.Errorf("challenges that came in at the public node: %s", diff)
	}
	leaves := make(map[*watchedDaemon]*x509.Certificate)
	for name, d := range map[string]*watchedDaemon{frontName: front, hiddenName: hidden} {
		if page, _, err := visit(https.Addr(), name, "/j", pebble.Roots); err != nil || !strings.HasPrefix(page, "<!DOCTYPE html>") {
			t.Errorf("%s: %.60q, %v", name, page, err)
		}
		card, leaf, err := visit(https.Addr(), name, "/.well-known/anteroom", pebble.Roots)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := contacts.ParseCard(card); err != nil || info.ID != d.discovery.ID() {
			t.Errorf("%s: another node answered: %v", name, err)
		}
		leaves[d] = leaf
	}
	expectKeys(t, front.plan.Dir, leaves[front], leaves[hidden])
	expectKeys(t, hidden.plan.Dir, leaves[hidden], leaves[front])

	if s := unlisted.entrance.certs.Status(); !strings.Contains(s.Reason, "tls-alpn-01 challenge") || !s.NotAfter.IsZero() {
		t.Errorf("%s: %+v", unlistedName, s)
	}
	if page, _, err := visit(https.Addr(), unlistedName, "/j", pebble.Roots); !refused(err) {
		t.Errorf("%s: %.60q, %v", unlistedName, page, err)
	}
}

// TestHiddenNodeIsUpBeforeItsFront: without a way in, it asks for no
// certificate, which could only fail and would be tried again much later.
func TestHiddenNodeIsUpBeforeItsFront(t *testing.T) {
	closed, p2p, https := daemontest.Listener(t), daemontest.Listener(t), daemontest.Listener(t)
	closed.Close()
	p2p.Close()
	pebble := certstest.NewPebble(t, certstest.Port(t, closed), certstest.Port(t, https), certstest.Profiles{"default": 90 * 24 * 3600})
	fromPebble := config.TLS{Mode: config.TLSACME, AgreeTerms: true, Directory: pebble.Directory, CAFile: pebble.CAFile}
	hiddenConfig := daemontest.LocalNode(t, hiddenName, fromPebble)
	frontConfig := daemontest.PublicNode(t, frontName, fromPebble, hiddenName+" "+daemontest.Identity(t, hiddenConfig).String())
	frontConfig.Discovery.Listen = []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", certstest.Port(t, p2p))}
	later, err := New(t.Context(), daemontest.Plan(t, frontConfig), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	card, err := later.discovery.Card("")
	if err := errors.Join(err, later.Close()); err != nil {
		t.Fatal(err)
	}

	hidden := startDaemon(t, daemontest.Hide(hiddenConfig, card), nil)
	hidden.Await(errNoFront.Error())
	startDaemon(t, frontConfig, sockets{SocketHTTPS: {https}})
	hidden.Await("certificate in use")
}

// visit loads a page of a node, by name, at an address that others may share.
func visit(at net.Addr, name, path string, roots *x509.CertPool) (body string, leaf *x509.Certificate, err error) {
	browser := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at.String())
		},
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true,
	}}
	resp, err := browser.Get("https://" + name + path)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(resp.Status))
	}
	return string(all), resp.TLS.PeerCertificates[0], err
}

// refused reports whether a server ended a handshake, with an alert.
func refused(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return ok && strings.Contains(err.Error(), "remote error: tls: ")
}

// expectKeys checks that a node keeps the key of its own certificate, and
// nothing of another's.
func expectKeys(t *testing.T, dir config.Dir, own, other *x509.Certificate) {
	t.Helper()
	ours := 0
	err := filepath.WalkDir(string(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.Contains(content, other.Raw) {
			t.Errorf("%s holds the certificate of %s", path, other.DNSNames)
		}
		for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
			if bytes.Equal(block.Bytes, other.Raw) {
				t.Errorf("%s holds the certificate of %s", path, other.DNSNames)
			}
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				continue // no key
			}
			public := key.(crypto.Signer).Public().(interface{ Equal(crypto.PublicKey) bool })
			if public.Equal(own.PublicKey) {
				ours++
			}
			if public.Equal(other.PublicKey) {
				t.Errorf("%s holds the key of %s", path, other.DNSNames)
			}
		}
		return nil
	})
	if err != nil || ours != 1 {
		t.Errorf("%s is there %d times: %v", own.DNSNames, ours, err)
	}
}
