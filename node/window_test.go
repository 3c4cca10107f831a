package node_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"anteroom/node"
	"anteroom/node/nodetest"
	"anteroom/node/polltest"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// A clock is a node's, which a test moves.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time  { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) to(at time.Time) { c.ahead.Store(int64(time.Until(at))) }

// late is a node with an appointment whose window has just closed, and guests
// who had knocked before; the first was admitted.
type late struct {
	*nodetest.Node
	*clock
	a           practice.Made
	host        *nodetest.Member
	talks, sits *nodetest.Member
}

func newLate(t *testing.T, o nodetest.Options) *late {
	t.Helper()
	l := &late{clock: new(clock)}
	o.Clock = l.now
	l.Node = nodetest.Start(t, "A", o)
	l.a = l.Appointment("Patient", "Carer")
	l.host = l.Attend(l.a.ID)
	l.talks, l.sits = l.MustGuest(l.a.Links[0].Link), l.MustGuest(l.a.Links[1].Link)
	for _, guest := range []*nodetest.Member{l.talks, l.sits} {
		guest.Join("Ana", nil)
		nodetest.Expect[*wire.Seat](guest, nil)
	}
	l.host.Say(&wire.Admit{Member: l.a.Invites[0].Member})
	expectSeat(t, l.talks, wire.SeatAdmitted)
	l.to(l.a.Closes())
	return l
}

func expectSeat(t *testing.T, m *nodetest.Member, want wire.SeatState) {
	t.Helper()
	if s := nodetest.Expect[*wire.Seat](m, nil); s.State != want {
		t.Fatalf("the seat is %s, want %s", s.State, want)
	}
}

func expectBye(t *testing.T, m *nodetest.Member, want wire.Code) {
	t.Helper()
	if bye := nodetest.Expect[*wire.Bye](m, nil); bye.Code != want {
		t.Fatalf("bye %s, want %s", bye.Code, want)
	}
}

// Both sides warn of the planned end; the window closes later.
func TestWelcomeTellsPlanAndWindow(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	a := home.Appointment("Patient")
	guest := home.MustGuest(a.Links[0].Link).Welcome
	host := nodetest.Expect[*wire.Welcome](home.Attend(a.ID), nil)
	for _, w := range []*wire.Welcome{guest, host} {
		got := []int64{w.Opens, w.Starts, w.Ends, w.Closes}
		if want := []int64{a.Opens().Unix(), a.Starts.Unix(), a.Ends().Unix(), a.Closes().Unix()}; !slices.Equal(got, want) {
			t.Errorf("times %v, want %v", got, want)
		}
	}
}

// The end of the window cuts no call off: a guest whose device changes
// networks comes back, and so does one who had knocked in time.
func TestDeviceComesBackAfterTheWindow(t *testing.T) {
	relay := &grants{url: "turn:198.51.100.1:3478"}
	l := newLate(t, nodetest.Options{Relay: relay})
	for i, c := range []struct {
		guest *nodetest.Member
		want  wire.SeatState
	}{{l.talks, wire.SeatAdmitted}, {l.sits, wire.SeatWaiting}} {
		c.guest.Conn.Close(nil)
		back := l.MustGuest(l.a.Links[i].Link)
		if back.Welcome.State != wire.WindowFull {
			t.Errorf("the window is %s to whom holds a seat, want full", back.Welcome.State)
		}
		back.Join("Ana", c.guest.Welcome.Resume)
		expectSeat(t, back, c.want)
	}
	if until := relay.until[len(relay.until)-1]; !until.After(l.now()) {
		t.Errorf("the relay's credentials have ended at %v", until)
	}
	l.host.Say(&wire.Admit{Member: l.a.Invites[1].Member})
	polltest.Eventually(t, "both admitted", func() bool { return l.Status().InCall == 2 })

	thief := l.MustGuest(l.a.Links[0].Link)
	thief.Join("Mallory", nil)
	expectBye(t, thief, wire.CodeSeatTaken)
}

// Nor does a node that starts again after the window.
func TestDeviceComesBackToAnotherStartAfterTheWindow(t *testing.T) {
	l := newLate(t, nodetest.Options{})
	l.Stop()
	again := nodetest.Start(t, "A", nodetest.Options{Dir: l.Dir, Clock: l.now})
	back := again.MustGuest(l.a.Links[0].Link)
	back.Join("Ana", l.talks.Welcome.Resume)
	expectSeat(t, back, wire.SeatAdmitted)
}

func TestFreeSeatStaysFreeAfterTheWindow(t *testing.T) {
	l := newLate(t, nodetest.Options{})
	l.sits.Say(&wire.Leave{})
	<-l.sits.Done
	back := l.MustGuest(l.a.Links[1].Link)
	if back.Welcome.State != wire.WindowEnded {
		t.Errorf("the window is %s, want ended", back.Welcome.State)
	}
	back.Join("Ana", l.sits.Welcome.Resume)
	expectBye(t, back, wire.CodeEnded)
}

// The practitioner may step out and let the same people in again.
func TestStepOutAfterTheWindow(t *testing.T) {
	l := newLate(t, nodetest.Options{})
	l.host.Say(&wire.Leave{})
	expectSeat(t, l.talks, wire.SeatWaiting)
	l.host.Say(&wire.Admit{Member: l.a.Invites[0].Member})
	expectSeat(t, l.talks, wire.SeatAdmitted)
}

// Nobody waits for ever: some time after the window whoever still waits is sent
// away, unless the practitioner has the room open.
func TestNobodyWaitsLongBeyondTheWindow(t *testing.T) {
	clock := new(clock)
	home := nodetest.Start(t, "A", nodetest.Options{Clock: clock.now})
	a := home.Appointment("Patient")
	guest := home.MustGuest(a.Links[0].Link)
	guest.Join("Ana", nil)
	expectSeat(t, guest, wire.SeatWaiting)
	clock.to(a.Closes().Add(node.PatienceAfter - time.Minute))
	home.Clear()
	if home.Status().Waiting != 1 {
		t.Fatal("sent away too early")
	}
	clock.to(a.Closes().Add(node.PatienceAfter))
	home.Clear()
	expectBye(t, guest, wire.CodeEnded)
	if w := home.MustGuest(a.Links[0].Link).Welcome; w.State != wire.WindowEnded {
		t.Errorf("afterwards the window is %s", w.State)
	}

	l := newLate(t, nodetest.Options{})
	l.to(l.a.Closes().Add(10 * node.PatienceAfter))
	l.Clear()
	if s := l.Status(); s.Waiting != 1 || s.InCall != 1 {
		t.Errorf("the practitioner has the room open, and %d wait and %d are admitted", s.Waiting, s.InCall)
	}
}

// A practitioner stays signed in for whom they expect, and no longer.
func TestGuestsAreExpectedUntilThePlannedEnd(t *testing.T) {
	l := newLate(t, nodetest.Options{})
	b := l.Appointment("Nobody")
	if l.Expects(b.ID) {
		t.Error("expected at a door that nobody attends")
	}
	l.Attend(b.ID)
	polltest.Eventually(t, "the door is attended", func() bool { return l.Expects(b.ID) })
	l.to(b.Ends())
	if l.Expects(b.ID) {
		t.Error("expected after the planned end")
	}
	if !l.Expects(l.a.ID) {
		t.Error("not expected, but there")
	}
}
