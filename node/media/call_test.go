package media

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"anteroom/node/media/mediatest"
	"anteroom/rendezvous/wire"
)

func TestEchoCall(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	dr, guest := h.attend(mediatest.Lies{}), h.guest("Echo")
	guest.expect(EventJoined)
	waiting := dr.await(guest.member, func(g mediatest.Guest) bool { return g.Ready })
	if waiting.Name != "Echo" || waiting.State != wire.SeatWaiting || waiting.Verified {
		t.Errorf("waiting guest: %+v", waiting)
	}
	dr.admit(guest.member)
	guest.expect(EventAdmitted)
	guest.expect(EventVerified)
	dr.echoed(guest.member, 10)
	dr.do(dr.End())
	if err := guest.ends(); err != nil {
		t.Errorf("guest ended with %v", err)
	}
}

func TestPractitionerMayComeLater(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	guest := h.guest("Echo")
	guest.expect(EventJoined)
	dr := h.attend(mediatest.Lies{})
	dr.admit(guest.member)
	dr.echoed(guest.member, 3)
}

func TestKeyFramesAreAskedForAtTheSource(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	dr, guest := h.attend(mediatest.Lies{}), h.guest("Echo")
	dr.admit(guest.member)
	dr.echoed(guest.member, 1)
	first := dr.await(guest.member, func(g mediatest.Guest) bool { return g.KeyFrames > 0 })
	dr.do(dr.AskKeyFrame(guest.member))
	dr.await(guest.member, func(g mediatest.Guest) bool { return g.KeyFrames > first.KeyFrames })
}

func TestNothingComesBackWhileHeld(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	dr, guest := h.attend(mediatest.Lies{}), h.guest("Echo")
	dr.admit(guest.member)
	dr.echoed(guest.member, 3)
	guest.expect(EventJoined)
	guest.expect(EventAdmitted)
	guest.expect(EventVerified)

	dr.do(dr.Hold(guest.member, true))
	guest.expect(EventHeld)
	sent := func(more int) mediatest.Guest {
		begin := dr.now().Guests[guest.member].Sent
		return dr.await(guest.member, func(g mediatest.Guest) bool { return g.Sent >= begin+more })
	}
	before, after := sent(15), sent(60) // what was under way has arrived by then
	if before.Audio != after.Audio || before.Video != after.Video {
		t.Errorf("%d and %d packets came back on hold", after.Audio-before.Audio, after.Video-before.Video)
	}

	dr.do(dr.Hold(guest.member, false))
	guest.expect(EventAdmitted)
	dr.echoed(guest.member, 3)
	if g := dr.now().Guests[guest.member]; g.Connections != 1 {
		t.Errorf("%d connections, want the first to go on", g.Connections)
	}
}

func TestStepOutAndReadmit(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	dr, guest := h.attend(mediatest.Lies{}), h.guest("Echo")
	for range 3 {
		guest.expect(EventJoined)
		dr.admit(guest.member)
		guest.expect(EventAdmitted)
		guest.expect(EventVerified)
		dr.echoed(guest.member, 3)
		dr.do(dr.Leave())
	}
	guest.expect(EventJoined)
	if g := dr.await(guest.member, func(g mediatest.Guest) bool { return g.Ready }); g.Connections != 4 {
		t.Errorf("%d connections, want a new one each time", g.Connections)
	}
}

func TestTwoGuestsInAMesh(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	dr := h.attend(mediatest.Lies{})
	first, second := h.guest("First"), h.guest("Second")
	for _, guest := range []*running{first, second} {
		dr.admit(guest.member)
		guest.expect(EventJoined)
		guest.expect(EventAdmitted)
		guest.expect(EventVerified) // the practitioner
	}
	first.expect(EventVerified) // each other
	second.expect(EventVerified)
	dr.echoed(first.member, 3)
	dr.echoed(second.member, 3)

	second.stop()
	second.endsWith(context.Canceled)
	dr.sees(func(v mediatest.View) bool { _, here := v.Guests[second.member]; return !here })
	dr.echoed(first.member, 3)
}

