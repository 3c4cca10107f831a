package daemon

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/daemon/daemontest"
	"anteroom/httpui/certs/certstest"
)

// runDaemon runs d until the test ends.
func runDaemon(t *testing.T, d *Daemon) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }() // ends with ctx
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// TestBehindProxy: whoever says in the proxy's place that they come from
// somewhere is not heard, and guests come through it.
func TestBehindProxy(t *testing.T) {
	cfg := config.Default()
	cfg.DataDir = t.TempDir() + "/d"
	cfg.HTTP.Listen = []string{"localhost:0"}
	cfg.HTTP.PublicURL = "https://" + daemontest.PublicName
	cfg.HTTP.PublicListen = []string{"127.0.0.1:0"}
	cfg.HTTP.TLS.Mode = config.TLSBehindProxy
	cfg.Relay.Listen = []string{"127.0.0.1:0"}
	for _, c := range []struct {
		proxy string
		heard bool
	}{{"127.0.0.1", true}, {"10.0.0.0/8", false}} {
		cfg.HTTP.TrustedProxies = []string{c.proxy}
		cfg.DataDir += "d"
		d, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		runDaemon(t, d)
		req, err := http.NewRequest(http.MethodGet, "http://"+d.entrance.proxied[0].Addr().String()+"/j", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = daemontest.PublicName
		req.Header = http.Header{"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"https"}}
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if (err == nil) != c.heard {
			t.Fatalf("%s: %v", c.proxy, err)
		}
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Strict-Transport-Security") == "" {
				t.Errorf("%s", resp.Status)
			}
		}
		if s, err := d.status(t.Context()); err != nil || s.Certificate != nil {
			t.Errorf("status has a certificate: %+v, %v", s.Certificate, err)
		}
	}
}

// TestEntranceThatIsNotThere: the sentence says which setting to change.
func TestEntranceThatIsNotThere(t *testing.T) {
	taken := daemontest.Listener(t).Addr().String()
	certFile, keyFile := certstest.WritePair(t, t.TempDir(), daemontest.PublicName)
	for _, c := range []struct {
		change func(*config.HTTP)
		want   string
	}{
		{func(h *config.HTTP) { h.PublicListen = []string{"127.0.0.1:0", taken} }, "another program uses this port: \"ss -lntup\" shows which; stop it or change http.public_listen"},
		{func(h *config.HTTP) { h.RedirectListen = taken }, "stop it or change http.redirect_listen"},
		{func(h *config.HTTP) { h.PublicListen = []string{"192.0.2.1:443"} }, "this computer does not have the address: change http.public_listen"},
		{func(h *config.HTTP) { h.TLS.CertFile += "x" }, "read certificate: open "},
		{func(h *config.HTTP) { h.PublicURL = "https://other.example" }, "the certificate is for call.example, not for other.example"},
	} {
		cfg := config.Default()
		cfg.DataDir = t.TempDir() + "/d"
		cfg.HTTP.Listen, cfg.HTTP.PublicURL = []string{"localhost:0"}, "https://"+daemontest.PublicName
		cfg.HTTP.PublicListen, cfg.HTTP.RedirectListen = []string{"127.0.0.1:0"}, "127.0.0.1:0"
		cfg.HTTP.TLS.Mode, cfg.HTTP.TLS.CertFile, cfg.HTTP.TLS.KeyFile = config.TLSFiles, certFile, keyFile
		c.change(&cfg.HTTP)
		d, err := New(t.Context(), daemontest.Plan(t, cfg), nil, slog.New(slog.DiscardHandler), nil)
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// frontConfig is that of a public node that passes connections on.
func frontConfig(t *testing.T) config.Config {
	t.Helper()
	certFile, keyFile := certstest.WritePair(t, t.TempDir(), daemontest.PublicName)
	cfg := config.Default()
	cfg.DataDir = t.TempDir() + "/d"
	cfg.HTTP.Listen = []string{"localhost:0"}
	cfg.HTTP.PublicURL = "https://" + daemontest.PublicName
	cfg.HTTP.RedirectListen = ""
	cfg.HTTP.TLS.Mode, cfg.HTTP.TLS.CertFile, cfg.HTTP.TLS.KeyFile = config.TLSFiles, certFile, keyFile
	cfg.Discovery.AllowPrivateAddresses = true
	cfg.Discovery.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	cfg.Discovery.Server = true
	cfg.Relay.Listen = []string{"127.0.0.1:0"}
	cfg.Front.PassTo = []string{"hidden.example 12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"}
	return cfg
}

// ends fails a test in which what takes too long.
func ends[T any](t *testing.T, what string, f func() T) T {
	t.Helper()
	result := make(chan T, 1)
	go func() { result <- f() }() // ends with f
	select {
	case r := <-result:
		return r
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not end", what)
		panic("not reached")
	}
}

// TestNobodyIsAcceptedBeforeRun: what New has bound waits.
func TestNobodyIsAcceptedBeforeRun(t *testing.T) {
	d, err := New(t.Context(), daemontest.Plan(t, frontConfig(t)), sockets{SocketHTTPS: {daemontest.Listener(t)}}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	if d.entrance.front == nil || len(d.entrance.turn) == 0 {
		t.Fatal("nothing to accept with")
	}
	time.Sleep(50 * time.Millisecond) // for what has been started to be on its way
	stacks := make([]byte, 1<<20)
	for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		for _, part := range []string{"node/passthrough.", "node/relay.", "httpui."} {
			if strings.Contains(stack, "anteroom/"+part) {
				t.Errorf("runs already:\n%s", stack)
			}
		}
	}
}

// TestFrontWithTwoListeners: it serves at both, stops, and says what is wrong
// if it cannot start.
func TestFrontWithTwoListeners(t *testing.T) {
	cfg := frontConfig(t)
	content, err := os.ReadFile(cfg.HTTP.TLS.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(content)
	start := func() (*Daemon, error) {
		return New(t.Context(), daemontest.Plan(t, cfg), sockets{SocketHTTPS: {daemontest.Listener(t), daemontest.Listener(t)}}, slog.New(slog.DiscardHandler), nil)
	}
	d, err := start()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }() // ends with ctx
	for _, l := range d.entrance.tls {
		resp, err := daemontest.Visitor(roots, l.Addr().String(), "").Get("https://" + daemontest.PublicName + "/j")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	cancel()
	if err := ends(t, "the daemon", func() error { return <-ran }); err != nil {
		t.Error(err)
	}

	cfg.HTTP.RedirectListen = daemontest.Listener(t).Addr().String() // taken
	err = ends(t, "the start", func() error {
		d, err := start()
		if err == nil {
			d.Close()
		}
		return err
	})
	if want := "another program uses this port: \"ss -lntup\" shows which; stop it or change http.redirect_listen"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
