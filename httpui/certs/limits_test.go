package certs

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFailuresOfAWrongClock: a clock that was wrong for a moment, when they were
// written or when they are read, neither keeps a node from its certificate nor
// has it ask too often.
func TestFailuresOfAWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "failed")
		written := func(ahead time.Duration) *failures {
			at := time.Now().Add(ahead).Format(time.RFC3339)
			put(t, file, []byte(strings.Repeat(at+"\n", mostFailed)))
			return loadFailures(file)
		}
		const month = 30 * 24 * time.Hour
		for ahead, want := range map[time.Duration]time.Duration{
			-20 * time.Minute: 40 * time.Minute,
			-time.Hour:        0,
			month:             0,
			-month:            0,
		} {
			if got := written(ahead).wait(1); got != want {
				t.Errorf("written %v ahead: %v, want %v", ahead, got, want)
			}
			read := &failures{at: slices.Repeat([]time.Time{time.Now().Add(ahead)}, mostFailed)} // before the clock was put right
			if got := read.wait(1); got != want {
				t.Errorf("read %v ahead: %v, want %v", ahead, got, want)
			}
		}
		behind := written(20 * time.Minute) // as a clock sees them that is behind
		if got := behind.wait(1); got != 0 {
			t.Errorf("in the future: %v", got)
		}
		time.Sleep(30 * time.Minute) // it is put right
		if got := behind.wait(1); got != 50*time.Minute {
			t.Errorf("remembered: %v", got)
		}
	})
}

// TestRetryAfterByTheSendersClock: how long to wait is what lies between its two
// dates, whatever the time is here.
func TestRetryAfterByTheSendersClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := time.Now().Add(40 * 24 * time.Hour)
		h := http.Header{"Retry-After": {theirs.Add(time.Hour).UTC().Format(http.TimeFormat)}}
		if until, ok := retryAfter(h); !ok || time.Until(until) != 40*24*time.Hour+time.Hour {
			t.Errorf("without a date: %v, %t", until, ok)
		}
		h.Set("Date", theirs.UTC().Format(http.TimeFormat))
		if until, ok := retryAfter(h); !ok || time.Until(until) != time.Hour {
			t.Errorf("until %v, %t", until, ok)
		}
	})
}
