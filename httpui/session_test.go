package httpui

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"anteroom/node/people"
	"anteroom/rendezvous/wire"
)

func TestSessionEndsWhenIdle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lee := ts.signedIn()
		pass(sessionIdle - time.Second)
		lee.expect(200, "GET", "/api/desk", nil) // a sign of life
		pass(sessionIdle - time.Second)
		lee.expect(200, "GET", "/api/session", nil) // none: pages ask by themselves
		pass(time.Second)
		lee.expect(401, "GET", "/api/desk", nil)
		if state := lee.expect(200, "GET", "/api/session", nil)["state"]; state != stateSignedOut {
			t.Errorf("state %v after 15 idle minutes", state)
		}
	})
}

func TestSessionEndsAfterTenHours(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lee := ts.signedIn()
		ended := keepReading(lee.attend())
		for range 59 {
			pass(10 * time.Minute)
			lee.expect(200, "GET", "/api/desk", nil)
		}
		pass(10*time.Minute - time.Second)
		lee.expect(200, "GET", "/api/desk", nil)
		pass(time.Second)
		lee.expect(401, "GET", "/api/desk", nil)
		pass(sessionInterval)
		if err := <-ended; !errors.Is(err, wire.ErrUnauthorized) { // not even a call outlives it
			t.Errorf("the call ended with %v", err)
		}
	})
}

// attend opens the socket of a call.
func (b *browser) attend() *wsConn {
	b.ts.t.Helper()
	c := b.socket("/ws/host")
	b.sendAttend(c, b.tab)
	return c
}

func (b *browser) sendAttend(c *wsConn, token string) {
	b.ts.t.Helper()
	frame, err := wire.Encode(&wire.Attend{Appointment: anAppt, Tab: make(wire.Bytes, 16), Token: token, Fingerprint: make(wire.Bytes, 32)})
	if err != nil {
		b.ts.t.Fatal(err)
	}
	if err := c.Send(frame); err != nil {
		b.ts.t.Fatal(err)
	}
}

// exchange waits until the node has answered a message.
func exchange(t *testing.T, c *wsConn) {
	t.Helper()
	if err := c.Send([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Recv(); err != nil {
		t.Fatal(err)
	}
}

// keepReading answers pings, as browsers do, until c ends; then the reason can
// be read from the channel.
func keepReading(c *wsConn) <-chan error {
	ended := make(chan error, 1)
	go func() { // ends with c
		defer close(ended)
		for {
			if _, err := c.Recv(); err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

func TestExpectedGuestKeepsSessionAlive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lee := ts.signedIn()
		call := lee.attend()
		ended := keepReading(call)
		ts.backend.setExpected(true)
		pass(3 * time.Hour)
		lee.expect(200, "GET", "/api/desk", nil)

		pass(time.Hour)
		call.Close(nil)
		<-ended
		pass(sessionIdle - time.Second) // counts from when the page went
		lee.expect(200, "GET", "/api/desk", nil)
	})
}

// The page attends every room whose door is open, long after anybody is due.
func TestOpenDoorKeepsNobodySignedIn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lee := ts.signedIn()
		ended := keepReading(lee.attend())
		ts.backend.setExpected(true)
		pass(time.Hour)
		ts.backend.setExpected(false)
		pass(sessionIdle - sessionInterval) // counts from when nobody was expected any more
		select {
		case err := <-ended:
			t.Fatalf("closed too early: %v", err)
		default:
		}
		pass(3 * sessionInterval)
		if err := <-ended; !errors.Is(err, wire.ErrUnauthorized) {
			t.Errorf("closed with %v", err)
		}
		lee.expect(401, "GET", "/api/desk", nil)
	})
}

// A diary that is left open does not keep its session alive.
func TestIdleDiaryIsClosed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lee := ts.signedIn()
		ended := keepReading(lee.openDesk())
		pass(sessionIdle - sessionInterval)
		select {
		case err := <-ended:
			t.Fatalf("closed too early: %v", err)
		default:
		}
		pass(2 * sessionInterval)
		if err := <-ended; !errors.Is(err, wire.ErrUnauthorized) {
			t.Errorf("closed with %v", err)
		}
	})
}

