package httpui

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestTally: what strangers do as often as they like is told at once, then once
// a minute with how often it was.
func TestTally(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lines := func(want ...string) {
			t.Helper()
			var got []string
			for line := range strings.Lines(ts.log.String()) {
				if _, found, ok := strings.Cut(line, `"msg":"knocked",`); ok {
					got = append(got, strings.TrimSpace(found))
				}
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Fatalf("%q, want %q", got, want)
			}
		}
		knock := func(n int, why string) {
			for range n {
				ts.strangers.add(event{slog.LevelInfo, "knocked", why})
			}
		}
		knock(1, "")
		lines(`"n":1}`)
		knock(10_000, "")
		knock(1, "loudly") // is counted apart
		lines(`"n":1}`, `"n":1,"reason":"loudly"}`)
		pass(2 * time.Minute)
		lines(`"n":1}`, `"n":1,"reason":"loudly"}`, `"n":10000}`)
		pass(time.Hour)
		lines(`"n":1}`, `"n":1,"reason":"loudly"}`, `"n":10000}`)
		knock(3, "loudly")
		if err := ts.stop(); err != nil {
			t.Error(err)
		}
		lines(`"n":1}`, `"n":1,"reason":"loudly"}`, `"n":10000}`, `"n":1,"reason":"loudly"}`, `"n":2,"reason":"loudly"}`)
	})
}
