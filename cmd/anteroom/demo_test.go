package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/cmd/anteroom/daemon"
	"anteroom/cmd/anteroom/exit"
	"anteroom/node/media"
	"anteroom/rendezvous"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/seal"
	"anteroom/rendezvous/wire"
)

// startDemo runs the demo in this process and returns what it printed first.
// stop interrupts it and returns the exit code.
func startDemo(t *testing.T, args ...string) (line string, stop func() int) {
	ctx, interrupt := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var talk bytes.Buffer
	p := &program{
		stdin: strings.NewReader(""), stdout: in, stderr: &talk, executable: os.Executable,
		unknownKey: func(key string) { t.Errorf("logged the key %q, which is not in logKeys", key) },
	}
	code := make(chan int, 1)
	go func() { // ends with interrupt
		code <- p.run(ctx, append([]string{"demo"}, args...))
		in.Close()
	}()
	stop = sync.OnceValue(func() int {
		interrupt()
		io.Copy(io.Discard, out) // until the program has ended
		return <-code
	})
	t.Cleanup(func() { stop() })
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		stop()
		t.Fatalf("%v\n%s", err, talk.String())
	}
	return line, stop
}

// TestDemo: three live nodes, and a guest reaches the waiting room through
// each of them.
func TestDemo(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	line, stop := startDemo(t, "--output", "json", "--log-level", "debug")

	var demo daemon.DemoReply
	dec := json.NewDecoder(strings.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&demo); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &keys); err != nil || len(keys) != 3 {
		t.Fatalf("got keys %v, %v, want three", keys, err)
	}

	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	browser := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	nodes := make(map[string]string) // origin by name
	ids := make(map[string]bool)
	for _, n := range demo.Nodes {
		nodes[n.Name] = n.URL
		ids[n.PeerID] = true
		if _, err := peer.Decode(n.PeerID); err != nil {
			t.Errorf("peer id of %s: %v", n.Name, err)
		}
		for _, path := range []string{"/", "/j", "/.well-known/anteroom"} {
			if status, err := get(browser, n.URL+path); err != nil || status != http.StatusOK {
				t.Errorf("GET %s of %s: status %d, %v", path, n.Name, status, err)
			}
		}
	}
	if len(nodes) != 3 || len(ids) != 3 {
		t.Fatalf("got %v, want three different nodes", demo.Nodes)
	}
	if base, token, _ := strings.Cut(demo.PractitionerURL, "/#launch="); base != nodes["home"] || len(token) != 43 {
		t.Errorf("practitioner_url is %s, want one of %s", demo.PractitionerURL, nodes["home"])
	}

	var via []string
	payloads := make(map[string]bool)
	for _, l := range demo.GuestLinks {
		via = append(via, l.Via)
		u, err := url.Parse(l.URL)
		if err != nil || u.Scheme+"://"+u.Host != nodes[l.Via] || u.Path != "/j" {
			t.Errorf("link via %s is %s, want one of %s", l.Via, l.URL, nodes[l.Via])
			continue
		}
		payloads[u.Fragment] = true
		if w := knock(t, nodes[l.Via], l.URL); w != nil {
			if w.State != wire.WindowOpen || w.Practice != daemon.DemoPractice || w.Practitioner != daemon.DemoPractitioner {
				t.Errorf("via %s: welcomed by %s of %s, %s", l.Via, w.Practitioner, w.Practice, w.State)
			}
		}
	}
	if diff := cmp.Diff([]string{"home", "gateway", "practice-b"}, via); diff != "" {
		t.Error(diff)
	}
	if len(payloads) != 3 {
		t.Errorf("got %d different links, want 3", len(payloads))
	}

	if code := stop(); code != exit.OK {
		t.Errorf("exit code %d", code)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// get returns the status of an answer, and reads it.
func get(browser *http.Client, url string) (status int, err error) {
	res, err := browser.Get(url)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, errors.Join(err, res.Body.Close())
}

// knock opens link through the page at origin as far as the home node's word
// of welcome.
func knock(t *testing.T, origin, link string) *wire.Welcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	l, err := invite.ParseLink(link)
	if err != nil {
		t.Errorf("parse link: %v", err)
		return nil
	}
	conn, err := media.Dial(ctx, origin)
	if err != nil {
		t.Errorf("dial %s: %v", origin, err)
		return nil
	}
	defer context.AfterFunc(ctx, func() { conn.Close(wire.ErrTimeout) })()
	defer conn.Close(nil)
	if err := rendezvous.SendKey(conn, l.Keys().Rendezvous); err != nil {
		t.Errorf("send key: %v", err)
		return nil
	}
	channel, frame, err := seal.Dial(conn, l)
	if err != nil {
		t.Errorf("knock at %s: %v", origin, err)
		return nil
	}
	defer channel.Close(nil)
	body, err := wire.Decode(frame)
	if err != nil {
		t.Errorf("welcome: %v", err)
		return nil
	}
	w, ok := body.(*wire.Welcome)
	if !ok {
		t.Errorf("got %T, want a welcome", body)
	}
	return w
}

func TestDemoText(t *testing.T) {
	r := daemon.DemoReply{
		PractitionerURL: "http://localhost:1/#launch=x",
		GuestLinks:      []daemon.DemoLink{{Via: "home", URL: "http://localhost:1/j#a"}, {Via: "gateway", URL: "http://localhost:2/j#b"}, {Via: "practice-b", URL: "http://localhost:3/j#c"}},
		Password:        "PASSWORD",
	}
	var out strings.Builder
	if err := r.Text(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{r.PractitionerURL, r.Password, "http://localhost:1/j#a", "http://localhost:2/j#b", "http://localhost:3/j#c", "Ctrl-C"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in\n%s", want, out.String())
		}
	}
}
