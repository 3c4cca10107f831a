package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"anteroom/httpui/certs/certstest"
	"anteroom/node/polltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const name = "call.example"

// filesManager returns a Manager of a pair that is good for an hour.
func filesManager(t *testing.T, log io.Writer) (m *Manager, certFile, keyFile string) {
	t.Helper()
	certFile, keyFile = certstest.WritePair(t, t.TempDir(), name)
	m, err := New(Config{Mode: Files, Name: name, CertFile: certFile, KeyFile: keyFile, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return m, certFile, keyFile
}

// run runs m until the returned function is called.
func run(t *testing.T, m *Manager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }() // ends with ctx
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// served is the certificate that a browser gets; nil if none.
func served(m *Manager) *x509.Certificate {
	cert, err := m.certificate(&tls.ClientHelloInfo{ServerName: name, SupportedProtos: []string{"h2"}})
	if err != nil {
		return nil
	}
	return cert.Leaf
}

func put(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFilesAreReadAgain: half of a new pair leaves the old one in use and is
// reported; the other half makes it good.
func TestFilesAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m, certFile, keyFile := filesManager(t, &log)
		run(t, m)
		synctest.Wait() // it has looked once, and will not while a file is half written
		first := served(m)
		wait := func() {
			t.Helper()
			time.Sleep(fileInterval)
			synctest.Wait()
		}
		cert, key := certstest.Pair(t, name, time.Now().Add(-time.Minute), time.Now().Add(2*time.Hour))

		put(t, certFile, cert)
		wait()
		if s := m.Status(); !served(m).Equal(first) || !strings.Contains(s.Reason, "is not that of the certificate in") || s.Alert {
			t.Errorf("with half a pair: %+v", s)
		}
		put(t, certFile, []byte("no certificate"))
		wait()
		if s := m.Status(); !served(m).Equal(first) || s.Reason == "" {
			t.Errorf("with a damaged file: %+v", s)
		}
		if err := os.Remove(certFile); err != nil {
			t.Fatal(err)
		}
		wait()
		if s := m.Status(); !served(m).Equal(first) || s.Reason == "" {
			t.Errorf("with no file: %+v", s)
		}
		put(t, certFile, cert)
		put(t, keyFile, key)
		wait()
		if s := m.Status(); served(m).Equal(first) || s.Reason != "" || !s.NotAfter.Equal(served(m).NotAfter) {
			t.Errorf("with a new pair: %+v", s)
		}

		// Never replaced in time: it stays what it is, and that is said.
		time.Sleep(time.Until(served(m).NotAfter) + time.Minute)
		synctest.Wait()
		if s := m.Status(); !s.Alert || served(m) == nil || served(m).Issuer.CommonName != "test "+name {
			t.Errorf("after its end: %+v", s)
		}
		if got := strings.Count(log.String(), "certificate not renewed"); got != 3 {
			t.Errorf("%d failures logged:\n%s", got, &log)
		}
		if got := strings.Count(log.String(), "no good certificate, or not for long"); got != 1 {
			t.Errorf("%d alerts logged:\n%s", got, &log)
		}
		if strings.Contains(log.String(), "PRIVATE") {
			t.Errorf("a key is in the log:\n%s", &log)
		}
	})
}

func TestFilesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	cert, key := certstest.WritePair(t, dir, name)
	otherDir := t.TempDir()
	otherCert, _ := certstest.WritePair(t, otherDir, "other.example")
	open := filepath.Join(dir, "open.pem")
	content, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, open, content)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, cert, key, want string }{
		{name, dir + "/none", key, "read certificate: open " + dir + "/none: no such file"},
		{name, cert, dir + "/none", "read key of certificate: stat " + dir + "/none: no such file"},
		{name, cert, open, open + " is open to other users (mode 0644): run chmod 640 " + open},
		{name, key, key, "holds a key and no certificate"},
		{name, otherCert, key, "is not that of the certificate in"},
		{"www.call.example", cert, key, "the certificate is for call.example, not for www.call.example"},
		{"203.0.113.7", cert, key, "the certificate is for call.example, not for 203.0.113.7"},
	} {
		_, err := New(Config{Mode: Files, Name: c.name, CertFile: c.cert, KeyFile: c.key})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestACMEThatIsRefused(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.pem")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	put(t, empty, nil)
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "consent to its terms"},
		{Config{Agreed: true, Directory: "http://ca.example/dir"}, "must be an https URL"},
		{Config{Agreed: true, CAFile: none}, "no such file"},
		{Config{Agreed: true, CAFile: empty}, "holds no certificate in PEM"},
	} {
		c.cfg.Mode, c.cfg.Name, c.cfg.Dir = ACME, name, t.TempDir()
		if _, err := New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %s", c.cfg, err, c.want)
		}
	}
	if _, err := New(Config{Mode: "none"}); err == nil {
		t.Error("an unknown mode is taken")
	}
}

// handshake connects to m's TLS, and returns what was agreed.
func handshake(t *testing.T, m *Manager, cfg *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := tls.NewListener(inner, m.TLSConfig())
	defer l.Close()
	go func() { // ends with l
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "hello") // with the tickets before it
			conn.Close()
		}
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), cfg)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	io.ReadAll(conn)
	return conn.ConnectionState(), nil
}

