package httpui

import (
	"net"
	"net/http"
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
		{"10.0.0.8:1", "/j", []string{"X-Forwarded-Proto: http", proto, "X-Forwarded-For: 203.0.113.5"}, 400},
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
	for _, want := range []string{
		`"level":"WARN","msg":"connection from no trusted proxy closed","n":1`,
		`"level":"WARN","msg":"request of a trusted proxy refused","n":1,"reason":"X-Forwarded-For is missing"`,
		`"level":"WARN","msg":"request of a trusted proxy refused","n":1,"reason":"X-Forwarded-Proto is missing"`,
		`"level":"WARN","msg":"request of a trusted proxy refused","n":1,"reason":"X-Forwarded-For holds something that is no address"`,
		`"level":"WARN","msg":"request of a trusted proxy refused","n":1,"reason":"X-Forwarded-Proto says that the client's connection is not encrypted"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is not in the log", want)
		}
	}
	if strings.Contains(log, "lies") {
		t.Error("the log holds what a header said")
	}
	for _, want := range []string{`"addr_kind":"203.0.113.0/24"`, `"addr_kind":"2001:db8::/48"`} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is not in the log: clients are taken for the proxy", want)
		}
	}
}

// TestForwardedClient: what each proxy sends, as its makers document it or as it
// was seen, and what none does.
func TestForwardedClient(t *testing.T) {
	known := proxies{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/64")}
	const tls = "X-Forwarded-Proto: https"
	for _, c := range []struct {
		who     string
		headers []string
		want    string // an address; or what is wrong
	}{
		{"nginx", []string{"X-Forwarded-For: 203.0.113.5", tls, "X-Real-Ip: 203.0.113.5"}, "203.0.113.5"},
		{"nginx that adds to nothing", []string{"X-Forwarded-For: , 203.0.113.5", tls}, "203.0.113.5"},
		{"Caddy", []string{"X-Forwarded-For: 2001:db8::5", tls, "X-Forwarded-Host: care.example"}, "2001:db8::5"},
		{"Traefik", []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-Proto: wss", "X-Forwarded-Port: 443", "X-Forwarded-Server: t", "X-Real-Ip: 203.0.113.5"}, "203.0.113.5"},
		{"Traefik behind another", []string{"X-Forwarded-For: 203.0.113.5, 10.0.0.3", "X-Forwarded-Proto: https,wss"}, "203.0.113.5"},
		{"HAProxy, X-Forwarded", []string{"X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 203.0.113.5", tls}, "203.0.113.5"},
		{"HAProxy, Forwarded", []string{`Forwarded: proto=https;host="care.example";by="_haproxy";for=203.0.113.5`}, "203.0.113.5"},
		{"HAProxy, Forwarded with a port", []string{`Forwarded: proto=https;for="[2001:db8::5]:4711"`}, "2001:db8::5"},
		{"Apache", []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-Host: care.example", "X-Forwarded-Server: care.example", tls}, "203.0.113.5"},
		{"IIS", []string{"X-Forwarded-For: 203.0.113.5:54321", "X-Arr-Ssl: 2048|256|C=US|CN=care.example"}, "203.0.113.5"},
		{"IIS, IPv6", []string{"X-Forwarded-For: [2001:db8::5]:54321", "X-Arr-Ssl: 2048|256|C=US|CN=care.example"}, "2001:db8::5"},
		{"Azure Application Gateway", []string{"X-Forwarded-For: 203.0.113.5:54321", tls, "X-Forwarded-Port: 443", "X-Original-Host: care.example"}, "203.0.113.5"},
		{"Azure Front Door", []string{"X-Forwarded-For: 203.0.113.5, 10.0.0.7", tls, "X-Azure-Clientip: 203.0.113.5"}, "203.0.113.5"},
		{"Front-End-Https", []string{"X-Forwarded-For: 203.0.113.5", "Front-End-Https: On"}, "203.0.113.5"},
		{"X-Forwarded-Ssl", []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-Ssl: on"}, "203.0.113.5"},
		{"X-Forwarded-Scheme", []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-Scheme: https"}, "203.0.113.5"},
		{"AWS", []string{"X-Forwarded-For: 203.0.113.5:8080", tls, "X-Forwarded-Port: 443"}, "203.0.113.5"},
		{"Squid", []string{"X-Forwarded-For: 198.51.100.1, 203.0.113.5, 10.0.0.3", tls, "Via: 1.1 squid"}, "203.0.113.5"},
		{"Envoy", []string{"X-Forwarded-For: 203.0.113.5,10.0.0.2", tls, "X-Envoy-External-Address: 203.0.113.5"}, "203.0.113.5"},
		{"capitals", []string{"X-Forwarded-For: 2001:DB8::5", "X-Forwarded-Proto: HTTPS"}, "2001:db8::5"},
		{"two that say https", []string{"X-Forwarded-For: 203.0.113.5, 10.0.0.2", "X-Forwarded-Proto: https, https"}, "203.0.113.5"},
		{"two, http between them", []string{"X-Forwarded-For: 203.0.113.5, 10.0.0.2", "X-Forwarded-Proto: https, http"}, "203.0.113.5"},
		{"two lines", []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: fd00::2", tls, "X-Forwarded-Proto: http"}, "203.0.113.5"},
		{"brackets", []string{"X-Forwarded-For: [2001:db8::5]", tls}, "2001:db8::5"},
		{"quotes", []string{`X-Forwarded-For: "[2001:db8::5]:443"`, tls}, "2001:db8::5"},
		{"a zone", []string{"X-Forwarded-For: fe80::1%eth0", tls}, "fe80::1"},
		{"a mapped address", []string{"X-Forwarded-For: ::ffff:203.0.113.5", tls}, "203.0.113.5"},
		{"a mapped address of a proxy", []string{"X-Forwarded-For: 203.0.113.5, [::ffff:10.0.0.2]:80", tls}, "203.0.113.5"},
		{"RFC 7239", []string{`Forwarded: For="[2001:db8::5]:1234";Proto=https;by=203.0.113.43`}, "2001:db8::5"},
		{"RFC 7239, two hops", []string{`Forwarded: for=203.0.113.5;proto=https, for=10.0.0.2;proto=http`}, "203.0.113.5"},
		{"RFC 7239, two lines", []string{`Forwarded: for=198.51.100.1;proto=http, for=203.0.113.5;proto=https`, `Forwarded: for="10.0.0.2:80";proto=http`}, "203.0.113.5"},
		{"RFC 7239 for the address alone", []string{`Forwarded: for=203.0.113.5`, tls}, "203.0.113.5"},
		{"RFC 7239, quoted separators", []string{`Forwarded: for=198.51.100.1;host="a,b;c\"d", for=203.0.113.5;proto=https`}, "203.0.113.5"},
		{"RFC 7239 of the client's own network", []string{`Forwarded: for=unknown`, "X-Forwarded-For: 203.0.113.5", tls}, "203.0.113.5"},

		// What a client claims stands on the left, and is not read.
		{"a forged hop", []string{"X-Forwarded-For: 198.51.100.1, 203.0.113.5", tls}, "203.0.113.5"},
		{"a forged proxy", []string{"X-Forwarded-For: 127.0.0.1, 203.0.113.5, 10.0.0.2", tls}, "203.0.113.5"},
		{"a forged word", []string{"X-Forwarded-For: CANARY, 203.0.113.5", tls}, "203.0.113.5"},
		{"somebody at a proxy", []string{"X-Forwarded-For: 10.0.0.9", tls}, "10.0.0.9"},

		{"nothing", nil, "X-Forwarded-For is missing"},
		{"no address", []string{tls}, "X-Forwarded-For is missing"},
		{"no scheme", []string{"X-Forwarded-For: 203.0.113.5"}, "X-Forwarded-Proto is missing"},
		{"nothing in it", []string{"X-Forwarded-For: ,", tls}, "X-Forwarded-For is missing"},
		{"http", []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-Proto: http"}, "X-Forwarded-Proto says that the client's connection is not encrypted"},
		{"ws", []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-Proto: ws"}, "X-Forwarded-Proto says that the client's connection is not encrypted"},
		{"http, then https", []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-Proto: http, https"}, "X-Forwarded-Proto says that the client's connection is not encrypted"},
		{"http, whatever else", []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-Proto: http", "X-Forwarded-Ssl: on"}, "X-Forwarded-Proto says that the client's connection is not encrypted"},
		{"no such scheme", []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-Proto: httpsx"}, "X-Forwarded-Proto holds something that is no scheme"},
		{"off", []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-Ssl: off"}, "X-Forwarded-Ssl says that the client's connection is not encrypted"},
		{"RFC 7239, http", []string{`Forwarded: for=203.0.113.5;proto=http`}, "Forwarded says that the client's connection is not encrypted"},
		{"RFC 7239, https of another hop", []string{`Forwarded: for=198.51.100.1;proto=https, for=203.0.113.5;proto=http`}, "Forwarded says that the client's connection is not encrypted"},
		{"RFC 7239, nobody", []string{`Forwarded: for=unknown;proto=https`}, "Forwarded holds something that is no address"},
		{"RFC 7239, an open quote", []string{`Forwarded: for="203.0.113.5;proto=https`}, "Forwarded is damaged"},
		{"RFC 7239, twice", []string{`Forwarded: for=203.0.113.5;for=203.0.113.6;proto=https`}, "Forwarded is damaged"},
	} {
		h := http.Header{}
		for _, line := range c.headers {
			name, value, _ := strings.Cut(line, ": ")
			h.Add(name, value)
		}
		got, err := known.client(h)
		if err != nil && err.Error() != c.want || err == nil && got.String() != c.want {
			t.Errorf("%s: %v, %v, want %s", c.who, got, err, c.want)
		}
	}
	for _, hop := range []string{
		"CANARY", "010.0.0.2", "203.0.113.5:", "203.0.113.5:65536", "203.0.113.5:-1", "203.0.113.5:+1", "203.0.113", "203.0.113.5.",
		"[203.0.113.5]", "[2001:db8::5", "2001:db8::5]", "[2001:db8::5]:", "[2001:db8::5]x", "[]", "[]:1", ":1", `"203.0.113.5`, `""`, "0.0.0.0", "::", "224.0.0.1", "ff02::1", "_hidden",
	} {
		if got, err := known.client(http.Header{"X-Forwarded-For": {hop}, "X-Forwarded-Proto": {"https"}}); err == nil {
			t.Errorf("%q is %v", hop, got)
		}
	}
}

