// Package daemontest helps tests that run daemons on this computer.
package daemontest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/cmd/anteroom/config"
	"anteroom/discovery/identity"
)

const PublicName = "call.example"

// Visitor returns a browser that finds PublicName at the listeners' addresses
// and follows nothing.
func Visitor(roots *x509.CertPool, https, http80 string) *http.Client {
	dial := func(addr string) func(ctx context.Context, network, _ string) (net.Conn, error) {
		return func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}
	return &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			DialContext: dial(http80),
			DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: PublicName, NextProtos: []string{"h2", "http/1.1"}}}
				return d.DialContext(ctx, network, https)
			},
			ForceAttemptHTTP2: true,
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ExpectGuestPage checks what a patient meets: the page over HTTP/2, nothing
// else, and the way there from plain HTTP.
func ExpectGuestPage(t *testing.T, browser *http.Client) {
	t.Helper()
	for _, c := range []struct {
		url, location string
		status, major int
	}{
		{"https://" + PublicName + "/j", "", 200, 2},
		{"https://" + PublicName + "/", "", 404, 2},
		{"https://" + PublicName + "/api/session", "", 404, 2},
		{"http://" + PublicName + "/j", "https://" + PublicName + "/j", 308, 1},
	} {
		resp, err := browser.Get(c.url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status || resp.ProtoMajor != c.major || resp.Header.Get("Location") != c.location {
			t.Errorf("%s: %s %s, location %q", c.url, resp.Proto, resp.Status, resp.Header.Get("Location"))
		}
		if hsts := resp.Header.Get("Strict-Transport-Security"); (hsts != "") != strings.HasPrefix(c.url, "https") {
			t.Errorf("%s: HSTS %q", c.url, hsts)
		}
	}
}

// Plan is the plan of a configuration that has no problem.
func Plan(t testing.TB, cfg config.Config) config.Plan {
	t.Helper()
	plan, err := cfg.Plan()
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// Files is the certificate in files.
func Files(cert, key string) config.TLS {
	c := config.Default().HTTP.TLS
	c.Mode, c.CertFile, c.KeyFile = config.TLSFiles, cert, key
	return c
}

// Listener returns one of this computer.
func Listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// LocalNode is the configuration of a node with a certificate for name. It
// keeps to this computer.
func LocalNode(t *testing.T, name string, certificate config.TLS) config.Config {
	cfg := config.Default()
	cfg.DataDir = t.TempDir() + "/d"
	cfg.HTTP.Listen = []string{"localhost:0"}
	cfg.HTTP.PublicURL = "https://" + name
	cfg.HTTP.PublicListen = []string{"127.0.0.1:0"}
	cfg.HTTP.RedirectListen = ""
	cfg.HTTP.TLS = certificate
	cfg.Discovery.AllowPrivateAddresses = true
	cfg.Relay.Listen = []string{"127.0.0.1:0"}
	return cfg
}

// PublicNode is that of one which others can reach, and which passes on what
// is for routes.
func PublicNode(t *testing.T, name string, certificate config.TLS, routes ...string) config.Config {
	cfg := LocalNode(t, name, certificate)
	cfg.Discovery.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	cfg.Discovery.Server = true
	cfg.Front.PassTo = routes
	return cfg
}

// Hide takes from a node every way in but the one through the node of card.
func Hide(cfg config.Config, card string) config.Config {
	cfg.HTTP.PublicListen = nil
	cfg.Front.PassFrom = []string{card}
	return cfg
}

// Identity returns the peer id that a node will have.
func Identity(t *testing.T, cfg config.Config) peer.ID {
	t.Helper()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	key, err := identity.LoadOrCreate(config.Dir(cfg.DataDir).Identity())
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A LogWatch is a log that can be waited for.
type LogWatch struct {
	T     testing.TB
	lines chan string
}

// WatchLog returns a log in which nothing is yet.
func WatchLog(t testing.TB) *LogWatch {
	return &LogWatch{t, make(chan string, 10_000)}
}

// Write implements io.Writer, for a logger.
func (l *LogWatch) Write(b []byte) (int, error) {
	select {
	case l.lines <- string(b):
	default:
		l.T.Error("more is logged than anybody reads")
	}
	return len(b), nil
}

// Await waits until text has been logged.
func (l *LogWatch) Await(text string) {
	l.T.Helper()
	late := time.After(time.Minute)
	for said := ""; ; {
		select {
		case line := <-l.lines:
			if strings.Contains(line, text) {
				return
			}
			said += line
		case <-late:
			l.T.Fatalf("%q is never logged:\n%s", text, said)
		}
	}
}
