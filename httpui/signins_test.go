package httpui

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// signIns asks for a practitioner's sessions, by the way at path.
func (b *browser) signIns(method, path string) []api.SignIn {
	b.ts.t.Helper()
	resp := b.do(method, path, nil)
	defer resp.Body.Close()
	var out signIns
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != http.StatusOK {
		b.ts.t.Fatalf("%s %s: status %d, %v", method, path, resp.StatusCode, err)
	}
	return out.Sessions
}

func TestPractitionerSeesTheirSessions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		ts.session("p2") // somebody else's
		start := time.Now().Unix()
		idle := ts.signedIn()
		pass(5 * time.Minute)
		lee := ts.signedIn()
		pass(time.Minute)
		got := lee.signIns("GET", "/api/sessions")
		if len(got) != 2 || got[0].This || !got[1].This || got[0].ID == got[1].ID {
			t.Fatalf("got %+v", got)
		}
		for i, want := range []api.SignIn{{Since: start, Seen: start}, {Since: start + 300, Seen: start + 360}} {
			if got[i].Since != want.Since || got[i].Seen != want.Seen {
				t.Errorf("session %d: since %d, seen %d, want %d, %d", i, got[i].Since-start, got[i].Seen-start, want.Since-start, want.Seen-start)
			}
		}
		pass(sessionIdle - 6*time.Minute)
		if got := lee.signIns("GET", "/api/sessions"); len(got) != 1 || !got[0].This {
			t.Errorf("after one has ended: %+v", got)
		}
		idle.expect(401, "GET", "/api/sessions", nil)
	})
}

func TestPractitionerEndsOtherSessions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		foreign := ts.session("p2")
		theirs, err := ts.accounts.Session(foreign)
		if err != nil {
			t.Fatal(err)
		}
		var browsers []*browser
		var sockets []<-chan error
		for range 4 {
			b := ts.signedIn()
			browsers, sockets = append(browsers, b), append(sockets, keepReading(b.openDesk()))
			pass(time.Second)
		}
		lee := browsers[3]
		list := lee.signIns("GET", "/api/sessions")

		started := time.Now()
		if left := lee.signIns("POST", "/api/sessions/"+list[1].ID+"/end"); len(left) != 3 {
			t.Errorf("%d sessions are left", len(left))
		}
		if err := <-sockets[1]; !errors.Is(err, wire.ErrUnauthorized) || time.Since(started) > time.Second {
			t.Errorf("its socket ended with %v after %v", err, time.Since(started))
		}
		browsers[1].expect(401, "GET", "/api/desk", nil)
		browsers[0].expect(200, "GET", "/api/desk", nil)

		// Neither one's own, nor anybody else's, nor one that there is not.
		for _, id := range []string{list[3].ID, theirs.ID, "x"} {
			if left := lee.signIns("POST", "/api/sessions/"+id+"/end"); len(left) != 3 {
				t.Errorf("%d sessions are left", len(left))
			}
		}
		if left := lee.signIns("POST", "/api/sessions/end-others"); len(left) != 1 || !left[0].This {
			t.Errorf("left are %+v", left)
		}
		for _, i := range []int{0, 2} {
			if err := <-sockets[i]; !errors.Is(err, wire.ErrUnauthorized) {
				t.Errorf("socket %d ended with %v", i, err)
			}
			browsers[i].expect(401, "GET", "/api/desk", nil)
		}
		lee.expect(200, "GET", "/api/desk", nil)
		if _, err := ts.accounts.Session(foreign); err != nil {
			t.Errorf("another practitioner's session: %v", err)
		}
	})
}
