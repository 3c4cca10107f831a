// Package polltest waits, in tests, for what nothing tells: what another process
// or a library does in its own time.
package polltest

import (
	"testing"
	"time"
)

const (
	// Wait is how long something may take that takes milliseconds on an idle
	// computer: tests share theirs with others.
	Wait = 30 * time.Second

	interval = 10 * time.Millisecond
)

// Eventually waits until ok holds, and ends the test if it never does. In a bubble
// of testing/synctest its time is virtual.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(Wait); !ok(); time.Sleep(interval) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", Wait, what)
		}
	}
}
