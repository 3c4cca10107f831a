package people

import (
	"strings"
	"testing"
	"time"
)

func TestLaunchIsHashedAndBounded(t *testing.T) {
	l := newLaunches(time.Now)
	var tokens []string
	for range maxLaunches + 1 {
		tokens = append(tokens, l.add("p1"))
	}
	if len(l.waiting) != maxLaunches {
		t.Errorf("%d addresses wait", len(l.waiting))
	}
	for _, wrong := range []string{tokens[0], "", tokens[1] + "x", strings.ToLower(tokens[1]), string(l.waiting[0].hash[:])} {
		if _, _, ok := l.take(wrong); ok {
			t.Errorf("took %q", wrong)
		}
	}
	for _, token := range tokens[1:] {
		if id, _, ok := l.take(token); !ok || id != "p1" {
			t.Errorf("did not take a good token: %q", id)
		}
	}
	if len(l.waiting) != 0 {
		t.Errorf("%d addresses were not used up", len(l.waiting))
	}
}
