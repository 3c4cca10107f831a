package certs

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// TestFailuresAreRepeatedMoreAndMoreRarely: until the directory gets through.
func TestFailuresAreRepeatedMoreAndMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := newFakeDirectory(t)
		f.closed = true
		m := f.client(cfg)
		run(t, m)
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		f.set(func() {
			expectGaps(t, f.failed, minutes(10, 20, 40, 60, 60, 60, 60))
			f.closed = false
		})
		if s := m.Status(); !s.Alert || s.Reason != "the directory says: nobody answers (connection)" {
			t.Errorf("while it fails: %+v", s)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if s := m.Status(); s.Alert || s.Reason != "" || served(m) == nil {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

// TestRenewalIsAdvised: a certificate is replaced when the directory wants it
// to be, or else when a third of its life is left, and the order says which one
// it replaces.
func TestRenewalIsAdvised(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct{ from, until, want time.Duration }{
		{10 * day, 11 * day, 11 * day}, // no later than that
		{80 * day, 85 * day, 60 * day},
		{0, 0, 60 * day}, // no advice
	} {
		synctest.Test(t, func(t *testing.T) {
			f, cfg := newFakeDirectory(t)
			m := f.client(cfg)
			run(t, m)
			time.Sleep(time.Minute)
			first := served(m)
			if first == nil {
				t.Fatalf("no certificate: %+v", m.Status())
			}
			id, err := acme.ARIUniqueIdentifier(first)
			if err != nil {
				t.Fatal(err)
			}
			if c.until > 0 {
				f.set(func() {
					f.windows = map[string][]time.Time{id: {first.NotBefore.Add(c.from), first.NotBefore.Add(c.until)}}
				})
			}
			time.Sleep(time.Until(first.NotBefore.Add(min(c.from, c.want))) - time.Minute)
			if !served(m).Equal(first) {
				t.Error("renewed early")
			}
			time.Sleep(time.Until(first.NotBefore.Add(c.want)) + time.Minute)
			second := served(m)
			if second.Equal(first) {
				t.Fatal("not renewed")
			}
			f.set(func() {
				if len(f.orders) != 2 || f.orders[0]["replaces"] != nil || f.orders[1]["replaces"] != id {
					t.Errorf("%v, want one that replaces %s", f.orders, id)
				}
			})
		})
	}
}

// TestDirectoryIsNotReached: that is no failure of which the directory knows,
// so it is asked every minute; what it knows of does not count for more.
func TestDirectoryIsNotReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f, cfg := newFakeDirectory(t)
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		f.closed = true
		m := f.client(cfg)
		run(t, m)
		time.Sleep(5 * time.Minute)
		f.set(func() {
			f.down = &net.DNSError{Err: "no such host", Name: "acme.example", IsNotFound: true}
			f.asked = nil
		})
		time.Sleep(30*time.Minute + 30*time.Second) // between two attempts
		synctest.Wait()
		f.set(func() {
			if n := len(f.asked) / asksPerAttempt; n < 20 || n > 30 {
				t.Errorf("%d attempts", n)
			}
			// Another text each time, as those are that name ports.
			f.down = &net.OpError{Op: "dial", Err: errors.New("no route to host")}
		})
		s := m.Status()
		if !s.Alert || !strings.HasPrefix(s.Reason, "the directory does not answer: ") || !strings.HasSuffix(s.Reason, "lookup acme.example: no such host") {
			t.Errorf("%+v", s)
		}
		if wait := time.Until(s.Next); wait <= 0 || wait > time.Minute {
			t.Errorf("next in %v", wait)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := strings.Count(log.String(), "the directory does not answer"); got != 1 {
			t.Errorf("%d failures logged:\n%s", got, &log)
		}
		f.set(func() { f.down, f.failed = nil, nil })
		time.Sleep(50 * time.Minute)
		f.set(func() {
			expectGaps(t, f.failed, minutes(20)) // as if it had been reached all the time
			f.closed = false
		})
		time.Sleep(time.Hour)
		if s := m.Status(); s.Reason != "" || !s.Next.IsZero() || served(m) == nil {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

// TestDirectoryNamesATime: a directory that limits us is asked again when it
// says, and Status tells when.
func TestDirectoryNamesATime(t *testing.T) {
	for limited, want := range map[string]time.Duration{
		"7200": 2 * time.Hour,
		time.Date(2000, 1, 1, 3, 0, 0, 0, time.UTC).Format(http.TimeFormat): 3 * time.Hour, // time begins with that year
		"60":       10 * time.Minute, // our own pause is longer
		"31536000": 24 * time.Hour,   // never so long that nobody notices when it is over
		"soon":     10 * time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			f, cfg := newFakeDirectory(t)
			f.limited = limited
			m := f.client(cfg)
			begun := time.Now()
			run(t, m)
			time.Sleep(time.Minute)
			s := m.Status()
			if got := s.Next.Sub(begun).Round(time.Minute); got != want || s.Reason != "the directory says: too many certificates (rateLimited)" {
				t.Errorf("%s: in %v, want %v; %+v", limited, got, want, s)
			}
			f.set(func() { f.limited = "" })
			time.Sleep(time.Until(s.Next) - time.Second)
			if served(m) != nil {
				t.Errorf("%s: asked too early", limited)
			}
			time.Sleep(time.Minute)
			if s := m.Status(); served(m) == nil || !s.Next.IsZero() {
				t.Errorf("%s: %+v", limited, s)
			}
		})
	}
}

// asksPerAttempt is how often the client asks for what it cannot reach.
const asksPerAttempt = 3

// TestRestartsDoNotForgetFailures: however often a node is started, and though
// it shows two kinds of challenge, no more than five fail in an hour.
func TestRestartsDoNotForgetFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := newFakeDirectory(t)
		f.closed = true
		f.challenges = []string{acme.ChallengeTypeTLSALPN01, acme.ChallengeTypeHTTP01}
		cfg.HTTP = true
		var s Status
		for range 30 {
			m := f.client(cfg)
			stop := run(t, m)
			time.Sleep(6 * time.Minute)
			s = m.Status()
			stop()
		}
		f.set(func() {
			for i := range f.failed {
				if n := len(f.failed); i+5 < n && f.failed[i+5].Sub(f.failed[i]) < time.Hour {
					t.Errorf("six failures in %v", f.failed[i+5].Sub(f.failed[i]))
				}
			}
			if len(f.failed) < 8 {
				t.Errorf("%d failures in three hours", len(f.failed))
			}
			f.closed = false
		})
		if wait := time.Until(s.Next); s.Reason != errOften.Error() && !strings.HasPrefix(s.Reason, "the directory says: ") || wait <= 0 || wait > time.Hour || !s.Alert {
			t.Errorf("next in %v: %+v", wait, s)
		}

		// What is fixed is forgotten, and what succeeds does not count.
		time.Sleep(time.Hour)
		m := f.client(cfg)
		stop := run(t, m)
		time.Sleep(time.Minute)
		if served(m) == nil {
			t.Errorf("%+v", m.Status())
		}
		stop()
		if left, err := filepath.Glob(filepath.Join(cfg.Dir, "*", "*.failed")); len(left) > 0 || err != nil {
			t.Errorf("%v is left, %v", left, err)
		}
	})
}

