package httpui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/rendezvous/wire"
)

// Stopping says going-away on every socket and waits for the node to finish
// with them, but not for ever.
func TestStop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		const parting = 2 * time.Second
		ts.backend.join = func(_ context.Context, conn wire.Conn) error {
			err := echo(conn)
			<-time.After(parting) // the guest leaves through the node
			return err
		}
		lee := ts.signedIn()
		sockets := []*wsConn{ts.browser().socket("/ws/guest"), lee.attend(), lee.openDesk(), lee.socket("/ws/desk")}
		var ended []<-chan error
		for _, c := range sockets {
			ended = append(ended, keepReading(c))
		}
		pass(0)
		started := time.Now()
		if err := ts.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(started); took < parting || took > drainTime {
			t.Errorf("stopped after %v", took)
		}
		for i, e := range ended {
			if err := <-e; !errors.Is(err, wire.ErrGoingAway) {
				t.Errorf("socket %d ended with %v", i, err)
			}
		}
		if _, err := ts.listener.dial("127.0.0.1:1"); err == nil {
			t.Error("the listener is still open")
		}
		if _, err := ts.sockets.begin(); !errors.Is(err, wire.ErrGoingAway) {
			t.Errorf("a socket after the end: %v", err)
		}
	})
}

// A node that does not let go of a guest does not keep the program from ending.
func TestStopIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		release := make(chan struct{})
		ts.backend.join = func(context.Context, wire.Conn) error {
			<-release
			return nil
		}
		ended := keepReading(ts.browser().socket("/ws/guest"))
		pass(0)
		started := time.Now()
		if err := ts.stop(); err == nil || !strings.Contains(err.Error(), "wait for sockets") {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(started); took != drainTime {
			t.Errorf("stopped after %v", took)
		}
		if err := <-ended; !errors.Is(err, wire.ErrGoingAway) {
			t.Errorf("the guest heard %v", err)
		}
		close(release)
		pass(0)
		ts.stop = func() error { return nil } // looked at above
	})
}

// What has been asked is answered; connections that browsers hold ready are
// not waited for.
func TestStopAnswersWhatWasAsked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		slow, err := ts.listener.dial("127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Close()
		body := `{"name":"","password":"` + leePassword + `"}`
		fmt.Fprintf(slow, "POST /api/signin HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", local, local, len(body))
		ready, err := ts.listener.dial("127.0.0.1:1") // sends nothing
		if err != nil {
			t.Fatal(err)
		}
		defer ready.Close()
		pass(0)

		stopped := make(chan error)
		started := time.Now()
		go func() { stopped <- ts.stop() }() // ends with Run
		pass(time.Second)
		fmt.Fprint(slow, body)
		resp, err := http.ReadResponse(bufio.NewReader(slow), nil)
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("%v, %v", resp, err)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if took := time.Since(started); took > 2*time.Second {
			t.Errorf("stopped after %v", took)
		}
	})
}

// A listener that breaks ends Run, with the reason.
func TestBrokenListener(t *testing.T) {
	ts := newTest(t)
	ts.listener.Close()
	err := <-ts.ran
	if !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "serve pages: ") {
		t.Errorf("Run: %v", err)
	}
	ts.stop = func() error { return nil } // looked at above
}

func TestNewRefuses(t *testing.T) {
	loopback := func() net.Listener { return newMemListener("127.0.0.1:7443") }
	for name, cfg := range map[string]Config{
		"the id must be":               {Listeners: []net.Listener{loopback()}, InstallID: ""},
		"id must be 1 to 32":           {Listeners: []net.Listener{loopback()}, InstallID: "UPPER"},
		"no listener":                  {InstallID: "test"},
		"use localhost":                {Listeners: []net.Listener{loopback(), newMemListener("0.0.0.0:80")}, InstallID: "test"},
		"plain HTTP is for":            {Listeners: []net.Listener{newMemListener("192.168.1.5:80")}, InstallID: "test"},
		"not a loopback address":       {Listeners: []net.Listener{newMemListener("[::]:80")}, InstallID: "test"},
		"need a public URL":            {Public: []net.Listener{newMemListener("203.0.113.1:443")}, InstallID: "test"},
		"must be https:// and a host":  {Listeners: []net.Listener{loopback()}, InstallID: "test", PublicURL: "http://care.example"},
		"in lower case":                {Listeners: []net.Listener{loopback()}, InstallID: "test", PublicURL: "https://Care.example"},
		"nothing behind it":            {Listeners: []net.Listener{loopback()}, InstallID: "test", PublicURL: "https://care.example/"},
		"such as https://care.example": {Listeners: []net.Listener{loopback()}, InstallID: "test", PublicURL: "https://care.example:443"},
		`public URL "https://a b"`:     {Listeners: []net.Listener{loopback()}, InstallID: "test", PublicURL: "https://a b"},
		`"https://u@care.example"`:     {Listeners: []net.Listener{loopback()}, InstallID: "test", PublicURL: "https://u@care.example"},
		`"https://a;b"`:                {Listeners: []net.Listener{loopback()}, InstallID: "test", PublicURL: "https://a;b"},
	} {
		want := strings.Replace(name, "the id must", "id must", 1)
		if _, err := newServer(cfg, Backend{}, testPages); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestURL(t *testing.T) {
	for want, cfg := range map[string]Config{
		"http://localhost:7443": {Listeners: []net.Listener{newMemListener("[::1]:7443"), newMemListener("127.0.0.1:7443")}, PublicURL: "https://care.example"},
		"https://203.0.113.1":   {Public: []net.Listener{newMemListener("203.0.113.1:443")}, PublicURL: "https://203.0.113.1"},
	} {
		cfg.InstallID = "test"
		s, err := newServer(cfg, Backend{}, testPages)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.URL(); got != want {
			t.Errorf("URL %s, want %s", got, want)
		}
	}
}

func TestSites(t *testing.T) {
	var hosts []string
	for host, s := range localSites([]uint16{80, 7443}, "x") {
		hosts = append(hosts, host)
		if s.origin != "http://"+host || s.host != host || s.public || s.hsts || s.secure {
			t.Errorf("%s: %+v", host, s)
		}
	}
	slices.Sort(hosts)
	want := []string{"127.0.0.1", "127.0.0.1:7443", "[::1]", "[::1]:7443", "localhost", "localhost:7443"}
	if !slices.Equal(hosts, want) {
		t.Errorf("hosts %q, want %q", hosts, want)
	}
	for origin, want := range map[string]site{
		"https://care.example":       {sockets: "wss://care.example", hsts: true},
		"https://care.example:8443":  {sockets: "wss://care.example:8443", hsts: true},
		"https://203.0.113.1":        {sockets: "wss://203.0.113.1"},
		"https://[2001:db8::1]:8443": {},
	} {
		s, err := publicSite(origin)
		if err != nil {
			t.Fatal(err)
		}
		if s.sockets != want.sockets || s.hsts != want.hsts || !s.public || !s.secure || "https://"+s.host != origin {
			t.Errorf("%s: %+v", origin, s)
		}
	}
}