// TestSocketThroughTraefik: it says wss for what a browser asks for as https.
func TestSocketThroughTraefik(t *testing.T) {
	ts := newProxied(t)
	b := ts.browser()
	b.origin, b.from = "http://"+public, "10.0.0.8:1"
	for proto, want := range map[string]int{"wss": 101, "https": 101, "ws": 400, "http": 400} {
		_, resp := b.upgrade("/ws/guest", func(o *websocket.DialOptions) {
			o.HTTPHeader = http.Header{"Origin": {"https://" + public}, "X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {proto}, "X-Real-Ip": {"203.0.113.7"}}
		})
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", proto, resp.StatusCode, want)
		}
	}
}

// TestFilterOfThePatientsNetwork: what a proxy on the patient's side adds is
// not read where they come to this node itself, and names nobody.
func TestFilterOfThePatientsNetwork(t *testing.T) {
	l := newMemListener("192.0.2.10:443")
	ts := newTest(t, func(c *Config) { c.Public = []net.Listener{l} })
	claims := []string{
		"X-Forwarded-For: 10.20.30.40", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil.example", "Forwarded: for=127.0.0.1;proto=http",
		"X-Real-Ip: 10.20.30.40", "Via: 1.1 proxy.hospital.example", "X-Forwarded-For: unknown", "Forwarded: \"",
	}
	for _, claim := range append(claims, strings.Join(claims[:6], "\r\n")) {
		for _, at := range []struct {
			listener *memListener
			host     string
		}{{l, public}, {ts.listener, public}, {ts.listener, local}} {
			conn := *ts
			conn.listener = at.listener
			resp := conn.exchange("203.0.113.7:5000", "GET /j HTTP/1.1\r\nHost: "+at.host+"\r\n"+claim+"\r\n\r\n")
			if resp == nil || resp.StatusCode != 200 {
				t.Errorf("%s at %s: %v", claim, at.host, resp)
			}
		}
	}
	if err := ts.stop(); err != nil {
		t.Error(err)
	}
	if log := ts.log.String(); strings.Contains(log, "10.20.30") || !strings.Contains(log, `"addr_kind":"203.0.113.0/24"`) {
		t.Error("the log follows a stranger's claim")
	}
}

