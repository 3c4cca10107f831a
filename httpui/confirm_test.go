package httpui

import (
	"testing"
	"time"
)

const linksOfAppt = "/api/appointments/" + anAppt + "/links"

// needsPassword asks for links that are not given, and stays signed in.
func (b *browser) needsPassword() {
	b.ts.t.Helper()
	if out := b.expect(403, "POST", linksOfAppt, nil); out["code"] != "unauthorized" {
		b.ts.t.Fatalf("refused with %v", out)
	}
	b.expect(200, "GET", "/api/desk", nil)
}

func TestLinksNeedAFreshProof(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lee := ts.signedIn()
		pass(10 * time.Minute)
		lee.expect(200, "POST", linksOfAppt, nil)
		pass(5*time.Minute - time.Second)
		lee.expect(200, "POST", linksOfAppt, nil)
		pass(time.Second) // counts from signing in, not from the last use
		lee.needsPassword()

		lee.expect(403, "POST", "/api/confirm", map[string]string{"password": "CANARY-wrong"})
		lee.needsPassword()
		lee.expect(200, "POST", "/api/confirm", map[string]string{"password": leePassword})
		lee.expect(200, "POST", linksOfAppt, nil)
		pass(14 * time.Minute)
		lee.expect(200, "POST", linksOfAppt, nil)
		pass(time.Minute)
		lee.needsPassword()

		launched := ts.browser()
		launched.expect(200, "POST", "/api/launch", ts.launchToken(leeID))
		launched.fetchTab()
		launched.expect(200, "POST", linksOfAppt, nil)
		lee.needsPassword() // each session by itself
	})
}

// The password that is asked for again is guessed no faster than the first, and
// it does not make a session older than it may be.
func TestConfirmingIsLikeSigningIn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lee := ts.signedIn()
		for range freeTries {
			lee.expect(403, "POST", "/api/confirm", map[string]string{"password": "CANARY-wrong"})
		}
		lee.expect(429, "POST", "/api/confirm", map[string]string{"password": leePassword})
		pass(time.Hour)
		lee.expect(401, "POST", "/api/confirm", map[string]string{"password": leePassword})

		lee = ts.signedIn()
		for range 60 {
			pass(10*time.Minute - time.Second)
			lee.expect(200, "POST", "/api/confirm", map[string]string{"password": leePassword})
		}
		pass(time.Minute)
		lee.expect(401, "GET", "/api/desk", nil)
	})
}
