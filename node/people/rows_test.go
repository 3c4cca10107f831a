package people

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"anteroom/node/desk/api"
	"anteroom/node/store/storetest"
	"anteroom/rendezvous/wire"
)

// sweep forgets the sessions that have expired.
func (f *fixture) sweep() {
	f.t.Helper()
	must(f.t, f.store.Write(f.t.Context(), func(tx *sql.Tx) error {
		expired, err := f.Sessions().Expired(f.t.Context(), tx, f.now)
		if err != nil {
			return err
		}
		return f.Sessions().Forget(f.t.Context(), tx, expired)
	}))
}

// count counts the rows that the query counts.
func (f *fixture) count(query string) (n int) {
	f.t.Helper()
	must(f.t, f.store.Read(f.t.Context(), func(tx *sql.Tx) error { return tx.QueryRow("SELECT count(*) FROM " + query).Scan(&n) }))
	return n
}

func TestSessions(t *testing.T) {
	f := newFixture(t)
	s := f.Sessions()
	if _, ok, err := s.Find("unknown"); ok || err != nil {
		t.Errorf("found an unknown session, %v", err)
	}
	if all, err := s.All(); err != nil || all == nil || len(all) != 0 {
		t.Errorf("got %v, %v, want an empty map", all, err)
	}
	must(t, s.Delete("unknown"))
	must(t, s.Commit("a", []byte("first"), noon.Add(time.Hour)))
	must(t, s.Commit("a", []byte("second"), noon.Add(2*time.Hour)))
	must(t, s.Commit("b", nil, noon.Add(time.Hour)))

	f.reopen(cheap)
	s = f.Sessions()
	f.now = noon.Add(time.Hour - time.Nanosecond)
	if data, ok, err := s.Find("b"); !ok || err != nil || len(data) != 0 {
		t.Errorf("got %q, %v, %v", data, ok, err)
	}
	f.now = noon.Add(time.Hour)
	if _, ok, err := s.Find("b"); ok || err != nil {
		t.Errorf("found an expired session, %v", err)
	}
	if data, ok, err := s.Find("a"); string(data) != "second" || !ok || err != nil {
		t.Errorf("got %q, %v, %v, want the second", data, ok, err)
	}
	if all, err := s.All(); err != nil || fmt.Sprintf("%s", all) != "map[a:second]" {
		t.Errorf("got %s, %v", all, err)
	}
	if n := f.count("session"); n != 2 {
		t.Errorf("%d are stored", n)
	}
	f.sweep()
	if n := f.count("session"); n != 1 {
		t.Errorf("%d are stored after sweeping", n)
	}
	must(t, s.Delete("a"))
	if _, ok, err := s.Find("a"); ok || err != nil {
		t.Errorf("found a deleted session, %v", err)
	}
}

func TestTamperedSessionsAreNotFound(t *testing.T) {
	f := newFixture(t)
	must(t, f.Sessions().Commit("mine", []byte("x"), noon.Add(time.Hour)))
	must(t, f.Sessions().Commit("theirs", []byte("y"), noon.Add(time.Hour)))
	must(t, f.store.Close())
	storetest.Tamper(t, f.dir,
		"UPDATE session SET data = (SELECT data FROM session WHERE token = 'theirs') WHERE token = 'mine'",
		"UPDATE session SET data = zeroblob(10) WHERE token = 'theirs'",
		"INSERT INTO session VALUES ('forged', zeroblob(100))")
	f.open(cheap)
	for _, token := range []string{"mine", "theirs", "forged"} {
		if data, ok, err := f.Sessions().Find(token); ok || err != nil {
			t.Errorf("%s: found %q, %v", token, data, err)
		}
	}
	if all, err := f.Sessions().All(); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v", all, err)
	}
}

// TestSessionsServeTheManager signs in, and goes on after the program has been
// started again, by what is stored.
func TestSessionsServeTheManager(t *testing.T) {
	f := newFixture(t)
	manager := func() *SignIns {
		s, err := f.SignIns()
		must(t, err)
		return s
	}
	entry, err := manager().SignIn(t.Context(), api.Browser{}, "", goodPassword)
	must(t, err)
	f.reopen(cheap)
	if x, err := manager().Session(entry.Session); err != nil || x.Practitioner != f.who.ID {
		t.Errorf("got %v, %v, want practitioner %q", x, err, f.who.ID)
	}
	for _, secret := range []string{entry.Session, entry.Device, goodPassword} {
		if bytes.Contains(f.stored(), []byte(secret)) {
			t.Errorf("%q itself is stored", secret)
		}
	}
	must(t, manager().SignOut(entry.Session))
	if x, err := manager().Session(entry.Session); !errors.Is(err, wire.ErrUnauthorized) {
		t.Errorf("still %v, %v after signing out", x, err)
	}
}

// A session that cannot be read is one that has ended, and is in nobody's way.
func TestUnreadableSessionsHaveEnded(t *testing.T) {
	f := newFixture(t)
	must(t, f.Sessions().Commit(tokenHash("older"), []byte{7, 255, 129, 2, 1}, noon.Add(time.Hour))) // as a library of before wrote it
	s, err := f.SignIns()
	must(t, err)
	if x, err := s.Session("older"); !errors.Is(err, wire.ErrUnauthorized) {
		t.Errorf("got %v, %v", x, err)
	}
	entry, err := s.SignIn(t.Context(), api.Browser{Session: "older"}, "", goodPassword)
	must(t, err)
	x, err := s.Session(entry.Session)
	must(t, err)
	if list, err := s.SignIns(x); err != nil || len(list) != 1 {
		t.Errorf("got %v, %v", list, err)
	}
	if n := f.count("session"); n != 1 {
		t.Errorf("%d are stored", n)
	}
}
