//go:build e2e

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"go.yaml.in/yaml/v3"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/config/configtest"
	"anteroom/cmd/anteroom/daemon"
	"anteroom/cmd/anteroom/daemon/daemontest"
	"anteroom/discovery/contacts"
	"anteroom/httpui/certs/certstest"
)

// A capture is every byte that a process read and wrote, by file or connection,
// as the kernel saw it.
type capture map[stream][]byte

// A stream is one direction of what strace calls, for instance,
// TCP:[127.0.0.1:443->127.0.0.1:50000].
type stream struct {
	name string
	sent bool
}

// transfers are the system calls that move bytes in sight. The others would
// move them out of it.
const (
	transfers = "read,readv,pread64,preadv,preadv2,recvfrom,recvmsg,recvmmsg,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg"
	unseen    = "splice,tee,vmsplice,sendfile,io_uring_setup"
)

// maxTransfer is more than one call moves here: strace says where it cuts.
const maxTransfer = 1 << 20

var (
	transfer = regexp.MustCompile(`^(\w+)\((?:\d+<(.*?)>|\d+), (.*)\) += (\d+)`)
	quoted   = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?`)
)

// readCapture reads what strace wrote.
func readCapture(t *testing.T, file string) capture {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := make(capture)
	begun := make(map[string]string) // by thread
	for line := range strings.Lines(string(content)) {
		thread, call, _ := strings.Cut(strings.TrimSpace(line), " ")
		call = strings.TrimSpace(call)
		if begin, ok := strings.CutSuffix(call, "<unfinished ...>"); ok {
			begun[thread] = begin
			continue
		}
		if strings.HasPrefix(call, "<... ") {
			_, end, _ := strings.Cut(call, " resumed>")
			call = begun[thread] + end
		}
		if name, _, _ := strings.Cut(call, "("); strings.Contains(","+unseen+",", ","+name+",") {
			t.Fatalf("bytes were moved unseen: %.100s", call)
		}
		m := transfer.FindStringSubmatch(call)
		if m == nil || strings.HasPrefix(m[2], "NETLINK:") {
			continue // an error, an end, or the kernel itself
		}
		var moved []byte
		for _, q := range quoted.FindAllStringSubmatch(m[3], -1) {
			b, err := hex.DecodeString(strings.ReplaceAll(q[1], `\x`, ""))
			if err != nil || q[2] != "" {
				t.Fatalf("not all was captured: %v: %.100s", err, call)
			}
			moved = append(moved, b...)
		}
		if n, err := strconv.Atoi(m[4]); err == nil && !strings.Contains(m[1], "msg") && n < len(moved) {
			moved = moved[:n] // of a write that was cut short
		}
		s := stream{m[2], strings.HasPrefix(m[1], "write") || strings.HasPrefix(m[1], "pwrite") || strings.HasPrefix(m[1], "send")}
		c[s] = append(c[s], moved...)
	}
	return c
}

// find returns where text is.
func (c capture) find(text string) (in []stream) {
	for s, moved := range c {
		if bytes.Contains(moved, []byte(text)) {
			in = append(in, s)
		}
	}
	return in
}

// size returns how much went through a TCP port of this computer.
func (c capture) size(port int, sent bool) (n int) {
	for s, moved := range c {
		if s.sent == sent && strings.HasPrefix(s.name, fmt.Sprintf("TCP:[127.0.0.1:%d->", port)) {
			n += len(moved)
		}
	}
	return n
}

// A tracedNode is a daemon in a process of its own, of which every byte is
// captured.
type tracedNode struct {
	cmd   *exec.Cmd
	url   string // of its own page, in plain HTTP
	trace string
	rest  chan string // what it said on stdout, once it has ended
}

func traceNode(t *testing.T, cfg config.Config, https net.Listener) *tracedNode {
	t.Helper()
	daemontest.Plan(t, cfg)
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatalf("%v: run \"make test\"", err)
	}
	content, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := &tracedNode{trace: filepath.Join(t.TempDir(), "trace"), rest: make(chan string, 1)}
	n.cmd = withSockets(t, []net.Listener{https}, daemon.SocketHTTPS, "serve", "--no-open", "--config", configtest.Write(t, string(content)))
	n.cmd.Path = strace
	n.cmd.Args = append([]string{
		strace, "--follow-forks", "--seccomp-bpf", "--quiet=all", "--signal=none", "--decode-fds=all", "--strings-in-hex=all",
		"--string-limit=" + strconv.Itoa(maxTransfer), "--trace=" + transfers + "," + unseen, "--output=" + n.trace,
	}, n.cmd.Args...)
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // strace itself blocks signals
	var stderr strings.Builder
	n.cmd.Stderr = &stderr
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(2*time.Minute, func() { syscall.Kill(-n.cmd.Process.Pid, syscall.SIGKILL) })
	t.Cleanup(func() {
		late.Stop()
		if n.cmd.ProcessState == nil {
			syscall.Kill(-n.cmd.Process.Pid, syscall.SIGKILL)
			n.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("the traced node said:\n%s", &stderr)
		}
	})
	said := bufio.NewReader(stdout)
	line, err := said.ReadString('\n')
	url, ready := strings.CutPrefix(strings.TrimSpace(line), "READY ")
	if !ready {
		t.Fatalf("%q, %v", line, err)
	}
	n.url = url
	go func() { // ends with the node
		all, _ := io.ReadAll(said)
		n.rest <- string(all)
	}()
	return n
}

// stop ends the node and returns what it moved.
func (n *tracedNode) stop(t *testing.T) capture {
	t.Helper()
	if err := syscall.Kill(-n.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-n.rest
	if err := n.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return readCapture(t, n.trace)
}

// A recorded connection is one whose client keeps what it sent and received.
type recorded struct {
	net.Conn
	mu             sync.Mutex
	sent, received []byte
}

func (r *recorded) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received = append(r.received, b[:n]...)
	return n, err
}

func (r *recorded) Write(b []byte) (int, error) {
	n, err := r.Conn.Write(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, b[:n]...)
	return n, err
}

func (r *recorded) soFar() (sent, received []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent, r.received
}

// ask gets a page, with a header of the caller's, and returns its body,
// whatever the status.
func ask(t *testing.T, browser *http.Client, url, header string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Language", header)
	resp, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// The names of a public node, and of the one to which it passes TLS.
const frontName, hiddenName = "front.example", "hidden.example"

const cardPath = "/.well-known/anteroom"

// TestPublicNodeMovesNothingReadable: of all that a public node reads and writes
// while it passes a page on, on either side and anywhere else, nothing can be
// read but the name. What it is asked for without encryption is read by the same
// search.
func TestPublicNodeMovesNothingReadable(t *testing.T) {
	var files [2]config.TLS
	roots := x509.NewCertPool()
	for i, name := range []string{frontName, hiddenName} {
		certFile, keyFile := certstest.WritePair(t, t.TempDir(), name)
		files[i] = config.Default().HTTP.TLS
		files[i].Mode, files[i].CertFile, files[i].KeyFile = config.TLSFiles, certFile, keyFile
		content, err := os.ReadFile(certFile)
		if err != nil || !roots.AppendCertsFromPEM(content) {
			t.Fatal(err)
		}
	}
	hiddenConfig := daemontest.LocalNode(t, hiddenName, files[1])
	https := daemontest.Listener(t)
	front := traceNode(t, daemontest.PublicNode(t, frontName, files[0], hiddenName+" "+daemontest.Identity(t, hiddenConfig).String()), https)

	// HTTP/1.1 in one connection: in plain text, all of it would be found as it is.
	plain := &http.Transport{DisableCompression: true}
	defer plain.CloseIdleConnections()
	unencrypted := &http.Client{Transport: plain, Timeout: 20 * time.Second}
	open := "OPEN" + rand.Text()
	ask(t, unencrypted, front.url+"/static/0/"+open+"-path", open+"-header")
	frontCard := ask(t, unencrypted, front.url+cardPath, "")

	log := daemontest.WatchLog(t)
	hidden, err := daemon.New(t.Context(), daemontest.Plan(t, daemontest.Hide(hiddenConfig, frontCard)), nil, slog.New(slog.NewTextHandler(log, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- hidden.Run(ctx) }() // ends with ctx
	defer func() {
		stop()
		if err := <-ran; err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	log.Await("relay takes calls for this node")
	var conn *recorded
	passed := &http.Transport{DisableCompression: true, TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if conn != nil {
			return nil, errors.New("another connection")
		}
		c, err := new(net.Dialer).DialContext(ctx, network, https.Addr().String())
		conn = &recorded{Conn: c}
		return conn, err
	}}
	defer passed.CloseIdleConnections()
	encrypted := &http.Client{Transport: passed, Timeout: 20 * time.Second}
	secret := "SECRET" + rand.Text()
	ask(t, encrypted, "https://"+hiddenName+"/static/0/"+secret+"-path", secret+"-header")
	page := ask(t, encrypted, "https://"+hiddenName+"/j", "")
	hiddenCard := ask(t, encrypted, "https://"+hiddenName+cardPath, "")
	if info, err := contacts.ParseCard(hiddenCard); err != nil || info.ID != daemontest.Identity(t, hiddenConfig) {
		t.Fatalf("the hidden node did not answer: %q, %v", hiddenCard, err)
	}
	sent, received := conn.soFar()
	c := front.stop(t)

	for _, text := range []string{open + "-path", open + "-header", frontCard, hiddenName} {
		if len(c.find(text)) == 0 {
			t.Errorf("the search does not find %.60q, which was not encrypted", text)
		}
	}
	secrets := append(strings.Split(page, "\n"), secret, hiddenCard)
	for _, text := range secrets {
		if text = strings.TrimSpace(text); len(text) < 20 {
			continue // may be anywhere by chance
		}
		if in := c.find(text); len(in) > 0 {
			t.Errorf("%.60q can be read in %+v", text, in)
		}
	}

	// Nothing was missed: what the client said and heard is there to the byte,
	// and as much on the way to the hidden node.
	name := fmt.Sprintf("TCP:[%s->%s]", https.Addr(), conn.LocalAddr())
	if in, out := c[stream{name, false}], c[stream{name, true}]; !bytes.HasPrefix(in, sent) || !bytes.HasPrefix(out, received) {
		t.Errorf("the client sent %d bytes and received %d; the capture has %d and %d, or others", len(sent), len(received), len(in), len(out))
	}
	port, whole := nodePort(t, frontCard), len(page)+len(hiddenCard)
	if in, out := c.size(port, false), c.size(port, true); len(received) < whole || in < whole || out < len(sent) {
		t.Errorf("pages of %d bytes arrived in %d, for which %d asked; between the nodes there were %d and %d", whole, len(received), len(sent), in, out)
	}
}

// nodePort returns the TCP port at which other nodes reach the one of card.
func nodePort(t *testing.T, card string) int {
	t.Helper()
	info, err := contacts.ParseCard(card)
	if err != nil || len(info.Addrs) != 1 {
		t.Fatalf("%v, %v", info.Addrs, err)
	}
	text, err := info.Addrs[0].ValueForProtocol(ma.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
