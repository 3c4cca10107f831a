package main

import (
	"runtime/debug"
	"testing"
)

// Who sets GOGC has it.
func TestGarbageIsLimitedUnlessTheEnvironmentSaysHow(t *testing.T) {
	const other = 123
	defer debug.SetGCPercent(debug.SetGCPercent(other))
	for _, c := range []struct {
		environ []string
		want    int
	}{
		{[]string{"GOGC=123"}, other},
		{nil, gcPercent},
	} {
		debug.SetGCPercent(other)
		(&program{environ: c.environ}).limitGarbage()
		if got := debug.SetGCPercent(other); got != c.want {
			t.Errorf("%q: %d %%, want %d", c.environ, got, c.want)
		}
	}
}
