package people

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

const (
	launchTime  = 10 * time.Minute
	maxLaunches = 32 // waiting to be used; the oldest is dropped
)

// launches is the launch tokens that wait to be used.
type launches struct {
	now func() time.Time

	mu      sync.Mutex
	waiting []launch // oldest first; at most maxLaunches
}

// launch is what a token opens.
type launch struct {
	hash         [sha256.Size]byte
	practitioner string // empty: the node may be set up
	expires      time.Time
}

func newLaunches(now func() time.Time) *launches { return &launches{now: now} }

// add returns a new token for practitioner.
func (l *launches) add(practitioner string) string {
	token := newToken()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == maxLaunches {
		l.waiting = l.waiting[1:]
	}
	l.waiting = append(l.waiting, launch{sha256.Sum256([]byte(token)), practitioner, l.now().Add(launchTime)})
	return token
}

// take uses token up, if it is good. Only hashes are compared, so how long that
// takes tells nothing. back makes the token good again, for as long as it was,
// after it has opened nothing.
func (l *launches) take(token string) (practitioner string, back func(), ok bool) {
	hash := sha256.Sum256([]byte(token))
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range l.waiting {
		if w.hash == hash {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return w.practitioner, func() { l.putBack(w) }, l.now().Before(w.expires)
		}
	}
	return "", nil, false
}

func (l *launches) putBack(w launch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) < maxLaunches {
		l.waiting = append([]launch{w}, l.waiting...)
	}
}

// newToken returns 256 random bits as 43 letters, digits, hyphens and underscores.
func newToken() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
