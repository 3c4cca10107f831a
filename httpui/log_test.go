package httpui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// logKeys is what this package may say in a log, besides slog's own.
var logKeys = []string{"addr_kind", "bytes", "code", "dur", "err", "level", "method", "msg", "n", "reason", "request", "route", "status", "time", "version"}

// TestCanary does all that a browser can do, rightly and wrongly, with names,
// passwords, labels, links and a user agent that say CANARY, and then searches
// the log for that, for every token, and for what is no known key.
func TestCanary(t *testing.T) {
	ts := newTest(t)
	var secrets []string
	lee := ts.browser()
	lee.expect(401, "POST", "/api/signin", map[string]string{"name": "CANARY-guess", "password": "CANARY-wrong"})
	token := ts.launchToken(leeID)
	secrets = append(secrets, token["token"], lee.from, "/j#")
	lee.expect(200, "POST", "/api/launch", token)
	lee.fetchTab()
	secrets = append(secrets, lee.tab, lee.cookie.Value)
	lee.signIn()
	secrets = append(secrets, lee.tab, lee.cookie.Value)

	lee.expect(200, "GET", "/api/session?CANARY=1", nil)
	lee.expect(200, "GET", "/api/desk", nil)
	lee.expect(200, "POST", "/api/appointments", api.NewAppointment{Starts: 1, Minutes: 30, Label: "CANARY-knee", Guests: []api.NewGuest{{Label: "CANARY-patient"}}})
	lee.expect(400, "POST", "/api/appointments", map[string]string{"CANARY": "CANARY"})
	lee.expect(404, "POST", "/api/appointments/CANARY/cancel", nil)
	lee.expect(200, "POST", "/api/appointments/"+anAppt+"/links", nil)
	lee.expect(403, "POST", "/api/confirm", map[string]string{"password": "CANARY-wrong"})
	lee.expect(200, "POST", "/api/confirm", map[string]string{"password": leePassword})
	lee.expect(200, "POST", "/api/invites/"+aMember+"/rotate", nil)
	lee.expect(404, "GET", "/CANARY", nil)
	lee.expect(404, "GET", "/static/CANARY/main.js", nil)
	secrets = append(secrets, anAppt, aMember)
	ts.ask("CANARY /CANARY\nHost: CANARY\nReferer: CANARY")
	ts.ask("GET /api/session\nHost: " + local + "\nX-Forwarded-For: CANARY")
	ts.ask("GET /ws/guest\nHost: " + local + "\nOrigin: CANARY")
	ts.exchange("203.0.113.77:5000", "CANARY\r\n\r\n")

	guest := ts.browser()
	guest.from = "203.0.113.77:5000"
	secrets = append(secrets, "203.0.113.77", ":5000") // times may hold the digits alone
	c := guest.socket("/ws/guest")
	if err := c.Send([]byte("CANARY-frame")); err != nil {
		t.Fatal(err)
	}
	c.Recv()
	c.ws.Close(4000, "CANARY")
	call, desk := lee.attend(), lee.openDesk()
	recvDesk(t, desk)
	ts.backend.change(func() { ts.backend.deskErr = errors.New("read desk: disk on fire") })
	expectEnd(t, desk, wire.ErrInternal)
	lee.expect(200, "POST", "/api/signout", nil)
	expectEnd(t, call, wire.ErrUnauthorized)
	if err := ts.stop(); err != nil {
		t.Fatal(err)
	}

	log := ts.log.String()
	for _, secret := range append(secrets, "CANARY") {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	var messages []string
	for line := range strings.Lines(log) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, entry["msg"].(string))
		for key := range entry {
			if !slices.Contains(logKeys, key) {
				t.Errorf("unknown key %q in %s", key, line)
			}
		}
	}
	slices.Sort(messages)
	if got, want := slices.Compact(messages), []string{"guests turned away", "pages served", "request of an unknown proxy refused: http.tls.mode: behind_proxy is for proxies", "request served", "requests refused", "socket closed", "socket failed"}; !slices.Equal(got, want) {
		t.Errorf("messages %q, want %q", got, want)
	}
	if !strings.Contains(log, "disk on fire") {
		t.Error("the log does not say why the diary failed")
	}
}

// TestAccessLog compares a line of each kind with what it must be.
func TestAccessLog(t *testing.T) { inBubble(t, testAccessLog) }

