package people

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// account is the trier of an account.
func account(id string) trier { return trier{account: "name " + id} }

// network is the trier of a network.
func network(prefix string) trier { return trier{network: netip.MustParsePrefix(prefix)} }

func TestLockoutCountsAttemptsUnderWay(t *testing.T) {
	l := newLockout(time.Now)
	allowed := 0
	for range 100 { // none has failed yet
		if l.begin(account("x")) == 0 {
			allowed++
		}
	}
	if allowed != freeTries {
		t.Errorf("%d tries at once, want %d", allowed, freeTries)
	}
}

func TestLockoutByAccountAndNetwork(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := newLockout(func() time.Time { return now })
	net1, net2 := network("203.0.113.0/24"), network("198.51.100.0/24")
	for i := range freeTries {
		if wait := l.begin(account(fmt.Sprint("name", i)), net1); wait > 0 {
			t.Fatalf("try %d waits %v", i, wait)
		}
	}
	if l.begin(account("another"), network("203.0.113.0/24")) == 0 {
		t.Error("a network may try any number of names")
	}
	if wait := l.begin(account("another"), net2); wait > 0 {
		t.Errorf("another network waits %v", wait)
	}

	for i := range freeTries {
		if wait := l.begin(account("dr lee"), network(fmt.Sprintf("10.0.%d.0/24", i))); wait > 0 {
			t.Fatalf("try %d waits %v", i, wait)
		}
	}
	if l.begin(account("dr lee"), network("10.1.0.0/24")) == 0 {
		t.Error("an account may be tried from any number of networks")
	}

	now = now.Add(forgetTries + 1)
	if wait := l.begin(account("dr lee"), net1); wait > 0 {
		t.Errorf("after an hour there is still a wait of %v", wait)
	}
	if n := l.triers[account("dr lee")].n; n != 1 {
		t.Errorf("after an hour %d tries are remembered", n)
	}
}

func TestSuccessIsForgiven(t *testing.T) {
	f := newFixture(t)
	s, err := f.SignIns()
	must(t, err)
	from := api.Browser{Network: netip.MustParsePrefix("203.0.113.0/24")}
	for i := range 4 * freeTries { // wrong once, right once, for ever
		if i < freeTries-1 {
			if _, err := s.SignIn(t.Context(), from, "", "wrong"); !errors.Is(err, wire.ErrUnauthorized) {
				t.Fatal(err)
			}
		}
		if _, err := s.SignIn(t.Context(), from, "", goodPassword); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.lockout.triers[trier{network: from.Network}].n; n != freeTries-1 {
		t.Errorf("the network has %d failures, want %d", n, freeTries-1)
	}
	if n := s.lockout.triers[account(f.who.ID)].n; n != 0 {
		t.Errorf("the account has %d failures, want 0", n)
	}
}

func TestLockoutMemoryIsBounded(t *testing.T) {
	l := newLockout(time.Now)
	for range freeTries {
		l.begin(account("guessed"))
	}
	for i := range maxTriers + 10 {
		l.begin(account(fmt.Sprint(i)))
	}
	if n := len(l.triers); n > maxTriers {
		t.Errorf("%d triers are remembered", n)
	}
	if l.begin(account("guessed")) == 0 {
		t.Error("a flood of names made the lockout forget a guessed one")
	}
}