func TestHandshakes(t *testing.T) {
	m, _, _ := filesManager(t, io.Discard)
	for _, c := range []struct {
		what    string
		cfg     *tls.Config
		version uint16
		alpn    string
		refused bool
	}{
		{what: "a browser", cfg: &tls.Config{ServerName: name, NextProtos: []string{"h2", "http/1.1"}}, version: tls.VersionTLS13, alpn: "h2"},
		{what: "capitals", cfg: &tls.Config{ServerName: "Call.Example"}, version: tls.VersionTLS13},
		{what: "no name", cfg: &tls.Config{}, version: tls.VersionTLS13},
		{what: "TLS 1.2", cfg: &tls.Config{ServerName: name, MaxVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, version: tls.VersionTLS12, alpn: "http/1.1"},
		{what: "TLS 1.1", cfg: &tls.Config{ServerName: name, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, refused: true},
		{what: "another name", cfg: &tls.Config{ServerName: "other.example"}, refused: true},
		{what: "a challenge that is not open", cfg: &tls.Config{ServerName: name, NextProtos: []string{"acme-tls/1"}}, refused: true},
	} {
		c.cfg.InsecureSkipVerify = true
		state, err := handshake(t, m, c.cfg)
		if (err != nil) != c.refused || state.Version != c.version || state.NegotiatedProtocol != c.alpn {
			t.Errorf("%s: %x, %q, %v", c.what, state.Version, state.NegotiatedProtocol, err)
		}
	}
}

// TestTicketsDoNotOutliveAManager: a session cannot be resumed after a restart.
func TestTicketsDoNotOutliveAManager(t *testing.T) {
	m, certFile, keyFile := filesManager(t, io.Discard)
	again, err := New(Config{Mode: Files, Name: name, CertFile: certFile, KeyFile: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	browser := &tls.Config{ServerName: name, InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	for _, m := range []*Manager{m, again} {
		if state, err := handshake(t, m, browser); err != nil || state.DidResume {
			t.Errorf("resumed %v, %v", state.DidResume, err)
		}
	}
}

// TestNoCertificateYet: without one there is no handshake, and not one of our
// own making. New contacts nobody: nothing listens at this directory.
func TestNoCertificateYet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	m, err := New(Config{Mode: ACME, Name: name, Dir: dir, Directory: "https://127.0.0.1:1/dir", Agreed: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handshake(t, m, &tls.Config{ServerName: name, InsecureSkipVerify: true}); err == nil {
		t.Error("a handshake without a certificate")
	}
	if s := m.Status(); s.Alert || !s.NotAfter.IsZero() || s.Names[0] != name {
		t.Errorf("before the first attempt: %+v", s)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	m.source.(*fromACME).retry = time.Hour
	stop := run(t, m)
	polltest.Eventually(t, "an attempt", func() bool { return m.Status().Reason != "" })
	stop()
	if s := m.Status(); !s.Alert || !strings.Contains(s.Reason, "connection refused") {
		t.Errorf("after it: %+v", s)
	}
}

// TestNotReachedYet: while no challenge could arrive, the directory is asked for
// nothing and Status says why; once it could, it is asked.
func TestNotReachedYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reached := make(chan struct{})
		m, err := New(Config{
			Mode: ACME, Name: name, Dir: filepath.Join(t.TempDir(), "certs"), Directory: "https://127.0.0.1:1/dir", Agreed: true,
			Reached: func(ctx context.Context) error {
				select {
				case <-reached:
					return nil
				case <-ctx.Done():
					return errors.New("nobody is connected")
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		run(t, m)
		for _, want := range []string{"", "nobody is connected", "nobody is connected"} {
			synctest.Wait()
			if s := m.Status(); s.Reason != want || s.Alert != (want != "") {
				t.Errorf("not reached: %+v", s)
			}
			time.Sleep(reachTime)
		}
		close(reached)
		time.Sleep(requestTime) // it is asked more than once
		synctest.Wait()
		if s := m.Status(); !strings.Contains(s.Reason, "connection refused") {
			t.Errorf("reached: %+v", s)
		}
	})
}

func TestWhenToRenewAndToAlert(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, c := range []struct{ life, renewed, alert time.Duration }{
		{90 * day, 60 * day, 48 * time.Hour},
		{45 * day, 30 * day, 48 * time.Hour},
		{160 * time.Hour, 80 * time.Hour, 48 * time.Hour}, // Let's Encrypt's for addresses
		{6 * day, 3 * day, 48 * time.Hour},
		{3 * day, 36 * time.Hour, 24 * time.Hour},
		{time.Minute, 30 * time.Second, 20 * time.Second},
	} {
		leaf := &x509.Certificate{NotBefore: start, NotAfter: start.Add(c.life)}
		if got := renewAt(leaf).Sub(start); got != c.renewed {
			t.Errorf("%v: renewed after %v, want %v", c.life, got, c.renewed)
		}
		if got := alertBefore(leaf); got != c.alert {
			t.Errorf("%v: alert %v before, want %v", c.life, got, c.alert)
		}
		if leaf.NotAfter.Sub(renewAt(leaf)) <= alertBefore(leaf) {
			t.Errorf("%v: an alert before the first attempt", c.life)
		}
	}
}

// TestFullDisk: a certificate that cannot be written is written later.
func TestFullDisk(t *testing.T) {
	cert, key := certstest.Pair(t, name, time.Now(), time.Now().Add(time.Hour))
	a := &fromACME{name: name, dir: filepath.Join(t.TempDir(), "later"), unkept: append(key, cert...)}
	if err := a.keep(); err == nil || !strings.HasPrefix(err.Error(), "keep certificate: ") {
		t.Errorf("got %v", err)
	}
	if err := privateDir(a.dir); err != nil {
		t.Fatal(err)
	}
	if err := a.keep(); err != nil {
		t.Error(err)
	}
	if got, err := a.load(); err != nil || got == nil || a.keep() != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestServerNameOfAddresses(t *testing.T) {
	for name, want := range map[string]string{
		"call.example": "call.example",
		"192.0.2.1":    "1.2.0.192.in-addr.arpa",
		"2001:db8::1":  "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", // RFC 8738
	} {
		if got := serverName(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestRenewReadsTheFilesAtOnce: whoever has replaced them need not wait.
func TestRenewReadsTheFilesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, certFile, keyFile := filesManager(t, io.Discard)
		run(t, m)
		synctest.Wait()
		old, began := served(m), time.Now()
		newCert, newKey := certstest.WritePair(t, t.TempDir(), name)
		for from, to := range map[string]string{newCert: certFile, newKey: keyFile} {
			content, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			put(t, to, content)
		}
		m.Renew()
		synctest.Wait()
		if served(m).Equal(old) || !time.Now().Equal(began) {
			t.Error("the old one is still in use")
		}
	})
}
