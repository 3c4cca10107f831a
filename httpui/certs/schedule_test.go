package certs

import (
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
