package httpui

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"anteroom/httpui/words"
	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// Every code has a status that fits, and a sentence.
func TestStatusOfCodes(t *testing.T) {
	want := map[wire.Code]int{
		wire.CodeBadMessage: 400, wire.CodeEarly: 409, wire.CodeEnded: 409, wire.CodeCancelled: 409, wire.CodeRevoked: 409, wire.CodeRotated: 409, wire.CodeDenied: 403, wire.CodeRemoved: 403,
		wire.CodeSeatTaken: 409, wire.CodeRoomFull: 409, wire.CodeRoomLocked: 409, wire.CodeNoSuchRoom: 404, wire.CodeNotInvited: 403,
		wire.CodeNotFound: 404, wire.CodeUnauthorized: 401, wire.CodeHostElsewhere: 409, wire.CodeReplaced: 409, wire.CodeTooSlow: 429,
		wire.CodeTooMany: 429, wire.CodeTimeout: 503, wire.CodeGoingAway: 503, wire.CodeNoStorage: 507, wire.CodeInternal: 500,
	}
	for _, code := range wire.Codes {
		no := refusalFor(fmt.Errorf("cancel: %w", &wire.Error{Code: code, Message: "CANARY"}))
		if no.status != want[code] || no.code != code || !strings.HasSuffix(words.English.Say(no.message), ".") || strings.Contains(fmt.Sprint(no.message), "CANARY") {
			t.Errorf("%s: %d %s %q", code, no.status, no.code, no.message)
		}
	}
	if no := refusalFor(errors.New("CANARY")); no.status != 500 || strings.Contains(fmt.Sprint(no.message), "CANARY") {
		t.Errorf("a private error: %d %q", no.status, no.message)
	}
	no := refusalFor(fmt.Errorf("create: %w", api.Refuse(wire.CodeRoomFull, "input.guests.many", api.Args{"n": 3})))
	if no.status != 409 || no.message.Code != "input.guests.many" || no.message.Args["n"] != 3 {
		t.Errorf("a refusal: %d %q", no.status, no.message)
	}
}

// On the public host, what only practitioners have looks like what nobody has.
func TestNotFoundIsOneAnswer(t *testing.T) {
	ts := newTest(t)
	for _, method := range []string{"GET", "POST"} {
		answer := func(path string) string {
			request := fmt.Sprintf("%s %s\nHost: %s\n", method, path, public)
			if method == "POST" {
				request += "Origin: https://" + public + "\nContent-Type: application/json\n\n{}"
			}
			resp := ts.ask(request)
			body, _ := io.ReadAll(resp.Body)
			return headerBlock(resp, "none") + string(body)
		}
		want := answer("/nowhere")
		if !strings.HasPrefix(want, "404 ") {
			t.Fatal(want)
		}
		for _, rt := range ts.routes {
			path := strings.NewReplacer("{id}", anAppt, "{member}", aMember).Replace(rt.pattern)
			if got := answer(path); !rt.public && got != want {
				t.Errorf("%s %s differs:\n%s", method, path, got)
			}
		}
	}
}
