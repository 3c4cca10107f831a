package httpui

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"anteroom/node/people"
)

func TestListenBindsBothFamilies(t *testing.T) {
	ls, err := Listen(t.Context(), []string{"localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, l := range ls {
		defer l.Close()
		hosts = append(hosts, l.Addr().(*net.TCPAddr).IP.String())
		if l.Addr().(*net.TCPAddr).Port != ls[0].Addr().(*net.TCPAddr).Port {
			t.Errorf("two ports: %v", l.Addr())
		}
	}
	if got := strings.Join(hosts, " "); got != "127.0.0.1 ::1" && got != "127.0.0.1" {
		t.Errorf("bound %s", got)
	}
}

func TestListenRefuses(t *testing.T) {
	for addr, want := range map[string]string{
		"0.0.0.0:7443":            "use localhost:7443 here",
		":7443":                   "use localhost:7443 here",
		"[::]:7443":               "to this computer only",
		"192.168.1.5:7443":        "a public https address for everybody else",
		"203.0.113.1:80":          "use localhost:80 here",
		"[::ffff:127.0.0.1]:7443": "use localhost:7443 here",
		"[::1%lo]:7443":           "use localhost:7443 here",
		"localhost.:7443":         "use localhost:7443 here",
		"care.example:7443":       "use localhost:7443 here",
		"localhost":               "it must be host:port",
		"":                        "it must be host:port",
		"localhost:http":          "a number from 0 to 65535",
		"localhost:65536":         "a number from 0 to 65535",
	} {
		ls, err := Listen(t.Context(), []string{addr})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", addr, err, want)
		}
		for _, l := range ls {
			l.Close()
		}
	}
}

// A port that another program has is an error for either family, and nothing
// stays bound.
func TestListenPortInUse(t *testing.T) {
	for _, taken := range []string{"127.0.0.1:0", "[::1]:0"} {
		other, err := net.Listen("tcp", taken)
		if err != nil {
			if strings.HasPrefix(taken, "[") && errors.Is(err, syscall.EADDRNOTAVAIL) {
				continue // a computer without IPv6
			}
			t.Fatal(err)
		}
		defer other.Close()
		port := other.Addr().(*net.TCPAddr).Port
		_, err = Listen(t.Context(), []string{"127.0.0.1:0", fmt.Sprintf("localhost:%d", port)})
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "another program uses this port; stop it or choose another") {
			t.Errorf("%s taken: %v", taken, err)
		}
		if strings.HasPrefix(taken, "[") {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Fatalf("the other family is still bound: %v", err)
			}
			l.Close()
		}
	}
}

// serveReal runs a Server on real listeners and returns it.
func serveReal(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.InstallID = "test"
	s, err := newServer(cfg, newFakeBackend(t).backend(people.SignInsConfig{Sessions: &memStore{entries: map[string]memEntry{}}}), testPages)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error)
	go func() { ran <- s.Run(ctx) }() // ends with ctx
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func TestRealListeners(t *testing.T) {
	ls, err := Listen(t.Context(), []string{"localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	s := serveReal(t, Config{Listeners: ls})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	urls := []string{s.URL()}
	for _, l := range ls {
		urls = append(urls, "http://"+l.Addr().String())
	}
	for _, url := range urls {
		resp, err := client.Get(url + "/j")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%s: %s", url, resp.Status)
		}
	}
}

// TestPublicListener serves guests, and nobody else, over TLS: with HTTP/2, and
// to no other host than its own, whatever a stranger says in Host.
func TestPublicListener(t *testing.T) {
	plain, err := Listen(t.Context(), []string{"127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cert, roots := selfSigned(t, public)
	s := serveReal(t, Config{
		Listeners: plain,
		Public:    []net.Listener{tls.NewListener(inner, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}})},
		PublicURL: "https://" + public,
	})

	var raw net.Conn
	transport := func(protocols ...string) *http.Transport {
		tr := &http.Transport{
			DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: public, NextProtos: protocols}}
				conn, err := d.DialContext(ctx, "tcp", inner.Addr().String())
				raw = conn
				return conn, err
			},
			ForceAttemptHTTP2: protocols[0] == "h2",
		}
		t.Cleanup(tr.CloseIdleConnections)
		return tr
	}
	for _, c := range []struct {
		host, path, protocol string
		status, major        int
	}{
		{public, "/j", "h2", 200, 2},
		{public, "/j", "http/1.1", 200, 1},
		{public, "/", "h2", 404, 2},
		{public, "/api/session", "h2", 404, 2},
		{strings.TrimPrefix(s.URL(), "http://"), "/", "h2", 421, 2},
		{strings.TrimPrefix(s.URL(), "http://"), "/api/session", "http/1.1", 421, 1},
		{plain[0].Addr().String(), "/", "h2", 421, 2},
		{"localhost", "/", "h2", 421, 2},
	} {
		req, err := http.NewRequest("GET", "https://"+public+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		resp, err := (&http.Client{Transport: transport(c.protocol)}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status || resp.ProtoMajor != c.major {
			t.Errorf("%s%s over %s: %s %s", c.host, c.path, c.protocol, resp.Proto, resp.Status)
		}
		if hsts := resp.Header.Get("Strict-Transport-Security"); (hsts != "") != (c.host == public) {
			t.Errorf("%s%s: HSTS %q", c.host, c.path, hsts)
		}
	}

	ws, _, err := websocket.Dial(t.Context(), "https://"+public+"/ws/guest", &websocket.DialOptions{
		HTTPClient:   &http.Client{Transport: transport("http/1.1")},
		HTTPHeader:   http.Header{"Origin": {"https://" + public}},
		Subprotocols: []string{"ar1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(ws, raw, websocket.MessageBinary, rate.NewLimiter(rate.Inf, 0))
	if err := c.Send([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Recv(); err != nil {
		t.Fatal(err)
	}
	c.Close(nil)
	c.wait()
}

// hiding is a listener whose connections do not show that they are TLS, as of
// one that tells HTTPS from something else on the same port.
type hiding struct{ net.Listener }

func (l hiding) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return struct{ net.Conn }{conn}, err
}

func TestPublicListenerThatHidesTLS(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cert, roots := selfSigned(t, public)
	serveReal(t, Config{
		Public:    []net.Listener{hiding{tls.NewListener(inner, &tls.Config{Certificates: []tls.Certificate{cert}})}},
		PublicURL: "https://" + public,
	})
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: public}}
			return d.DialContext(ctx, "tcp", inner.Addr().String())
		},
	}}
	resp, err := client.Get("https://" + public + "/j")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s, %v", resp.Status, resp.Header)
	}
}

func selfSigned(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{name},
		NotAfter:     time.Now().Add(time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