// openDesk opens the socket of the diary.
func (b *browser) openDesk() *wsConn {
	b.ts.t.Helper()
	c := b.socket("/ws/desk")
	sendFrame(b.ts.t, c, map[string]string{"token": b.tab})
	return c
}

func TestOldestSessionEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		var browsers []*browser
		for range maxSessions {
			browsers = append(browsers, ts.signedIn())
			pass(time.Second)
		}
		oldest := keepReading(browsers[0].openDesk())
		for _, b := range browsers {
			b.expect(200, "GET", "/api/desk", nil)
		}
		browsers = append(browsers, ts.signedIn())
		if err := <-oldest; !errors.Is(err, wire.ErrUnauthorized) {
			t.Errorf("the oldest session's socket ended with %v", err)
		}
		browsers[0].expect(401, "GET", "/api/desk", nil)
		for _, b := range browsers[1:] {
			b.expect(200, "GET", "/api/desk", nil)
		}
	})
}

func TestSignInRenewsTheCookie(t *testing.T) {
	ts := newTest(t)
	first := ts.signedIn()
	socket := first.attend()
	exchange(t, socket)
	call := keepReading(socket)
	old := *first

	second := ts.browser() // another tab of the same browser, which has no token
	second.cookie = first.cookie
	second.signIn()
	if second.cookie.Value == old.cookie.Value {
		t.Error("the cookie is the same after signing in")
	}
	if second.tab == first.tab {
		t.Error("two tabs have the same token")
	}
	old.expect(401, "GET", "/api/desk", nil) // the old cookie is worth nothing
	first.cookie = second.cookie             // as in a browser
	first.expect(200, "GET", "/api/desk", nil)
	select {
	case err := <-call:
		t.Errorf("the first tab's call ended: %v", err)
	default:
	}
	if n := len(ts.store.entries); n != 1 {
		t.Errorf("%d sessions are stored", n)
	}

	ts.accounts.SignOut(second.cookie.Value)
	if err := <-call; !errors.Is(err, wire.ErrUnauthorized) {
		t.Errorf("the call ended with %v", err)
	}
}

// A session that somebody else left in the browser passes nothing on.
func TestSignInEndsAnothersSession(t *testing.T) { inBubble(t, testSignInEndsAnothersSession) }

func testSignInEndsAnothersSession(t *testing.T) {
	ts := newTest(t)
	other := ts.session("p2")
	tab, err := ts.accounts.Tab(other, "")
	if err != nil {
		t.Fatal(err)
	}
	browserEnd, nodeEnd := wire.Pipe()
	if _, err := ts.accounts.Attach(other, nodeEnd, nil); err != nil {
		t.Fatal(err)
	}
	lee := ts.browser()
	lee.cookie = &http.Cookie{Name: "th_s_7443_test", Value: other}
	started := time.Now()
	lee.signIn()
	if _, err := browserEnd.Recv(); !errors.Is(err, wire.ErrUnauthorized) || time.Since(started) > 0 {
		t.Errorf("the other practitioner's socket ended with %v after %v", err, time.Since(started))
	}
	if _, err := ts.accounts.Session(other); err == nil {
		t.Error("the other practitioner's cookie is still good")
	}
	lee.tab = tab
	lee.expect(401, "GET", "/api/desk", nil)
}

func TestSignOut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lee := ts.signedIn()
		desk, call := keepReading(lee.openDesk()), keepReading(lee.attend())
		elsewhere := ts.signedIn()
		pass(0)

		cookie := *lee.cookie
		before := time.Now()
		resp := lee.do("POST", "/api/signout", nil)
		resp.Body.Close()
		if resp.StatusCode != 200 || lee.cookie != nil {
			t.Errorf("status %d, cookie %v", resp.StatusCode, lee.cookie)
		}
		if got := resp.Header.Get("Clear-Site-Data"); got != `"cache", "storage"` {
			t.Errorf("Clear-Site-Data: %s", got)
		}
		for _, ended := range []<-chan error{desk, call} {
			if err := <-ended; !errors.Is(err, wire.ErrUnauthorized) {
				t.Errorf("a socket ended with %v", err)
			}
		}
		if took := time.Since(before); took > time.Second {
			t.Errorf("sockets ended after %v", took)
		}
		lee.cookie = &cookie
		lee.expect(401, "GET", "/api/desk", nil)
		elsewhere.expect(200, "GET", "/api/desk", nil)
	})
}

