package relay

import (
	"testing"
	"time"
)

func TestLimit(t *testing.T) {
	l := newLimit(100)
	at := int64(5 * time.Second)
	passed := func() (n int) {
		for range 1000 {
			if l.take(at, 1) {
				n++
			}
		}
		return n
	}
	must(t, "at first", passed(), 100)
	must(t, "at once", passed(), 0)
	at += int64(100 * time.Millisecond)
	must(t, "a tenth later", passed(), 10)
	at += int64(time.Hour)
	must(t, "after a rest", passed(), 100)
	if l.take(at+int64(time.Second), 101) {
		t.Error("more than a second's worth")
	}
}
