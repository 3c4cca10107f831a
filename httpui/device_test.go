package httpui

import (
	"net/http"
	"strings"
	"testing"

	"anteroom/node/people"
)

// signInFrom asks to sign in, with a cookie or none, and returns the status and
// the cookie by which the browser is known from then on.
func (ts *testServer) signInFrom(name, password string, device *http.Cookie) (int, *http.Cookie) {
	ts.t.Helper()
	b := ts.browser()
	b.cookie = device
	resp := b.do("POST", "/api/signin", map[string]string{"name": name, "password": password})
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		if strings.HasPrefix(c.Name, "th_d_") {
			device = c
		}
	}
	return resp.StatusCode, device
}

// TestKnownBrowserIsNotLockedOut: another program guesses until the account and
// this computer have to wait. Who has signed in with this browser before still
// can, and whose wrong passwords count for it.
func TestKnownBrowserIsNotLockedOut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		key := []byte("the same for every run of this one")
		ts := newTestOf(t, people.SignInsConfig{DeviceKey: key})
		status, device := ts.signInFrom(leeName, leePassword, nil)
		if status != 200 || device == nil || !device.HttpOnly || device.SameSite != http.SameSiteStrictMode || device.Path != devicePath || device.MaxAge < 86400 {
			t.Fatalf("%d, %v", status, device)
		}
		ts = newTestOf(t, people.SignInsConfig{DeviceKey: key}) // the next run of the program
		guess := func(device *http.Cookie) (tries int) {
			for {
				status, _ := ts.signInFrom(leeName, "wrong", device)
				if status == 429 {
					return tries
				}
				tries++
			}
		}
		if n := guess(nil); n != freeTries {
			t.Fatalf("strangers have %d tries", n)
		}
		if status, _ := ts.signInFrom("", leePassword, nil); status != 429 {
			t.Errorf("a stranger who leaves the name out has another try: %d", status)
		}
		for range 3 { // and what succeeds is not counted
			if status, _ := ts.signInFrom(leeName, leePassword, device); status != 200 {
				t.Fatalf("the owner is locked out: %d", status)
			}
		}
		if status, _ := ts.signInFrom(leeName, leePassword, nil); status != 429 {
			t.Errorf("the owner's sign-in gave strangers a try: %d", status)
		}
		if n := guess(device); n != freeTries {
			t.Errorf("a known browser has %d tries", n)
		}
		if status, _ := ts.signInFrom(leeName, leePassword, device); status != 429 {
			t.Errorf("a known browser may guess for ever: %d", status)
		}
		pass(longestPause)
		if status, _ := ts.signInFrom(leeName, leePassword, device); status != 200 {
			t.Errorf("status %d", status)
		}
	})
}

// TestConfirmIsNotLockedByStrangers: who is signed in gives the password again.
func TestConfirmIsNotLockedByStrangers(t *testing.T) {
	ts := newTest(t)
	lee := ts.signedIn()
	for range freeTries {
		ts.browser().expect(401, "POST", "/api/signin", map[string]string{"name": leeName, "password": "wrong"})
	}
	ts.browser().expect(429, "POST", "/api/signin", map[string]string{"name": leeName, "password": "wrong"})
	lee.expect(200, "POST", "/api/confirm", map[string]string{"password": leePassword})
	for range freeTries {
		lee.expect(403, "POST", "/api/confirm", map[string]string{"password": "wrong"})
	}
	lee.expect(429, "POST", "/api/confirm", map[string]string{"password": leePassword})
}
