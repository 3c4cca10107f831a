package people

import (
	"net/netip"
	"sync"
	"time"
)

// Failed sign-ins: freeTries at once, then a pause that doubles from firstPause
// to longestPause. Nobody is locked out for good, and who sits at the computer
// gets in by a launch address at any time.
const (
	freeTries    = 5
	firstPause   = time.Second
	longestPause = 15 * time.Minute
	forgetTries  = time.Hour // after the last one
	maxTriers    = 10_000    // remembered; beyond, the least suspicious is forgotten
)

// A lockout slows down guessing, by account and by network, or by known browser.
type lockout struct {
	now func() time.Time

	mu     sync.Mutex
	triers map[trier]tries
}

// A trier is an account, a browser, a session or a network; the other field is
// zero.
type trier struct {
	account string
	network netip.Prefix
}

type tries struct {
	n    int // without a success
	last time.Time
	next time.Time // the next one is refused before
}

func newLockout(now func() time.Time) *lockout {
	return &lockout{now: now, triers: map[trier]tries{}}
}

// begin counts one more try for each of who, or returns how long they must
// wait. It counts before the password is looked at, so a hundred tries at the
// same moment are a hundred.
func (l *lockout) begin(who ...trier) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, w := range who {
		wait = max(wait, l.triers[w].next.Sub(now))
	}
	if wait > 0 {
		return wait
	}
	for _, w := range who {
		t := l.triers[w]
		if now.Sub(t.last) > forgetTries {
			t = tries{}
		}
		t.n++
		t.last = now
		if t.n >= freeTries {
			t.next = now.Add(pause(t.n - freeTries))
		}
		l.triers[w] = t
	}
	l.forgetLocked(now)
	return 0
}

// pause is how long to wait after the nth try beyond the free ones.
func pause(n int) time.Duration {
	if n >= 10 { // 2^10 s is longer than longestPause
		return longestPause
	}
	return min(firstPause<<n, longestPause)
}

// forgive takes back what begin counted: it was a success, or our own fault.
func (l *lockout) forgive(who ...trier) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range who {
		t := l.triers[w]
		if t.n--; t.n <= 0 {
			delete(l.triers, w)
			continue
		}
		t.next = time.Time{} // it had passed when begin let this try through
		l.triers[w] = t
	}
}

// clear forgets what was held against an account whose owner got in. The
// network keeps its count: others may sit there.
func (l *lockout) clear(w trier) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.triers, w)
}

// forgetLocked keeps the memory bounded.
func (l *lockout) forgetLocked(now time.Time) {
	if len(l.triers) <= maxTriers {
		return
	}
	for w, t := range l.triers {
		if now.Sub(t.last) > forgetTries {
			delete(l.triers, w)
		}
	}
	for len(l.triers) > maxTriers {
		var least trier
		first := true
		for w, t := range l.triers {
			if first || t.n < l.triers[least].n {
				least, first = w, false
			}
		}
		delete(l.triers, least)
	}
}
