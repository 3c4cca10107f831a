package main

import (
	"bufio"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"anteroom/cmd/anteroom/config/configtest"
	"anteroom/cmd/anteroom/daemon/daemontest"
	"anteroom/cmd/anteroom/exit"
	"anteroom/httpui/certs/certstest"
)

// filesConfig is a configuration with a certificate in files.
func filesConfig(t *testing.T) (yaml string, roots *x509.CertPool) {
	t.Helper()
	certFile, keyFile := certstest.WritePair(t, t.TempDir(), daemontest.PublicName)
	content, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(content)
	return fmt.Sprintf("{data_dir: %s, http: {listen: [\"localhost:0\"], public_url: \"https://%s\", tls: {mode: files, cert_file: %s, key_file: %s}}}",
		t.TempDir()+"/d", daemontest.PublicName, certFile, keyFile), roots
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

// TestSocketsFromSystemd: a real process takes the ports that were bound for
// it, and says when it is ready.
func TestSocketsFromSystemd(t *testing.T) {
	config, roots := filesConfig(t)
	file := configtest.Write(t, config)
	https, plain := daemontest.Listener(t), daemontest.Listener(t)
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

	daemontest.ExpectGuestPage(t, daemontest.Visitor(roots, https.Addr().String(), plain.Addr().String()))
	status, err := exec.Command("anteroom", "status", "--config", file).Output()
	if err != nil || !strings.Contains(string(status), "Certificate  "+daemontest.PublicName+", until ") || !strings.Contains(string(status), " (files)\n") {
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
		cmd := withSockets(t, []net.Listener{daemontest.Listener(t)}, c.names, "serve", "--no-open", "--config", configtest.Write(t, c.config))
		out, err := cmd.CombinedOutput()
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok || failed.ExitCode() != exit.Failed || !strings.Contains(string(out), c.want) || strings.Contains(string(out), "READY") {
			t.Errorf("%q: %v, want %s\n%s", c.names, err, c.want, out)
		}
	}
}
