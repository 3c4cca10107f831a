package people

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"anteroom/node/store/storetest"
)

var (
	_ scs.CtxStore         = Sessions{}
	_ scs.IterableCtxStore = Sessions{}
	_ scs.IterableStore    = Sessions{}
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

// TestSessionsServeTheManager signs in through scs as httpui does.
func TestSessionsServeTheManager(t *testing.T) {
	f := newFixture(t)
	manager := &scs.SessionManager{ // not scs.New, whose own store starts a goroutine
		Store: f.Sessions(), HashTokenInStore: true, Codec: scs.GobCodec{},
		Lifetime: 10 * time.Hour, Cookie: scs.SessionCookie{Name: "session"},
	}
	f.now = time.Now() // scs has no other clock
	visit := func(cookie *http.Cookie, do func(r *http.Request)) *http.Cookie {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		if cookie != nil {
			r.AddCookie(cookie)
		}
		manager.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r) })).ServeHTTP(w, r)
		if cookies := w.Result().Cookies(); len(cookies) == 1 {
			return cookies[0]
		}
		return cookie
	}
	cookie := visit(nil, func(r *http.Request) { manager.Put(r.Context(), "practitioner", f.who.ID) })
	if cookie == nil {
		t.Fatal("no cookie")
	}
	f.reopen(cheap)
	manager.Store = f.Sessions()
	var got string
	visit(cookie, func(r *http.Request) { got = manager.GetString(r.Context(), "practitioner") })
	if got != f.who.ID {
		t.Errorf("got practitioner %q, want %q", got, f.who.ID)
	}
	if bytes.Contains(f.stored(), []byte(cookie.Value)) {
		t.Error("the token itself is stored")
	}
	visit(cookie, func(r *http.Request) { must(t, manager.Destroy(r.Context())) })
	visit(cookie, func(r *http.Request) { got = manager.GetString(r.Context(), "practitioner") })
	if got != "" {
		t.Errorf("still %q after signing out", got)
	}
}
