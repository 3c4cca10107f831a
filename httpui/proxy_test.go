package httpui

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// newProxied is a server behind two proxies, of which one asks another.
func newProxied(t *testing.T, change ...func(*Config)) *testServer {
	t.Helper()
	l := newMemListener("10.0.0.1:7680")
	ts := newTest(t, append(change, func(c *Config) {
		c.Proxied = []net.Listener{l}
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.8/32"), netip.MustParsePrefix("10.0.3.0/24")}
	})...)
	ts.listener = l
	return ts
}

// through sends a request from an address with the headers.
func (ts *testServer) through(from, path string, headers ...string) (status int) {
	ts.t.Helper()
	resp := ts.exchange(from, "GET "+path+" HTTP/1.1\r\nHost: "+public+"\r\n"+strings.Join(append(headers, "\r\n"), "\r\n"))
	if resp == nil {
		return 0
	}
	return resp.StatusCode
}

func TestProxies(t *testing.T) {
	ts := newProxied(t)
	const proto = "X-Forwarded-Proto: https"
	for _, c := range []struct {
		from, path string
		headers    []string
		want       int // 0: no answer
	}{
		{"10.0.0.8:1", "/j", []string{proto, "X-Forwarded-For: 203.0.113.5"}, 200},
		{"10.0.3.200:1", "/j", []string{proto, "X-Forwarded-For: 2001:db8::5"}, 200},
		{"10.0.0.8:1", "/j", []string{proto, "X-Forwarded-For: 203.0.113.5, 10.0.3.7"}, 200},
		{"10.0.0.8:1", "/j", []string{proto, "X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 10.0.3.7"}, 200},
		{"10.0.0.8:1", "/j", []string{proto, "X-Forwarded-For: lies, 203.0.113.5"}, 200}, // what a client claimed is not read
		{"10.0.0.8:1", "/j", []string{proto, "X-Forwarded-For: 203.0.113.5", "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example"}, 200},
		{"10.0.0.8:1", "/", []string{proto, "X-Forwarded-For: 203.0.113.5"}, 404}, // guests only
		{"10.0.0.8:1", "/api/session", []string{proto, "X-Forwarded-For: 203.0.113.5"}, 404},

		{"10.0.0.8:1", "/j", nil, 400},
		{"10.0.0.8:1", "/j", []string{proto}, 400},
		{"10.0.0.8:1", "/j", []string{"X-Forwarded-For: 203.0.113.5"}, 400},
		{"10.0.0.8:1", "/j", []string{"X-Forwarded-Proto: http", "X-Forwarded-For: 203.0.113.5"}, 400},
		{"10.0.0.8:1", "/j", []string{proto, "X-Forwarded-Proto: http", "X-Forwarded-For: 203.0.113.5"}, 400},
		{"10.0.0.8:1", "/j", []string{proto, "X-Forwarded-For: lies"}, 400},
		{"10.0.0.8:1", "/j", []string{proto, "X-Forwarded-For: "}, 400},

		{"10.0.0.9:1", "/j", []string{proto, "X-Forwarded-For: 203.0.113.5"}, 0},
		{"127.0.0.1:1", "/j", []string{proto, "X-Forwarded-For: 10.0.0.8"}, 0},
		{"203.0.113.5:1", "/j", nil, 0},
	} {
		if got := ts.through(c.from, c.path, c.headers...); got != c.want {
			t.Errorf("%s %s %q: %d, want %d", c.from, c.path, c.headers, got, c.want)
		}
	}
	if err := ts.stop(); err != nil {
		t.Error(err)
	}
	log := ts.log.String()
	if got := strings.Count(log, "connection from no trusted proxy closed"); got != 1 {
		t.Errorf("%d warnings about strangers", got)
	}
	for _, want := range []string{`"addr_kind":"203.0.113.0/24"`, `"addr_kind":"2001:db8::/48"`} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is not in the log: clients are taken for the proxy", want)
		}
	}
}

