package admit

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

var (
	here      = netip.MustParseAddr("192.0.2.7")
	neighbour = netip.MustParseAddr("::ffff:192.0.2.200")
	elsewhere = netip.MustParseAddr("2001:db8:0:100::1")
)

func TestPrefix(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7":                "192.0.2.0/24",
		"::ffff:192.0.2.7":         "192.0.2.0/24",
		"2001:db8:1:2ff::1":        "2001:db8:1:200::/56",
		"fe80::1%eth0":             "fe80::/56",
		"2001:db8:1:3ff:ffff::abc": "2001:db8:1:300::/56",
	} {
		if got := Prefix(netip.MustParseAddr(text)).String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if a := Addr(&net.UnixAddr{Name: "x"}); a.IsValid() {
		t.Errorf("an address where none is: %v", a)
	}
}

// A prefix has its share, and what it cannot have others still can.
func TestQuota(t *testing.T) {
	c := NewQuota(3, 2)
	enter := func(who netip.Addr, ok, full bool) {
		t.Helper()
		if gotOK, gotFull := c.Enter(who); gotOK != ok || gotFull != full {
			t.Errorf("%v, %v; want %v, %v", gotOK, gotFull, ok, full)
		}
	}
	enter(here, true, false)
	enter(neighbour, true, false)
	enter(here, false, false)
	enter(elsewhere, true, false)
	enter(elsewhere, false, true)
	c.Leave(here)
	enter(neighbour, true, false)
	enter(neighbour, false, false)
	for _, a := range []netip.Addr{here, here, elsewhere} {
		c.Leave(a)
	}
	if len(c.of) != 0 || c.Size() != 0 {
		t.Errorf("%v are left", c.of)
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewRate(5, 20)
		took := func(a netip.Addr) (n int) {
			for p.Take(a) {
				n++
			}
			return n
		}
		if got := took(here); got != 20 {
			t.Errorf("%d at once", got)
		}
		if got := took(neighbour); got != 0 {
			t.Errorf("%d for a neighbour", got)
		}
		if got := took(elsewhere); got != 20 {
			t.Errorf("%d for others", got)
		}
		time.Sleep(time.Second)
		if got := took(here); got != 5 {
			t.Errorf("%d a second later", got)
		}
		time.Sleep(time.Hour)
		if got := took(here); got != 20 {
			t.Errorf("%d an hour later", got)
		}
	})
}

// All of one network share what there is, and May knows what Take would say.
func TestRateOfOneNetwork(t *testing.T) {
	synctest.Test(t, testRateOfOneNetwork)
}

func testRateOfOneNetwork(t *testing.T) {
	p := NewRate(20, 20)
	for _, of := range [][]string{
		{"192.0.2.1", "192.0.2.200", "::ffff:192.0.2.3"},
		{"192.0.3.1"},
		{"2001:db8::1", "2001:db8:0:ff::1", "2001:db8::1%eth0"},
		{"2001:db8:0:100::1"},
	} {
		passed := 0
		for i := range 100 {
			a := netip.MustParseAddr(of[i%len(of)])
			may := p.May(a)
			if took := p.Take(a); took != may {
				t.Fatal("May and Take disagree")
			} else if took {
				passed++
			}
		}
		if passed != 20 {
			t.Errorf("%d of %v", passed, of)
		}
	}
}
