package relay

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/turn/v5"

	"anteroom/node/polltest"
)

func TestQuotas(t *testing.T) {
	g := start(t, Config{Limits: Limits{Allocations: 20, PerSeat: 2, PerCall: 16, Replies: 10_000}, idle: time.Second}, nil)

	t.Run("seat", func(t *testing.T) {
		again := func() Credentials { return g.Grant("one", "seat", later()) } // each handshake gets others
		a, b, c := g.seat(t, "udp4", again()), g.seat(t, "tcp4", again()), g.seat(t, "udp6", again())
		must(t, "first", a.allocate(), 0)
		must(t, "second", b.allocate(), 0)
		must(t, "third", c.allocate(), 486)
		must(t, "of one seat", g.Stats().Allocations, 2)
		other := g.seat(t, "udp4", g.Grant("one", "another seat", later()))
		must(t, "another seat", other.allocate(), 0)
		must(t, "bind", a.bind(0x4000, other.relayed), 0)
		must(t, "bind", other.bind(0x4000, a.relayed), 0)
		for range 4 {
			time.Sleep(g.idle / 2)
			hears(t, a, other)
		}
		must(t, "third", c.allocate(), 0)
		must(t, "of two seats", g.Stats().Allocations, 3)
		polltest.Eventually(t, "the second, which was not used, is gone", func() bool { return b.refresh(60) == 437 })
		hears(t, other, a)
		for _, s := range []*seat{a, c, other} {
			must(t, "end", s.refresh(0), 0)
		}
	})
	t.Run("call and node", func(t *testing.T) {
		must(t, "before", g.Stats().Allocations, 0)
		race := func(n int, call func(i int) string) (granted int) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			for i := range n {
				s := g.seat(t, []string{"udp4", "udp6", "tcp4", "tcp6"}[i%4], g.newSeat(call(i), later()))
				wg.Go(func() {
					if s.allocate() == 0 {
						mu.Lock()
						granted++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			return granted
		}
		must(t, "of one call", race(40, func(int) string { return "same" }), 16)
		must(t, "of all", race(40, func(i int) string { return fmt.Sprint(i) }), 4)
		must(t, "after", g.Stats().Allocations, 20)
	})
}

func TestCredentials(t *testing.T) {
	g := start(t, Config{Secret: []byte("kept from before"), Limits: Limits{Replies: 10_000}}, nil)

	t.Run("wrong", func(t *testing.T) {
		good := g.newSeat("call", later())
		for name, cred := range map[string]Credentials{
			"password": {good.Username, Password{func() string { return "wrong" }}},
			"another":  {g.newSeat("call", later()).Username, good.Password},
			"later":    {"9" + good.Username, good.Password},
			"no name":  {"", good.Password},
			"expired":  g.newSeat("call", time.Now().Add(-time.Second)),
		} {
			must(t, name, g.seat(t, "udp4", cred).allocate(), 400)
		}
		if n := g.Stats().Refused.Credentials; n != 5 {
			t.Errorf("%d counted", n)
		}
		must(t, "allocations", g.Stats().Allocations, 0)
	})
	t.Run("of a relay before", func(t *testing.T) {
		before, err := New(Config{Secret: []byte("kept from before"), UDP: []net.PacketConn{listening(t)}})
		if err != nil {
			t.Fatal(err)
		}
		s := g.seat(t, "udp4", before.newSeat("call", later()))
		must(t, "allocate", s.allocate(), 0)
		s.refresh(0)
	})
	t.Run("expire", func(t *testing.T) {
		until := time.Now().Add(4 * time.Second) // less a part of a second
		s := g.seat(t, "udp4", g.newSeat("call", until))
		must(t, "allocate", s.allocate(), 0)
		time.Sleep(time.Until(until))
		must(t, "refresh", s.refresh(600), 400)
		must(t, "permit", s.permit(s.relayed), 400)
		must(t, "allocations", g.Stats().Allocations, 1)
	})
	t.Run("end soon after", func(t *testing.T) {
		user := g.newSeat("call", time.Now().Add(time.Second-lifetime)).Username
		a, err := g.newAllocation(g.endpoints[0], user, false)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-a.closed:
		case <-time.After(wait):
			t.Error("still there")
			a.Close()
		}
	})
	for what, revoke := range map[string]func(){
		"seat": func() { g.RevokeSeat("a's seat") },
		"call": func() { g.RevokeCall("a's call") },
	} {
		t.Run("revoke a "+what, func(t *testing.T) {
			a := g.seat(t, "udp4", g.Grant("a's call", "a's seat", later()))
			other := g.seat(t, "tcp4", g.Grant("a's call", "a's seat", later())) // of another handshake
			b := g.seat(t, "tcp4", g.newSeat("another call", later()))
			for _, s := range []*seat{a, other, b} {
				must(t, "allocate", s.allocate(), 0)
			}
			must(t, "bind", a.bind(0x4000, b.relayed), 0)
			must(t, "bind", b.bind(0x4000, a.relayed), 0)
			hears(t, a, b)
			hears(t, b, a)
			live := g.Stats().Allocations
			revoke()
			must(t, "allocations", g.Stats().Allocations, live-2)
			a.write(channelData(0x4000, []byte("gone")))
			b.write(channelData(0x4000, []byte("gone")))
			if p := b.read(100 * time.Millisecond); p != nil {
				t.Errorf("received %q", p)
			}
			if p := a.read(100 * time.Millisecond); p != nil {
				t.Errorf("received %q", p)
			}
			must(t, "allocate", a.allocate(), 400)
			must(t, "what was granted to another", b.refresh(0), 0)
			again := g.seat(t, "udp4", g.Grant("a's call", "a's seat", later()))
			must(t, "what was granted afterwards", again.allocate(), 0)
			must(t, "end", again.refresh(0), 0)
		})
	}
}

// A wrongClock is ahead by as much as it is set to; the computer's own count
// goes on.
type wrongClock struct{ ahead atomic.Int64 }

func (c *wrongClock) set(ahead time.Duration) { c.ahead.Store(int64(ahead)) }

func (c *wrongClock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

const month = 30 * 24 * time.Hour

func TestWrongClockBringsNothingBack(t *testing.T) {
	for what, story := range map[string]func(r *Relay, c *wrongClock){
		"ahead when another is revoked": func(r *Relay, c *wrongClock) {
			r.RevokeSeat("seat")
			c.set(month)
			r.RevokeSeat("another")
		},
		"ahead when it is granted": func(r *Relay, c *wrongClock) {
			r.RevokeSeat("seat")
		},
		"ahead when it is revoked": func(r *Relay, c *wrongClock) {
			c.set(month)
			r.RevokeSeat("seat")
		},
		"behind when it is revoked": func(r *Relay, c *wrongClock) {
			c.set(-56 * 365 * 24 * time.Hour)
			r.RevokeSeat("seat")
			r.RevokeSeat("another")
		},
	} {
		t.Run(what, func(t *testing.T) {
			c := &wrongClock{}
			r, err := New(Config{UDP: []net.PacketConn{listening(t)}, clock: c.now})
			if err != nil {
				t.Fatal(err)
			}
			if what == "ahead when it is granted" {
				c.set(month)
			}
			before := r.Grant("call", "seat", c.now().Add(time.Hour))
			c.set(0)
			story(r, c)
			c.set(0)
			after := r.Grant("call", "seat", c.now().Add(time.Hour))
			for name, is := range map[string]struct {
				granted Credentials
				good    bool
			}{"granted before": {before, false}, "granted afterwards": {after, true}} {
				if _, _, ok := r.authenticate(&turn.RequestAttributes{Username: is.granted.Username}); ok != is.good {
					t.Errorf("what was %s is good: %t", name, ok)
				}
			}
		})
	}
}

func TestWrongClockEndsNoCall(t *testing.T) {
	c := &wrongClock{}
	g := start(t, Config{clock: c.now}, nil)
	s := g.seat(t, "udp4", g.newSeat("call", later()))
	must(t, "allocate", s.allocate(), 0)
	c.set(month)
	must(t, "refresh", s.refresh(600), 0)
	must(t, "permit", s.permit(s.relayed), 0)
	must(t, "what has expired and has no allocation", g.seat(t, "udp4", g.newSeat("call", later())).allocate(), 400)
	c.set(0)
	must(t, "refresh", s.refresh(600), 0)
	g.RevokeCall("call")
	must(t, "allocations", g.Stats().Allocations, 0)
}

func TestWrongClockLetsNothingLast(t *testing.T) {
	c := &wrongClock{}
	g := start(t, Config{Secret: []byte("kept from before"), clock: c.now}, nil)

	before, err := New(Config{Secret: []byte("kept from before"), UDP: []net.PacketConn{listening(t)}, clock: c.now})
	if err != nil {
		t.Fatal(err)
	}
	c.set(month)
	granted := before.newSeat("call", c.now().Add(time.Hour))
	c.set(0)
	must(t, "allocate", g.seat(t, "udp4", granted).allocate(), 0)
	g.RevokeCall("call")
	must(t, "allocations of a call that was revoked", g.Stats().Allocations, 0)

	c.set(-56 * 365 * 24 * time.Hour)
	a, err := g.newAllocation(g.endpoints[0], g.newSeat("another", later()).Username, false)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if left := time.Duration(a.until - now()); left > 24*time.Hour {
		t.Errorf("an allocation lasts %v", left)
	}
}

func TestRevocationsAreForgotten(t *testing.T) {
	r := granted{revoked: make(map[string]revocation)}
	begun := time.Now().Round(0)
	r.issue(grant{until: begun.Add(time.Hour)}, begun, 0)
	r.revoke("one", begun, 0)
	for _, is := range []struct {
		name          string
		ahead, passed time.Duration
		left          int
	}{
		{"too early", time.Hour, time.Hour, 2},
		{"too early by the count", month, time.Hour, 2},
		{"too early by the clock", time.Hour, month, 2},
		{"in time", 2 * time.Hour, 2 * time.Hour, 1},
	} {
		r.revoke("another", begun.Add(is.ahead), int64(is.passed))
		must(t, is.name, len(r.revoked), is.left)
	}
}

func TestCredentialsSayNothing(t *testing.T) {
	r, err := New(Config{UDP: []net.PacketConn{listening(t)}})
	if err != nil {
		t.Fatal(err)
	}
	a, b := r.Grant("CANARY", "CANARY seat", later()), r.Grant("CANARY", "CANARY seat", later())
	if a.Username == b.Username || a.Password.Reveal() == b.Password.Reveal() {
		t.Error("two seats have the same credentials")
	}
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("", "cred", a, "password", a.Password)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("", "cred", a, "password", a.Password)
	js, _ := json.Marshal(a)
	fmt.Fprintf(&out, "%s %v %+v %#v %q %x", js, a, a, a, a.Password, a)
	for _, secret := range []string{"CANARY", a.Password.Reveal()} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in %s", secret, out.String())
		}
	}
	if n := strings.Count(out.String(), redacted); n != 10 {
		t.Errorf("redacted %d times: %s", n, out.String())
	}
}

// listening returns a socket for a relay that does not run.
func listening(t *testing.T) net.PacketConn {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