// A session outlives the process, tab tokens and all: a restarted node lets a
// practitioner's page back into its call.
func TestSessionOutlivesTheServer(t *testing.T) {
	first := newTest(t)
	lee := first.signedIn()
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := newTestOf(t, people.SignInsConfig{Sessions: first.store})
	again := second.browser()
	again.cookie, again.tab = lee.cookie, lee.tab
	again.expect(200, "GET", "/api/desk", nil)
}

func TestStoreSeesNoSecret(t *testing.T) {
	ts := newTest(t)
	lee := ts.signedIn()
	for key, entry := range ts.store.entries {
		for _, secret := range []string{lee.cookie.Value, lee.tab, "CANARY"} {
			if strings.Contains(key, secret) || strings.Contains(string(entry.b), secret) {
				t.Errorf("the store holds %q", secret)
			}
		}
	}
}

func TestStoreFailure(t *testing.T) {
	ts := newTest(t)
	lee := ts.signedIn()
	ts.store.mu.Lock()
	ts.store.fail = http.ErrServerClosed // any error
	ts.store.mu.Unlock()
	out := lee.expect(500, "GET", "/api/desk", nil)
	if out["code"] != "internal" || says(out) != "refusal.internal" {
		t.Errorf("answer %v", out)
	}
	ts.browser().expect(500, "POST", "/api/signin", map[string]string{"name": "", "password": leePassword})
}

func TestRemovedPractitioner(t *testing.T) {
	ts := newTest(t)
	lee := ts.signedIn()
	ts.backend.change(func() { ts.backend.removed = true })
	lee.expect(401, "GET", "/api/desk", nil)
	if state := lee.expect(200, "GET", "/api/session", nil)["state"]; state != stateSignedOut {
		t.Errorf("state %v", state)
	}
	expectEnd(t, lee.openDesk(), wire.ErrUnauthorized)
}

// One sign-in is good for one tab, soon.
func TestTabTokens(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lee := ts.signedIn()
		if again := lee.expect(200, "POST", "/api/tab", nil)["token"]; again != lee.tab {
			t.Error("a tab that has a token got another")
		}
		stranger := ts.browser()
		stranger.cookie = lee.cookie
		stranger.expect(401, "POST", "/api/tab", nil)

		late := ts.browser()
		late.expect(200, "POST", "/api/signin", map[string]string{"name": "", "password": leePassword})
		pass(tabTime)
		late.expect(401, "POST", "/api/tab", nil)
		if state := late.expect(200, "GET", "/api/session", nil)["state"]; state != stateSignedOut {
			t.Errorf("state %v", state)
		}
	})
}

// Many tabs push out the oldest only.
func TestTabTokensAreBounded(t *testing.T) {
	ts := newTest(t)
	first := ts.signedIn()
	b := ts.browser()
	b.cookie = first.cookie
	var second string
	for i := range maxTabs {
		b.tab = ""
		b.signIn()
		if i == 0 {
			second = b.tab
		}
	}
	first.cookie = b.cookie
	first.expect(401, "GET", "/api/desk", nil)
	first.tab = second
	first.expect(200, "GET", "/api/desk", nil)
}

func TestHTTPSCookie(t *testing.T) {
	site, err := publicSite("https://care.example")
	if err != nil {
		t.Fatal(err)
	}
	rec := newRecorder()
	setSessionCookie(rec, site, "token")
	want := "__Host-th_s=token; Path=/; HttpOnly; Secure; SameSite=Strict"
	if got := rec.Header().Get("Set-Cookie"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
