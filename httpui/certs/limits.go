package certs

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

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

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(h http.Header) (time.Time, bool) {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Now().Add(time.Duration(seconds) * time.Second), true
	}
	at, err := http.ParseTime(text)
	return at, err == nil
}
