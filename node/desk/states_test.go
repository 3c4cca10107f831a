package desk

import (
	"errors"
	"testing"

	"anteroom/node/desk/api"
	"anteroom/node/people"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

func TestGuestState(t *testing.T) {
	for _, c := range []struct {
		stored practice.InviteState
		live   wire.SeatState
		want   string
	}{
		{practice.InviteUnused, "", "unused"},
		{practice.InviteWaiting, wire.SeatWaiting, "waiting"},
		{practice.InviteWaiting, "", "unused"}, // knocked, and closed the page
		{practice.InviteAdmitted, wire.SeatAdmitted, "admitted"},
		{practice.InviteAdmitted, wire.SeatHeld, "admitted"},
		{practice.InviteAdmitted, wire.SeatWaiting, "waiting"}, // the practitioner stepped out
		{practice.InviteAdmitted, "", "used"},
		{practice.InviteUsed, "", "used"},
		{practice.InviteUsed, wire.SeatWaiting, "waiting"}, // again
		{practice.InviteRevoked, "", "revoked"},
		{practice.InviteRevoked, wire.SeatAdmitted, "revoked"}, // on the way out
	} {
		if got := guestState(c.stored, c.live); got != c.want {
			t.Errorf("%s, %q: got %s, want %s", c.stored, c.live, got, c.want)
		}
	}
}

// The window's end cuts nobody off: the diary shows the room as open, and the
// page attends it, until the last guest has gone.
func TestShownState(t *testing.T) {
	here := map[wire.MemberID]wire.SeatState{"0123456789abcdef": wire.SeatWaiting}
	for _, c := range []struct {
		is   practice.State
		live map[wire.MemberID]wire.SeatState
		want string
	}{
		{practice.StateEarly, nil, "early"},
		{practice.StateOpen, nil, "open"},
		{practice.StateOpen, here, "open"},
		{practice.StateEnded, nil, "ended"},
		{practice.StateEnded, here, "open"},
		{practice.StateCancelled, here, "cancelled"}, // on the way out
	} {
		if got := shownState(c.is, c.live); got != c.want {
			t.Errorf("%s with %d guests: got %s, want %s", c.is, len(c.live), got, c.want)
		}
	}
}

func TestReadable(t *testing.T) {
	unknown := errors.New("disk on fire")
	for _, c := range []struct {
		err     error
		code    wire.Code
		message string
	}{
		{&practice.InvalidError{Field: "label", Message: api.NewMessage("input.long", nil)}, wire.CodeBadMessage, "input.long"},
		{practice.ErrNotFound, wire.CodeNotFound, "refusal.no-such"},
		{people.ErrAlreadySetUp, wire.CodeUnauthorized, "refusal.set-up-already"},
		{wire.ErrEnded, wire.CodeEnded, "refusal.over"},
		{ErrNoEcho, wire.CodeNotFound, "refusal.no-test-calls"},
		{ErrEchoFailed, wire.CodeTimeout, "refusal.test-call"},
	} {
		refusal, ok := errors.AsType[*api.Refusal](Readable(c.err))
		if !ok || refusal.Code != c.code || refusal.Message.Code != c.message {
			t.Errorf("%v: got %v", c.err, Readable(c.err))
		}
	}
	if err := Readable(nil); err != nil {
		t.Errorf("nil: got %v", err)
	}
	if err := Readable(unknown); err != unknown { // the same one, unwrapped
		t.Errorf("unknown: got %v", err)
	}
}
