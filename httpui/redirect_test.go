package httpui

import (
	"net"
	"strings"
	"testing"
	"time"
)

func newRedirected(t *testing.T, publicURL string) *testServer {
	t.Helper()
	l := newMemListener("203.0.113.1:80")
	ts := newTest(t, func(c *Config) {
		c.PublicURL = publicURL
		c.Redirect = []net.Listener{l}
		c.Challenge = func(path string) (string, bool) {
			return "token.thumb", path == "/.well-known/acme-challenge/token"
		}
	})
	ts.listener = l
	return ts
}

func TestRedirect(t *testing.T) {
	ts := newRedirected(t, "https://"+public)
	for _, c := range []struct {
		request  string
		status   int
		location string
	}{
		{"GET /j\nHost: " + public, 308, "https://" + public + "/j"},
		{"HEAD /j\nHost: " + public, 308, "https://" + public + "/j"},
		{"GET /j?CANARY=1\nHost: " + public, 308, "https://" + public + "/j"},
		{"GET /j\nHost: " + public + ":80", 308, "https://" + public + "/j"},
		{"GET /.well-known/acme-challenge/token\nHost: " + public, 200, ""},
		{"GET /.well-known/acme-challenge/other\nHost: " + public, 404, ""},

		{"GET /\nHost: " + public, 404, ""},
		{"GET /\nHost: " + public + "\nAccept: text/html", 302, "https://" + public + "/"}, // who typed the name
		{"GET /CANARY?CANARY\nHost: " + public + "\nSec-Fetch-Mode: navigate", 302, "https://" + public + "/"},
		{"GET /j/\nHost: " + public, 404, ""},
		{"GET //evil.example/j\nHost: " + public, 404, ""},
		{"GET /%6a\nHost: " + public, 404, ""},
		{"GET /static/" + ts.assets.hash + "/main.js\nHost: " + public, 404, ""},
		{"GET /api/session\nHost: " + public, 404, ""},
		{"GET /ws/guest\nHost: " + public, 404, ""},
		{"POST /j\nHost: " + public, 404, ""},
		{"OPTIONS *\nHost: " + public, 404, ""},
		{"TRACE /j\nHost: " + public, 404, ""},
		{"CONNECT " + public + ":443\nHost: " + public, 421, ""},

		{"GET /j\nHost: evil.example", 421, ""},
		{"GET /j\nHost: " + public + ":443", 421, ""},
		{"GET /j\nHost: " + public + ".", 421, ""},
		{"GET /j\nHost: Care.Example", 421, ""},
		{"GET /j\nHost: " + local, 421, ""},
		{"GET /.well-known/acme-challenge/token\nHost: evil.example", 421, ""},
		{"GET http://evil.example/j\nHost: " + public, 421, ""},
	} {
		resp := ts.ask(c.request)
		if resp.StatusCode != c.status || resp.Header.Get("Location") != c.location {
			t.Errorf("%q: %d %q, want %d %q", c.request, resp.StatusCode, resp.Header.Get("Location"), c.status, c.location)
		}
		if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Strict-Transport-Security") != "" || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%q: %v", c.request, resp.Header)
		}
	}
	if strings.Contains(ts.log.String(), "CANARY") {
		t.Error("a query is in the log")
	}
}

// TestRedirectToAnotherPort: browsers name the port of https, and none of http.
func TestRedirectToAnotherPort(t *testing.T) {
	ts := newRedirected(t, "https://[2001:db8::1]:8443")
	if resp := ts.ask("GET /j\nHost: [2001:db8::1]"); resp.StatusCode != 308 || resp.Header.Get("Location") != "https://[2001:db8::1]:8443/j" {
		t.Errorf("%d %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp := ts.ask("GET /j\nHost: [2001:db8::1]:8443"); resp.StatusCode != 421 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// TestRedirectDoesNotWait: who sends nothing, or never ends, is hung up on.
func TestRedirectDoesNotWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newRedirected(t, "https://"+public)
		for _, sent := range []string{"", "GET /j HTTP/1.1\r\nHost: " + public + "\r\nA: b\r\n"} {
			conn, err := ts.listener.dial("203.0.113.9:1")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write([]byte(sent)); err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			for buf := make([]byte, 1024); err == nil; {
				_, err = conn.Read(buf)
			}
			if took := time.Since(started); took != redirectTime {
				t.Errorf("after %q: ended after %v", sent, took)
			}
			conn.Close()
		}
	})
}

func TestRedirectNeedsATarget(t *testing.T) {
	_, err := newServer(Config{
		Listeners: []net.Listener{newMemListener("127.0.0.1:7443")}, Redirect: []net.Listener{newMemListener("0.0.0.0:80")}, InstallID: "test",
	}, Backend{}, testPages)
	if err == nil || !strings.Contains(err.Error(), "need a public URL") {
		t.Errorf("got %v", err)
	}
}