func TestConnectionsMayBeginAnew(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	dr, guest := h.attend(mediatest.Lies{}), h.guest("Echo")
	dr.admit(guest.member)
	dr.echoed(guest.member, 3)
	answers := func(n int) {
		t.Helper()
		dr.await(guest.member, func(g mediatest.Guest) bool { return g.Answers == n })
	}

	dr.do(dr.Restart(guest.member)) // another path, the same connection
	answers(1)
	dr.echoed(guest.member, 3)

	dr.do(dr.Rebuild(guest.member)) // another connection, the same certificate
	answers(2)
	dr.echoed(guest.member, 3)

	again := h.attendWith(wire.Attend{Tab: random()[:16], Take: true}, mediatest.Lies{}) // another page
	again.echoed(guest.member, 3)
	if code := dr.sees(func(v mediatest.View) bool { return v.Code != "" }).Code; code != wire.CodeReplaced {
		t.Errorf("the first page was told %s", code)
	}
}

func TestReasonsToGo(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		act  func(*home, *practitioner, *running)
		want error
	}{
		{"denied", func(_ *home, dr *practitioner, g *running) { dr.do(dr.Deny(g.member)) }, wire.ErrDenied},
		{"removed", func(_ *home, dr *practitioner, g *running) {
			dr.admit(g.member)
			dr.echoed(g.member, 1)
			dr.do(dr.Remove(g.member))
		}, wire.ErrRemoved},
		{"node stops", func(h *home, _ *practitioner, _ *running) { h.room.Close(wire.ErrGoingAway) }, wire.ErrGoingAway},
		{"gateway gone", func(_ *home, _ *practitioner, g *running) { g.conn.Close(nil) }, wire.ErrGoingAway},
		{"stopped", func(_ *home, _ *practitioner, g *running) { g.stop() }, context.Canceled},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			dr, guest := h.attend(mediatest.Lies{}), h.guest("Echo")
			guest.expect(EventJoined)
			dr.await(guest.member, func(g mediatest.Guest) bool { return g.Ready })
			row.act(h, dr, guest)
			guest.endsWith(row.want)
		})
	}
}

func TestStoppedGuestFreesItsSeat(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	dr, guest := h.attend(mediatest.Lies{}), h.guest("Echo")
	dr.admit(guest.member)
	dr.echoed(guest.member, 1)
	guest.stop()
	dr.sees(func(v mediatest.View) bool { return len(v.Guests) == 0 }) // not "disconnected"
}

func TestGuestDoesNotTryAClosedDoor(t *testing.T) {
	t.Parallel()
	for state, want := range map[wire.WindowState]error{
		wire.WindowEarly: wire.ErrEarly, wire.WindowEnded: wire.ErrEnded, wire.WindowFull: wire.ErrSeatTaken,
		wire.WindowCancelled: wire.ErrCancelled, wire.WindowRevoked: wire.ErrRevoked, wire.WindowRotated: wire.ErrRotated,
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			h.state = state
			guest := h.guest("Echo")
			guest.endsWith(want)
			if !h.room.Empty() {
				t.Error("it joined")
			}
		})
	}
}

func TestForeignLinkIsRefused(t *testing.T) {
	t.Parallel()
	h, other := newHome(t), newHome(t)
	link, member := other.invite()
	if err := h.guestWith(link, member, "Echo").ends(); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("guest ended with %v", err)
	}
}

// What the home node said before it closed is why the call ended, though the
// guest finds out first that it cannot send.
func TestReasonDecidesThoughNothingCanBeSent(t *testing.T) {
	here, there := wire.Pipe()
	bye, err := wire.Encode(&wire.Bye{Code: wire.CodeDenied})
	if err != nil {
		t.Fatal(err)
	}
	if err := there.Send(bye); err != nil {
		t.Fatal(err)
	}
	there.Close(nil)
	log := slog.New(slog.DiscardHandler)
	engine, err := newEngine(&wire.Welcome{}, log)
	if err != nil {
		t.Fatal(err)
	}
	c := &call{conn: here, engine: engine, log: log}
	if err := c.run(t.Context(), &wire.Join{Name: "Echo", Fingerprint: engine.fingerprint}); !errors.Is(err, wire.ErrDenied) {
		t.Errorf("the call ended with %v, want denied", err)
	}
}
