package httpui

import (
	"fmt"
	"net/netip"
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

// account is the trier of an account.
func account(id string) trier { return trier{account: "name " + id} }

func TestLockoutCountsAttemptsUnderWay(t *testing.T) {
	l := newLockout(time.Now)
	allowed := 0
	for range 100 { // none has failed yet
		if l.begin(account("x")) == 0 {
			allowed++
		}
	}
	if allowed != freeTries {
		t.Errorf("%d tries at once, want %d", allowed, freeTries)
	}
}

func TestLockoutByAccountAndNetwork(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := newLockout(func() time.Time { return now })
	net1, net2 := network(netip.MustParseAddr("203.0.113.5")), network(netip.MustParseAddr("198.51.100.5"))
	for i := range freeTries {
		if wait := l.begin(account(fmt.Sprint("name", i)), net1); wait > 0 {
			t.Fatalf("try %d waits %v", i, wait)
		}
	}
	if l.begin(account("another"), network(netip.MustParseAddr("203.0.113.99"))) == 0 {
		t.Error("a network may try any number of names")
	}
	if wait := l.begin(account("another"), net2); wait > 0 {
		t.Errorf("another network waits %v", wait)
	}

	for i := range freeTries {
		addr := netip.AddrFrom4([4]byte{10, 0, byte(i), 1})
		if wait := l.begin(account("dr lee"), network(addr)); wait > 0 {
			t.Fatalf("try %d waits %v", i, wait)
		}
	}
	if l.begin(account("dr lee"), network(netip.MustParseAddr("10.1.0.1"))) == 0 {
		t.Error("an account may be tried from any number of networks")
	}

	now = now.Add(forgetTries + 1)
	if wait := l.begin(account("dr lee"), net1); wait > 0 {
		t.Errorf("after an hour there is still a wait of %v", wait)
	}
	if n := l.triers[account("dr lee")].n; n != 1 {
		t.Errorf("after an hour %d tries are remembered", n)
	}
}

func TestSuccessIsForgiven(t *testing.T) {
	ts := newTest(t)
	for i := range 4 * freeTries { // wrong once, right once, for ever
		b := ts.browser()
		b.from = fmt.Sprintf("203.0.113.%d:5000", i)
		if i < freeTries-1 {
			b.expect(401, "POST", "/api/signin", map[string]string{"name": "", "password": "wrong"})
		}
		b.expect(200, "POST", "/api/signin", map[string]string{"name": "", "password": leePassword})
	}
	where := network(netip.MustParseAddr("203.0.113.1"))
	if n := ts.lockout.triers[where].n; n != freeTries-1 {
		t.Errorf("the network has %d failures, want %d", n, freeTries-1)
	}
	if n := ts.lockout.triers[account(leeID)].n; n != 0 {
		t.Errorf("the account has %d failures, want 0", n)
	}
}

func TestLockoutMemoryIsBounded(t *testing.T) {
	l := newLockout(time.Now)
	for range freeTries {
		l.begin(account("guessed"))
	}
	for i := range maxTriers + 10 {
		l.begin(account(fmt.Sprint(i)))
	}
	if n := len(l.triers); n > maxTriers {
		t.Errorf("%d triers are remembered", n)
	}
	if l.begin(account("guessed")) == 0 {
		t.Error("a flood of names made the lockout forget a guessed one")
	}
}
