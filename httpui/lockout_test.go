package httpui

import (
	"strconv"
	"testing"
	"time"
)

// TestLockoutCurve walks the whole curve by HTTP: each wait is announced, a
// try one second early is refused, one on time is not.
func TestLockoutCurve(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		b := ts.browser()
		wrong := map[string]string{"name": leeName, "password": "wrong"}
		for range freeTries {
			b.expect(401, "POST", "/api/signin", wrong)
		}
		for _, want := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900} {
			resp := b.do("POST", "/api/signin", wrong)
			resp.Body.Close()
			if got := resp.Header.Get("Retry-After"); resp.StatusCode != 429 || got != strconv.Itoa(want) {
				t.Fatalf("status %d, Retry-After %s, want %d", resp.StatusCode, got, want)
			}
			pass(time.Duration(want)*time.Second - time.Millisecond)
			if out := b.expect(429, "POST", "/api/signin", wrong); out["code"] != "too-many" || says(out) != "refusal.too-many-passwords" {
				t.Fatalf("answer %v", out)
			}
			pass(time.Millisecond)
			b.expect(401, "POST", "/api/signin", wrong)
		}
		// The right password is no exception, or guessing would go on; but a
		// launch address is, and waiting always helps.
		b.expect(429, "POST", "/api/signin", map[string]string{"name": leeName, "password": leePassword})
		ts.browser().expect(200, "POST", "/api/launch", ts.launchToken(leeID))
		pass(longestPause)
		b.expect(200, "POST", "/api/signin", map[string]string{"name": leeName, "password": leePassword})
	})
}