// TestDamagedFailures: they are no reason to go without a certificate.
func TestDamagedFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := newFakeDirectory(t)
		m := f.client(cfg)
		future := time.Now().Add(1000 * time.Hour).Format(time.RFC3339)
		put(t, m.source.(*fromACME).failures.file, []byte("no time\n"+strings.Repeat(future+"\n", 5)))
		run(t, f.client(cfg))
		time.Sleep(time.Minute)
		if f.set(func() { m = f.manager }); served(m) == nil {
			t.Errorf("%+v", m.Status())
		}
	})
}

// TestAnotherAddressForMail: the authority hears of it with the next start,
// though there is an account and nothing to renew.
func TestAnotherAddressForMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := newFakeDirectory(t)
		for _, c := range []struct {
			email, want string
			updates     int
		}{
			{"", "[]", 0},
			{"it@clinic.example", "[mailto:it@clinic.example]", 1},
			{"it@clinic.example", "[mailto:it@clinic.example]", 1},
			{"office@clinic.example", "[mailto:office@clinic.example]", 2},
			{"", "[mailto:office@clinic.example]", 2}, // the library cannot take one away
		} {
			cfg.Email = c.email
			stop := run(t, f.client(cfg))
			time.Sleep(time.Minute)
			stop()
			f.set(func() {
				if got := fmt.Sprint(f.contact); got != c.want || f.updates != c.updates || len(f.orders) != 1 {
					t.Errorf("%q: %s after %d updates and %d orders", c.email, got, f.updates, len(f.orders))
				}
			})
		}
	})
}

// TestAddressThatIsRefused is no reason to go without a certificate.
func TestAddressThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f, cfg := newFakeDirectory(t)
		f.accounts = 1 // there is one already
		f.fixed = true
		cfg.Email = "it@clinic.example"
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		m := f.client(cfg)
		run(t, m)
		time.Sleep(time.Minute)
		synctest.Wait()
		if served(m) == nil || !strings.Contains(log.String(), "no such mailbox") {
			t.Errorf("%+v\n%s", m.Status(), &log)
		}
	})
}
