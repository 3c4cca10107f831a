package relay

import (
	"net/netip"
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

func TestPrefixLimit(t *testing.T) {
	l := newPrefixLimit(20)
	passed := func(addrs ...string) (n int) {
		for i := range 100 {
			a := netip.MustParseAddr(addrs[i%len(addrs)])
			was := l.spent(a)
			if took := l.take(a); took == was {
				t.Fatal("spent and take disagree")
			} else if took {
				n++
			}
		}
		return n
	}
	must(t, "one /24", passed("192.0.2.1", "192.0.2.200", "::ffff:192.0.2.3"), 20)
	must(t, "another", passed("192.0.3.1"), 20)
	must(t, "one /56", passed("2001:db8::1", "2001:db8:0:ff::1", "2001:db8::1%eth0"), 20)
	must(t, "another", passed("2001:db8:0:100::1"), 20)
}
