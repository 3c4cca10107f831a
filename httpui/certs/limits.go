package certs

import (
	"errors"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// mostFailed is how many challenges of a name may fail within an hour: Let's
// Encrypt refuses everything after five.
const mostFailed = 5

var errOften = errors.New("the last attempts have failed, and authorities limit how many may do so in an hour")

// failures are the challenges of the last hour that are not known to have
// succeeded. They are kept in a file, so that a node which is started again
// and again does not use up what its authority allows. A file that cannot be
// read or written is no reason to go without a certificate.
type failures struct {
	file string
	at   []time.Time // the oldest first
}

func loadFailures(file string) *failures {
	f := &failures{file: file}
	content, _ := os.ReadFile(file)
	for _, line := range strings.Fields(string(content)) {
		if at, err := time.Parse(time.RFC3339, line); err == nil {
			f.at = append(f.at, at)
		}
	}
	slices.SortFunc(f.at, time.Time.Compare)
	return f
}

// add counts a challenge, before it is known how it ends.
func (f *failures) add() {
	f.at = append(f.at, time.Now())
	f.write()
}

// forgive takes the newest out again: it has succeeded.
func (f *failures) forgive() {
	f.at = f.at[:len(f.at)-1]
	f.write()
}

// wait is how long it is until n more may fail. What lies in the future was
// written while the clock was wrong, or it is wrong now.
func (f *failures) wait(n int) time.Duration {
	f.at = slices.DeleteFunc(f.at, func(at time.Time) bool { return time.Since(at) >= time.Hour })
	past := slices.DeleteFunc(slices.Clone(f.at), func(at time.Time) bool { return time.Since(at) < 0 })
	over := len(past) + n - mostFailed
	if over <= 0 {
		return 0
	}
	return time.Hour - time.Since(past[over-1])
}

func (f *failures) write() {
	if len(f.at) == 0 {
		os.Remove(f.file)
		return
	}
	var b strings.Builder
	for _, at := range f.at {
		b.WriteString(at.UTC().Format(time.RFC3339Nano) + "\n")
	}
	writeFile(f.file, []byte(b.String()))
}

// maxPatience bounds how long the directory may have us wait.
const maxPatience = 24 * time.Hour

// A patient transport remembers until when the directory wants to be left
// alone, which the library beneath does not tell.
type patient struct {
	http.RoundTripper
	until atomic.Pointer[time.Time] // nil: nothing was said
}

// RoundTrip implements http.RoundTripper.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.RoundTripper.RoundTrip(r)
	if err == nil && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable) {
		if until, ok := retryAfter(resp.Header); ok {
			p.until.Store(&until)
		}
	}
	return resp, err
}

// wait is how long it is until then.
func (p *patient) wait() time.Duration {
	until := p.until.Swap(nil)
	if until == nil {
		return 0
	}
	return min(time.Until(*until), maxPatience)
}

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3), which is by the
// clock that says in Date what time it is.
func retryAfter(h http.Header) (time.Time, bool) {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Now().Add(time.Duration(seconds) * time.Second), true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return time.Time{}, false
	}
	if now, err := http.ParseTime(h.Get("Date")); err == nil {
		at = time.Now().Add(at.Sub(now))
	}
	return at, true
}
