package httpui

import (
	"strings"
	"testing"
	"time"

	"anteroom/httpui/words"
	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// launchToken is the token in a launch address of the practitioner.
func (ts *testServer) launchToken(practitioner string) map[string]string {
	ts.t.Helper()
	address, token, ok := strings.Cut(ts.LaunchURL(practitioner), "/#launch=")
	if !ok || address != "http://"+local || len(token) != 43 {
		ts.t.Fatalf("launch address %s", ts.LaunchURL(practitioner))
	}
	return map[string]string{"token": token}
}

func TestLaunchSignsIn(t *testing.T) {
	ts := newTest(t)
	token := ts.launchToken(leeID)
	lee := ts.browser()
	if state := lee.expect(200, "POST", "/api/launch", token)["state"]; state != stateSignedIn {
		t.Errorf("state %v", state)
	}
	if state := lee.expect(200, "GET", "/api/session", nil)["state"]; state != stateSignedIn {
		t.Errorf("state %v before the tab has its token", state)
	}
	lee.fetchTab().expect(200, "GET", "/api/desk", nil)

	if _, out := ts.browser().fetch("POST", "/api/launch", token); out["code"] != "unauthorized" {
		t.Errorf("a launch address worked twice: %v", out)
	}
}

func TestLaunchExpires(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		early, late := ts.launchToken(leeID), ts.launchToken(leeID)
		pass(launchTime - time.Second)
		ts.browser().expect(200, "POST", "/api/launch", early)
		pass(time.Second)
		ts.browser().expect(401, "POST", "/api/launch", late)
	})
}

func TestSetUp(t *testing.T) {
	ts := newTest(t)
	ts.backend.fresh = true
	answers := map[string]string{"practice": "CANARY-practice", "name": leeName, "password": leePassword}

	b := ts.browser()
	if state := b.expect(200, "GET", "/api/session", nil)["state"]; state != stateSetUp {
		t.Errorf("state %v", state)
	}
	b.expect(401, "POST", "/api/setup", answers) // whoever finds the port does not own the node
	b.expect(401, "POST", "/api/signin", map[string]string{"name": "", "password": ""})

	token := ts.launchToken("")
	if state := b.expect(200, "POST", "/api/launch", token)["state"]; state != stateSetUp {
		t.Errorf("state %v", state)
	}
	b.expect(401, "POST", "/api/tab", nil) // it may set up, and nothing else
	b.expect(401, "GET", "/api/desk", nil)
	permission := *b.cookie

	for _, bad := range []map[string]string{
		{"practice": " ", "name": leeName, "password": leePassword},
		{"practice": "CANARY-practice", "name": "", "password": leePassword},
		{"practice": strings.Repeat("x", 65), "name": leeName, "password": leePassword},
		{"practice": "CANARY-practice", "name": leeName, "password": "short"},
	} {
		out := b.expect(400, "POST", "/api/setup", bad)
		if words.English.Messages[says(out)] == "" {
			t.Errorf("%v is no sentence", out)
		}
	}
	if state := b.expect(200, "POST", "/api/setup", answers)["state"]; state != stateSignedIn {
		t.Errorf("state %v", state)
	}
	b.fetchTab().expect(200, "GET", "/api/desk", nil)
	if b.cookie.Value == permission.Value {
		t.Error("the cookie is the same after setting up")
	}

	again := ts.browser()
	again.cookie = &permission
	again.expect(401, "POST", "/api/setup", answers)
	b.expect(401, "POST", "/api/setup", answers)
	ts.browser().expect(401, "POST", "/api/launch", ts.launchToken("")) // too late to set up
}

// A launch address that could not be used is good still: nobody was let in.
func TestLaunchOnAFullDisk(t *testing.T) {
	for _, id := range []string{leeID, ""} {
		ts := newTest(t)
		ts.backend.fresh = id == ""
		token := ts.launchToken(id)
		ts.store.setFail(api.Refuse(wire.CodeNoStorage, "refusal.disk-full", nil))
		for range 3 {
			if out := ts.browser().expect(507, "POST", "/api/launch", token); out["code"] != "no-storage" || says(out) != "refusal.disk-full" {
				t.Errorf("%v", out)
			}
		}
		ts.store.setFail(nil)
		ts.browser().expect(200, "POST", "/api/launch", token)
		ts.browser().expect(401, "POST", "/api/launch", token)
	}
}

// Who is signed in stays so while the disk is full: that is when they are needed.
func TestSessionOnAFullDisk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lee := ts.signedIn()
		ts.store.setFailCommit(api.Refuse(wire.CodeNoStorage, "refusal.disk-full", nil))
		pass(5 * time.Second)
		lee.expect(200, "GET", "/api/desk", nil)
		pass(time.Hour)
		lee.expect(401, "GET", "/api/desk", nil)
	})
}