func testAccessLog(t *testing.T) {
	ts := newTest(t)
	lee := ts.signedIn()
	for _, c := range []struct {
		request, from string
		want          map[string]any
	}{
		{
			"POST /api/appointments/" + anAppt + "/cancel HTTP/1.1\r\nHost: " + local + "\r\nOrigin: http://" + local +
				"\r\nContent-Type: application/json\r\nCookie: " + lee.cookie.Name + "=" + lee.cookie.Value + "\r\n" + tabHeader + ": " + lee.tab +
				"\r\nContent-Length: 2\r\n\r\n{}", "127.0.0.1:5000",
			map[string]any{"route": "/api/appointments/{id}/cancel", "method": "POST", "status": 200.0, "bytes": 2.0, "addr_kind": "loopback", "level": "INFO"},
		},
		{
			"GET /static/" + ts.assets.hash + "/style.css HTTP/1.1\r\nHost: " + public + "\r\n\r\n", "203.0.113.77:5000",
			map[string]any{"route": "/static/{hash}/{file...}", "method": "GET", "status": 200.0, "bytes": 8.0, "addr_kind": "203.0.113.0/24", "level": "DEBUG"},
		},
		{
			"BREW /pot HTTP/1.1\r\nHost: " + local + "\r\n\r\n", "[2001:db8:1:2::3]:5000",
			map[string]any{"route": "none", "method": "other", "status": 405.0, "addr_kind": "2001:db8:1::/48", "level": "DEBUG"},
		},
	} {
		pass(0)
		before := ts.log.String()
		if resp := ts.exchange(c.from, c.request); resp == nil {
			t.Fatal("no answer")
		}
		pass(0)
		var entry map[string]any
		for line := range strings.Lines(strings.TrimPrefix(ts.log.String(), before)) {
			if strings.Contains(line, `"requests refused"`) { // TestStrangersDoNotFillTheLog
				continue
			}
			if entry != nil {
				t.Fatalf("a second line %s", line)
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Fatal(err)
			}
		}
		c.want["msg"] = "request served"
		for _, free := range []string{"time", "dur", "request"} {
			if entry[free] == nil {
				t.Errorf("no %s in %v", free, entry)
			}
			delete(entry, free)
		}
		if c.want["bytes"] == nil {
			delete(entry, "bytes")
		}
		if !maps.Equal(entry, c.want) {
			t.Errorf("got  %v\nwant %v", entry, c.want)
		}
	}
}

// TestStrangersDoNotFillTheLog: whatever they do, and however often, an
// ordinary log has a line of each kind a minute.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		end := make(chan error)
		ts.backend.join = func(context.Context, wire.Conn) error { return <-end }
		knock := func(n int, err error) {
			for range n {
				b := ts.browser()
				b.from = "203.0.113.7:5000"
				c := keepReading(b.socket("/ws/guest"))
				end <- err
				<-c
			}
		}
		knock(300, fmt.Errorf("handshake: %w", wire.ErrNotInvited))
		knock(300, fmt.Errorf("dial home node: %w: %w", wire.ErrNotFound, errors.New("nobody has it")))
		knock(300, fmt.Errorf("read stream: %w", context.Canceled)) // they left
		knock(300, io.EOF)
		knock(30, errors.New("make welcome: the disk is on fire"))
		for range 300 {
			ts.exchange("203.0.113.7:5000", "GET /wp-login.php HTTP/1.1\r\nHost: "+public+"\r\n\r\n")
			ts.exchange("203.0.113.7:5000", "GET /j HTTP/1.1\r\nHost: "+public+"\r\n\r\n")
			ts.exchange("203.0.113.7:5000", "BREW /j HTTP/1.1\r\nHost: evil.example\r\n\r\n")
		}
		pass(2 * tallyTime)
		if err := ts.stop(); err != nil {
			t.Error(err)
		}
		var got []string
		for line := range strings.Lines(ts.log.String()) {
			var entry struct {
				Level, Msg, Reason, Err string
				N                       int
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Fatal(err)
			}
			if entry.Level != "DEBUG" && entry.Msg != "pages served" {
				got = append(got, fmt.Sprintf("%s %s %s%s %d", entry.Level, entry.Msg, entry.Reason, entry.Err, entry.N))
			}
		}
		slices.Sort(got)
		want := []string{
			"ERROR socket failed /ws/guest 1", "ERROR socket failed /ws/guest 29",
			"INFO guests turned away not-found 1", "INFO guests turned away not-found 299",
			"INFO guests turned away not-invited 1", "INFO guests turned away not-invited 299",
			"INFO requests refused Misdirected Request 1", "INFO requests refused Misdirected Request 299",
			"INFO requests refused Not Found 1", "INFO requests refused Not Found 299",
		}
		for i, line := range got {
			got[i] = strings.Replace(line, "make welcome: the disk is on fire", "", 1)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if !strings.Contains(ts.log.String(), "the disk is on fire") {
			t.Error("the log does not say why sockets failed")
		}
	})
}