func TestForwardedClient(t *testing.T) {
	known := proxies{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("127.0.0.1/32")}
	for header, want := range map[string]string{
		"203.0.113.5":                         "203.0.113.5",
		"198.51.100.1, 203.0.113.5":           "203.0.113.5", // forged on the left
		"127.0.0.1, 203.0.113.5, 10.0.0.2":    "203.0.113.5",
		"203.0.113.5 ,10.0.0.2, 10.0.0.3":     "203.0.113.5",
		"::ffff:203.0.113.5":                  "203.0.113.5",
		"10.0.0.9":                            "10.0.0.9", // somebody at a proxy
		"203.0.113.5, , 10.0.0.2":             "",
		"203.0.113.5:4711":                    "",
		"unknown":                             "",
		"203.0.113.5, 10.0.0.2, CANARY":       "",
		"203.0.113.5, 10.0.0.2, 010.0.0.2":    "",
		"fe80::1%eth0, 2001:db8::1, 10.0.0.2": "2001:db8::1",
	} {
		got, ok := known.client(map[string][]string{"X-Forwarded-For": {header}, "X-Forwarded-Proto": {"https"}})
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q: %v, %v", header, got, ok)
		}
	}
}

// TestProxyIsNotOneClient: the limit of one network does not stop everybody
// behind a proxy.
func TestProxyIsNotOneClient(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newProxied(t, func(c *Config) { c.Connections = Cap{Total: 6, PerPrefix: 2, Loopback: 2} })
		for range 5 { // as browsers do, in case they need one
			conn, err := ts.listener.dial("10.0.0.8:1")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
		if got := ts.through("10.0.0.8:1", "/j", "X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.5"); got != 200 {
			t.Errorf("status %d", got)
		}
	})
}

func TestProxiedListenersAreRefused(t *testing.T) {
	some := []netip.Prefix{netip.MustParsePrefix("10.0.0.8/32")}
	for _, c := range []struct {
		addr, url string
		known     []netip.Prefix
		want      string
	}{
		{"203.0.113.1:80", "https://" + public, some, "neither a loopback nor a private address"},
		{"0.0.0.0:80", "https://" + public, some, "neither a loopback nor a private address"},
		{"[::]:80", "https://" + public, some, "neither a loopback nor a private address"},
		{"10.0.0.1:80", "https://" + public, nil, "needs to know their addresses"},
		{"10.0.0.1:80", "http://" + public, some, "it must be https://"},
		{"10.0.0.1:80", "", some, "public listeners need a public URL"},
	} {
		_, err := newServer(Config{
			Proxied: []net.Listener{newMemListener(c.addr)}, TrustedProxies: c.known, PublicURL: c.url, InstallID: "test",
		}, newFakeBackend(t), testPages)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.addr, err, c.want)
		}
	}
}

// TestSocketsThroughAProxy: each client has its own limit.
func TestSocketsThroughAProxy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newProxied(t, func(c *Config) { c.Sockets = Cap{Total: 10, PerPrefix: 1, Loopback: 1} })
		b := ts.browser()
		b.origin, b.from = "http://"+public, "10.0.0.8:1"
		var ends []<-chan error
		for _, client := range []string{"203.0.113.5", "203.0.113.77", "198.51.100.1", "2001:db8::1"} {
			conn, resp := b.upgrade("/ws/guest", func(o *websocket.DialOptions) {
				o.HTTPHeader.Set("Origin", "https://"+public)
				o.HTTPHeader.Set("X-Forwarded-For", "127.0.0.1, "+client)
				o.HTTPHeader.Set("X-Forwarded-Proto", "https")
			})
			if conn == nil {
				t.Fatalf("%s: %v", client, resp.Status)
			}
			ends = append(ends, keepReading(conn))
			pass(0)
		}
		for i, gone := range []bool{true, false, false, false} {
			if ended(ends[i]) != gone {
				t.Errorf("client %d has gone: %v, want %v", i, !gone, gone)
			}
		}
	})
}