// TestUnknownProxy: a proxy that publishes the page of this computer gives
// nobody the rights of who sits here.
func TestUnknownProxy(t *testing.T) {
	ts := newTest(t)
	var public []bool
	ts.backend.joined = func(is bool) { public = append(public, is) }
	lee := ts.signedIn()
	ask := func(method, path, claim string) int {
		r := method + " " + path + " HTTP/1.1\r\nHost: " + local + "\r\nOrigin: http://" + local + "\r\nContent-Type: application/json\r\nCookie: " +
			lee.cookie.Name + "=" + lee.cookie.Value + "\r\n" + tabHeader + ": " + lee.tab + "\r\n" + claim + "\r\nContent-Length: 0\r\n\r\n"
		return ts.exchange("127.0.0.1:5000", r).StatusCode
	}
	for _, claim := range []string{
		"X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 127.0.0.1, 203.0.113.7", "X-Forwarded-Host: care.example", "X-Forwarded-Proto: https",
		"X-Real-Ip: 203.0.113.7", "Forwarded: for=203.0.113.7", "Forwarded: proto=https", "X-Forwarded-For: lies", "X-Forwarded-For: 127.0.0.1\r\nForwarded: for=203.0.113.7",
	} {
		for _, at := range [][2]string{{"GET", "/api/session"}, {"GET", "/api/desk"}, {"POST", "/api/signin"}, {"POST", "/api/launch"}, {"GET", "/ws/host"}, {"GET", "/ws/desk"}} {
			if got := ask(at[0], at[1], claim); got != 403 {
				t.Errorf("%s %s, %s: status %d", at[0], at[1], claim, got)
			}
		}
		for _, path := range []string{"/", "/j"} {
			if got := ask("GET", path, claim); got != 200 {
				t.Errorf("%s, %s: status %d", path, claim, got)
			}
		}
	}
	// A filter on this computer says that this computer asks.
	for _, claim := range []string{"Via: 1.1 filter", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: ::1\r\nX-Forwarded-Proto: http", `Forwarded: for="[::1]:1"`} {
		if got := ask("GET", "/api/desk", claim); got != 200 {
			t.Errorf("%s: status %d", claim, got)
		}
	}
	// Guests may come that way, as strangers do, and not as those on this computer.
	for _, claim := range []string{"203.0.113.7", "127.0.0.1"} {
		c, resp := ts.browser().upgrade("/ws/guest", func(o *websocket.DialOptions) { o.HTTPHeader.Set("X-Forwarded-For", claim) })
		if c == nil {
			t.Fatal(resp.Status)
		}
		if err := c.Send([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if err := ts.stop(); err != nil {
		t.Error(err)
	}
	if len(public) != 2 || !public[0] || public[1] {
		t.Errorf("guests came in publicly: %v", public)
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
		}, Backend{}, testPages)
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
