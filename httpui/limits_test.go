package httpui

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"anteroom/node/desk/api"
)

// untilClosed returns how long the server keeps conn open.
func untilClosed(conn net.Conn) time.Duration {
	started := time.Now()
	io.Copy(io.Discard, conn)
	return time.Since(started)
}

func TestSlowRequests(t *testing.T) {
	for name, c := range map[string]struct {
		begin string // what comes at once
		drip  string // what comes again every second
		limit time.Duration
	}{
		"silence":      {"", "", readHeaderTime},
		"slow headers": {"GET / HTTP/1.1\r\n", "A: b\r\n", readHeaderTime},
		"slow line":    {"G", "E", readHeaderTime},
		"slow body": {"POST /api/signin HTTP/1.1\r\nHost: " + local + "\r\nOrigin: http://" + local +
			"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n", " ", readTime},
		"idle": {"GET /j HTTP/1.1\r\nHost: " + local + "\r\n\r\n", "", idleTime},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				ts := newTest(t)
				conn, err := ts.listener.dial("127.0.0.1:5000")
				if err != nil {
					t.Fatal(err)
				}
				dripped := make(chan struct{})
				defer func() {
					conn.Close()
					<-dripped
				}()
				go func() { // ends when conn is closed
					defer close(dripped)
					_, err := io.WriteString(conn, c.begin)
					for err == nil {
						<-time.After(time.Second)
						_, err = io.WriteString(conn, c.drip)
						if c.drip == "" {
							return
						}
					}
				}()
				if took := untilClosed(conn); took < c.limit-time.Second || took > c.limit+time.Second {
					t.Errorf("closed after %v, want %v", took, c.limit)
				}
				ts.browser().expect(200, "GET", "/api/session", nil)
			})
		})
	}
}

// A browser that takes no answer is not waited for.
func TestSlowReader(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		ts.backend.desk.Appointments = make([]api.Appointment, 2000) // more than is buffered on the way
		lee := ts.signedIn()
		conn, err := ts.listener.dial("127.0.0.1:5000")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /api/desk HTTP/1.1\r\nHost: %s\r\nCookie: %s=%s\r\n%s: %s\r\n\r\n", local, lee.cookie.Name, lee.cookie.Value, tabHeader, lee.tab)
		pass(writeTime + time.Second)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err == nil {
			t.Error("the whole answer came half a minute late")
		}
	})
}

func TestOversizeRequests(t *testing.T) {
	ts := newTest(t)
	post := "POST /api/signin HTTP/1.1\r\nHost: " + local + "\r\nOrigin: http://" + local + "\r\nContent-Type: application/json\r\n"
	json := func(n int) string {
		return `{"name":"","password":"` + strings.Repeat("x", n-len(`{"name":"","password":""}`)) + `"}`
	}
	chunked := func(n int) string {
		return fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", n, json(n))
	}
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"the largest body":           {post + fmt.Sprintf("Content-Length: %d\r\n\r\n", maxBody) + json(maxBody), 401},
		"a byte too many":            {post + fmt.Sprintf("Content-Length: %d\r\n\r\n", maxBody+1) + json(maxBody+1), 413},
		"the largest body, in parts": {post + chunked(maxBody), 401},
		"a byte too many, in parts":  {post + chunked(maxBody+1), 413},
		"a terabyte":                 {post + "Content-Length: 1099511627776\r\n\r\n{", 413},
		"no body":                    {post + "Content-Length: 0\r\n\r\n", 400},
		"a body cut short":           {post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		"headers":                    {"GET / HTTP/1.1\r\nHost: " + local + "\r\nA: " + strings.Repeat("x", maxHeaderBytes+8<<10) + "\r\n\r\n", 431},
		"a path":                     {"GET /" + strings.Repeat("x", maxHeaderBytes+8<<10) + " HTTP/1.1\r\nHost: " + local + "\r\n\r\n", 431},
		"100 headers":                {"GET / HTTP/1.1\r\nHost: " + local + "\r\n" + strings.Repeat("A: b\r\n", maxHeaders) + "\r\n", 200},
		"101 headers":                {"GET / HTTP/1.1\r\nHost: " + local + "\r\n" + strings.Repeat("A: b\r\n", maxHeaders+1) + "\r\n", 431},
	} {
		t.Run(name, func(t *testing.T) {
			resp := ts.exchange("203.0.113.1:5000", c.request)
			if resp == nil || resp.StatusCode != c.status {
				t.Errorf("answer %v, want %d", resp, c.status)
			}
		})
	}
}

func TestMalformedRequests(t *testing.T) {
	ts := newTest(t)
	host := "Host: " + local + "\r\n"
	for _, request := range []string{
		"\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n" + host + "\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n" + host + host + "\r\n",
		"GET / HTTP/1.1\r\n" + host + "A b\r\n\r\n", "GET / HTTP/1.1\r\n" + host + "A: \x00\r\n\r\n", "GET / HTTP/1.1\nHost: " + local + "\n : x\n\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00", "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: x\r\n\r\n",
		"GET /\x00 HTTP/1.1\r\n" + host + "\r\n", "GET %zz HTTP/1.1\r\n" + host + "\r\n", "GET /%zz HTTP/1.1\r\n" + host + "\r\n",
	} {
		if resp := ts.exchange("203.0.113.1:5000", request+"\r\n\r\n"); resp != nil && resp.StatusCode < 400 {
			t.Errorf("%q: status %d", request, resp.StatusCode)
		}
	}
}

// What became a socket is no longer counted as a connection.
func TestSocketIsNoConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t, func(c *Config) { c.Connections = Cap{Total: 1, PerPrefix: 1, Loopback: 1} })
		for range 5 {
			keepReading(ts.browser().socket("/ws/guest"))
			pass(0)
		}
	})
}

func TestPrefixes(t *testing.T) {
	for addr, want := range map[string][2]string{ // for limits, for the log
		"203.0.113.77:1":            {"203.0.113.0/24", "203.0.113.0/24"},
		"[::ffff:203.0.113.77]:1":   {"203.0.113.0/24", "203.0.113.0/24"},
		"[2001:db8:1:2ff:3::4]:1":   {"2001:db8:1:200::/56", "2001:db8:1::/48"},
		"[fe80::1:2:3:4%eth0]:1":    {"fe80::/56", "fe80::/48"},
		"127.0.0.1:1":               {"127.0.0.0/8", "loopback"},
		"127.200.0.1:1":             {"127.0.0.0/8", "loopback"},
		"[::1]:1":                   {"127.0.0.0/8", "loopback"},
		"[::ffff:127.0.0.1]:1":      {"127.0.0.0/8", "loopback"},
		"@":                         {"invalid Prefix", "unknown"},
		"somebody.example:1":        {"invalid Prefix", "unknown"},
		"203.0.113.77":              {"invalid Prefix", "unknown"},
		netip.AddrPort{}.String():   {"invalid Prefix", "unknown"},
		"[2001:db8:ffff:ffff::1]:1": {"2001:db8:ffff:ff00::/56", "2001:db8:ffff::/48"},
	} {
		if got := limitPrefix(addrOf(addr)).String(); got != want[0] {
			t.Errorf("%s counts as %s, want %s", addr, got, want[0])
		}
		if got := logName(addr); got != want[1] {
			t.Errorf("%s is logged as %s, want %s", addr, got, want[1])
		}
	}
}
