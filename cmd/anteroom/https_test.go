package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"anteroom/httpui/certs/certstest"
)

const publicName = "call.example"

// visitor returns a browser that finds publicName at the listeners' addresses
// and follows nothing.
func visitor(roots *x509.CertPool, https, http80 string) *http.Client {
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
				d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: publicName, NextProtos: []string{"h2", "http/1.1"}}}
				return d.DialContext(ctx, network, https)
			},
			ForceAttemptHTTP2: true,
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// expectGuestPage checks what a patient meets: the page over HTTP/2, nothing
// else, and the way there from plain HTTP.
func expectGuestPage(t *testing.T, browser *http.Client) {
	t.Helper()
	for _, c := range []struct {
		url, location string
		status, major int
	}{
		{"https://" + publicName + "/j", "", 200, 2},
		{"https://" + publicName + "/", "", 404, 2},
		{"https://" + publicName + "/api/session", "", 404, 2},
		{"http://" + publicName + "/j", "https://" + publicName + "/j", 308, 1},
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

// filesConfig is a configuration with a certificate in files.
func filesConfig(t *testing.T) (yaml string, roots *x509.CertPool) {
	t.Helper()
	certFile, keyFile := certstest.WritePair(t, t.TempDir(), publicName)
	content, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(content)
	return fmt.Sprintf("{data_dir: %s, http: {listen: [\"localhost:0\"], public_url: \"https://%s\", tls: {mode: files, cert_file: %s, key_file: %s}}}",
		t.TempDir()+"/d", publicName, certFile, keyFile), roots
}

// withSockets returns a command that starts anteroom as systemd does: with
// listeners from descriptor 3 on, and their names.
func withSockets(t *testing.T, listeners []net.Listener, names string, args ...string) *exec.Cmd {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no systemd there")
	}
	// LISTEN_PID is only known in the process itself.
	cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec anteroom "$@"`, "sh"}, args...)...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("LISTEN_FDS=%d", len(listeners)), "LISTEN_FDNAMES="+names)
	for _, l := range listeners {
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	return cmd
}

func localListener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestSocketsFromSystemd: a real process takes the ports that were bound for
// it, and says when it is ready.
func TestSocketsFromSystemd(t *testing.T) {
	config, roots := filesConfig(t)
	file := writeConfig(t, config)
	https, plain := localListener(t), localListener(t)
	notified, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(t.TempDir(), "notify")})
	if err != nil {
		t.Fatal(err)
	}
	defer notified.Close()

	cmd := withSockets(t, []net.Listener{https, plain}, "https:http", "serve", "--no-open", "--config", file)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+notified.LocalAddr().String())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer late.Stop()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); !strings.HasPrefix(line, "READY ") {
		cmd.Wait()
		t.Fatalf("%q, %v\n%s", line, err, &stderr)
	}
	if err := notified.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 100)
	if n, err := notified.Read(said); string(said[:n]) != "READY=1" {
		t.Errorf("systemd heard %q, %v", said[:n], err)
	}

	expectGuestPage(t, visitor(roots, https.Addr().String(), plain.Addr().String()))
	status, err := exec.Command("anteroom", "status", "--config", file).Output()
	if err != nil || !strings.Contains(string(status), "Certificate  "+publicName+", until ") || !strings.Contains(string(status), " (files)\n") {
		t.Errorf("status: %v\n%s", err, status)
	}

	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, stdout)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &stderr)
	}
}

// TestSocketsThatAreRefused: each ends the program with a sentence that says
// what to do.
func TestSocketsThatAreRefused(t *testing.T) {
	config, _ := filesConfig(t)
	proxied := "{data_dir: " + t.TempDir() + "/d, http: {listen: [\"localhost:0\"], public_url: \"https://a.example\", public_listen: [\"127.0.0.1:0\"], trusted_proxies: [\"::1\"], tls: {mode: behind_proxy}}}"
	for _, c := range []struct{ config, names, want string }{
		{config, "web", `socket "web" was passed: write FileDescriptorName=https or http into its unit`},
		{config, "", `was passed: write FileDescriptorName=https or http`},
		{"{data_dir: " + t.TempDir() + "/d, http: {listen: [\"localhost:0\"]}}", "https", `sockets for patients were passed, but http.tls.mode is off: set it to files, acme or behind_proxy, or remove the socket unit`},
		{proxied, "http", `socket "http" was passed, but the proxy is where plain HTTP comes in: remove it from the unit`},
	} {
		cmd := withSockets(t, []net.Listener{localListener(t)}, c.names, "serve", "--no-open", "--config", writeConfig(t, c.config))
		out, err := cmd.CombinedOutput()
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok || failed.ExitCode() != exitError || !strings.Contains(string(out), c.want) || strings.Contains(string(out), "READY") {
			t.Errorf("%q: %v, want %s\n%s", c.names, err, c.want, out)
		}
	}
}

// runDaemon runs d until the test ends.
func runDaemon(t *testing.T, d *daemon) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- d.run(ctx) }() // ends with ctx
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
	cfg := Default()
	cfg.DataDir = t.TempDir() + "/d"
	cfg.HTTP.Listen = []string{"localhost:0"}
	cfg.HTTP.PublicURL = "https://" + publicName
	cfg.HTTP.PublicListen = []string{"127.0.0.1:0"}
	cfg.HTTP.TLS.Mode = tlsBehindProxy
	cfg.Relay.Listen = []string{"127.0.0.1:0"}
	for _, c := range []struct {
		proxy string
		heard bool
	}{{"127.0.0.1", true}, {"10.0.0.0/8", false}} {
		cfg.HTTP.TrustedProxies = []string{c.proxy}
		cfg.DataDir += "d"
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		d, err := newDaemon(t.Context(), cfg, nil, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		runDaemon(t, d)
		req, err := http.NewRequest(http.MethodGet, "http://"+d.entrance.proxied[0].Addr().String()+"/j", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = publicName
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
	taken := localListener(t).Addr().String()
	certFile, keyFile := certstest.WritePair(t, t.TempDir(), publicName)
	for _, c := range []struct {
		change func(*HTTP)
		want   string
	}{
		{func(h *HTTP) { h.PublicListen = []string{"127.0.0.1:0", taken} }, "another program uses this port: \"ss -lntup\" shows which; stop it or change http.public_listen"},
		{func(h *HTTP) { h.RedirectListen = taken }, "stop it or change http.redirect_listen"},
		{func(h *HTTP) { h.PublicListen = []string{"192.0.2.1:443"} }, "this computer does not have the address: change http.public_listen"},
		{func(h *HTTP) { h.TLS.CertFile += "x" }, "read certificate: open "},
		{func(h *HTTP) { h.PublicURL = "https://other.example" }, "the certificate is for call.example, not for other.example"},
	} {
		cfg := Default()
		cfg.DataDir = t.TempDir() + "/d"
		cfg.HTTP = HTTP{
			Listen: []string{"localhost:0"}, PublicURL: "https://" + publicName, PublicListen: []string{"127.0.0.1:0"}, RedirectListen: "127.0.0.1:0",
			TLS: TLS{Mode: tlsFiles, CertFile: certFile, KeyFile: keyFile},
		}
		c.change(&cfg.HTTP)
		d, err := newDaemon(t.Context(), cfg, nil, slog.New(slog.DiscardHandler), nil)
		if err == nil {
			d.close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// frontConfig is that of a public node that passes connections on.
func frontConfig(t *testing.T) Config {
	t.Helper()
	certFile, keyFile := certstest.WritePair(t, t.TempDir(), publicName)
	cfg := Default()
	cfg.DataDir = t.TempDir() + "/d"
	cfg.HTTP.Listen = []string{"localhost:0"}
	cfg.HTTP.PublicURL = "https://" + publicName
	cfg.HTTP.RedirectListen = ""
	cfg.HTTP.TLS.Mode, cfg.HTTP.TLS.CertFile, cfg.HTTP.TLS.KeyFile = tlsFiles, certFile, keyFile
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

// TestFrontWithTwoListeners: it serves at both, stops, and says what is wrong
// if it cannot start.
func TestFrontWithTwoListeners(t *testing.T) {
	cfg := frontConfig(t)
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(cfg.HTTP.TLS.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(content)
	start := func() (*daemon, error) {
		return newDaemon(t.Context(), cfg, sockets{socketHTTPS: {localListener(t), localListener(t)}}, slog.New(slog.DiscardHandler), nil)
	}
	d, err := start()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- d.run(ctx) }() // ends with ctx
	for _, l := range d.entrance.tls {
		resp, err := visitor(roots, l.Addr().String(), "").Get("https://" + publicName + "/j")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	cancel()
	if err := ends(t, "the daemon", func() error { return <-ran }); err != nil {
		t.Error(err)
	}

	cfg.HTTP.RedirectListen = localListener(t).Addr().String() // taken
	err = ends(t, "the start", func() error {
		d, err := start()
		if err == nil {
			d.close()
		}
		return err
	})
	if want := "another program uses this port: \"ss -lntup\" shows which; stop it or change http.redirect_listen"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
