package room

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"anteroom/rendezvous/wire"
)

func TestDeniedGuestCannotKnockForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h, p := r.enter(host()), r.enter(guest(1))
		synctest.Wait()
		h.say(&wire.Deny{Member: guest(1).Member})
		p.expectBye(wire.ErrDenied)
		<-p.done
		r.enter(guest(1)).expectBye(wire.ErrDenied)
		time.Sleep(refusalTime)
		expect[*wire.Seat](r.enter(guest(1)))
	})
}

func TestEndAndStepOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h, a, b := r.enter(host()), r.enter(guest(1)), r.enter(guest(2))
		synctest.Wait()
		h.say(&wire.Admit{Member: guest(1).Member})
		a.heard()
		h.say(&wire.Leave{})
		if got := expect[*wire.Seat](a); got.State != wire.SeatWaiting {
			t.Errorf("after the practitioner stepped out: %s", got.State)
		}
		synctest.Wait()
		if !r.rec.has("waiting 0000000000000001") || r.rec.has("released 0000000000000001") {
			t.Error("the seat was not put back, or was given up")
		}
		a.say(offer("again"))
		synctest.Wait()
		h.say(&wire.Admit{Member: guest(1).Member, SDP: "x"})
		expect[*wire.Description](a)
		h.say(&wire.End{})
		a.expectBye(wire.ErrEnded)
		if err := <-a.done; !errors.Is(err, wire.ErrEnded) {
			t.Errorf("Serve returned %v", err)
		}
		if got := expect[*wire.Seat](b); got.State != wire.SeatWaiting {
			t.Errorf("the guest who waits: %s", got.State)
		}
		b.say(&wire.Leave{})
		if err := <-b.done; err != nil {
			t.Errorf("leaving returned %v", err)
		}
	})
}

// Whoever was away when the call was ended does not wait for it to go on.
func TestEndIsToldToWhoComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		p := guest(1)
		p.Device = fill(1)
		h, a := r.enter(host()), r.enter(p)
		synctest.Wait()
		h.say(&wire.Admit{Member: p.Member})
		a.heard()
		a.conn.Close(nil)
		<-a.done
		h.say(&wire.End{})
		synctest.Wait()
		other := p
		other.Device = fill(2)
		o := r.enter(other) // whose seat it is now
		expect[*wire.Seat](o)
		o.say(&wire.Leave{})
		<-o.done
		r.enter(p).expectBye(wire.ErrEnded)
		if got := expect[*wire.Seat](r.enter(p)); got.State != wire.SeatWaiting {
			t.Errorf("knocking anew: %s", got.State)
		}
	})
}

func TestHostTabs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		first := r.enter(host())
		synctest.Wait()
		other := host()
		other.Tab = bytes.Repeat([]byte{2}, 16)
		r.enter(other).expectBye(wire.ErrHostElsewhere)
		other.Take = true
		r.enter(other)
		first.expectBye(wire.ErrReplaced)
		<-first.done
		second := r.enter(other) // the same tab, after a lost connection
		expect[*wire.Roster](second)
	})
}

func TestLockHoldAndFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h := r.enter(host())
		var guests []*member
		for i := range 4 {
			guests = append(guests, r.enter(guest(i+1)))
		}
		synctest.Wait()
		for i := range 3 {
			h.say(&wire.Admit{Member: guest(i + 1).Member})
		}
		synctest.Wait()
		h.heard()
		h.say(&wire.Admit{Member: guest(4).Member})
		if got := expect[*wire.ErrorBody](h); got.Code != wire.CodeRoomFull {
			t.Errorf("the fifth person: %s", got.Code)
		}
		guests[0].heard()
		h.say(&wire.Hold{Member: guest(1).Member, On: true})
		if got := expect[*wire.Seat](guests[0]); got.State != wire.SeatHeld {
			t.Errorf("state %s, want held", got.State)
		}
		h.say(&wire.Lock{On: true})
		synctest.Wait()
		r.enter(guest(5)).expectBye(wire.ErrRoomLocked)
	})
}

// inCall has a practitioner and a guest whom they have let in.
func inCall(r *fixture) (h, g *member) {
	r.t.Helper()
	h, g = r.enter(host()), r.enter(guest(1))
	synctest.Wait()
	h.say(&wire.Admit{Member: guest(1).Member})
	synctest.Wait()
	return h, g
}

// holdSlowly has the recording of the next hold wait until release is called.
func (r *recorder) holdSlowly() (release func()) {
	disk := make(chan struct{})
	r.before = func() {
		r.before = nil
		<-disk
	}
	return func() { close(disk) }
}

func TestCloseWaitsForWhatSomebodyWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h, g := inCall(r)
		h.say(&wire.Hold{Member: guest(1).Member, On: true})
		g.heard()
		release := r.rec.holdSlowly()
		h.say(&wire.Hold{Member: guest(1).Member, On: false})
		if got := expect[*wire.Seat](g); got.State != wire.SeatAdmitted {
			t.Fatalf("state %s, want admitted", got.State)
		}
		closed := make(chan struct{})
		go func() {
			r.Close(wire.ErrGoingAway)
			close(closed)
		}()
		g.expectBye(wire.ErrGoingAway)
		synctest.Wait()
		select {
		case <-closed:
			t.Error("it did not wait for the record")
		default:
		}
		release()
		<-closed
		if !r.rec.has(fmt.Sprintf("held %s false", guest(1).Member)) {
			t.Error("a guest who was told that they are back is still held on record")
		}
	})
}

// A seat that runs out while the node stops is written down before the store is
// closed: the timer's work is the room's.
func TestCloseWaitsForASeatThatRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		g := r.enter(guest(1))
		expect[*wire.Seat](g)
		g.conn.Close(nil)
		<-g.done
		disk := make(chan struct{})
		r.rec.releasing = func() { <-disk }
		time.Sleep(seatGrace)
		synctest.Wait() // the timer writes
		closed := make(chan struct{})
		go func() { // ends with the record
			r.Close(wire.ErrGoingAway)
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("it did not wait for the record")
		default:
		}
		close(disk)
		<-closed
		if !r.rec.has(fmt.Sprintf("released %s", guest(1).Member)) {
			t.Error("the seat is still bound on record")
		}
	})
}

func TestNothingBeginsInAClosedRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		inCall(r)
		r.mu.Lock()
		h, g := r.seatLocked(wire.HostID), r.seatLocked(guest(1).Member)
		hl, gl := h.link, g.link
		r.mu.Unlock()
		r.Close(wire.ErrGoingAway)
		before := len(r.rec.lines)
		if err := r.handle(g, gl, &wire.Leave{}); !errors.Is(err, wire.ErrGoingAway) {
			t.Errorf("a guest leaves: %v", err)
		}
		if err := r.handle(h, hl, &wire.End{}); !errors.Is(err, wire.ErrGoingAway) {
			t.Errorf("the practitioner ends the call: %v", err)
		}
		r.enter(guest(2)).expectBye(wire.ErrGoingAway)
		r.TurnAway(wire.ErrEnded)
		if now := r.rec.lines[before:]; len(now) > 0 {
			t.Errorf("recorded: %q", now)
		}
	})
}

// Two tabs may command at once, when one takes over from the other.
func TestHoldsAreRecordedInTheOrderInWhichTheyHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h, g := inCall(r)
		h.say(&wire.Hold{Member: guest(1).Member, On: true})
		g.heard()
		release := r.rec.holdSlowly()
		h.say(&wire.Hold{Member: guest(1).Member, On: false})
		g.heard()
		later := host()
		later.Tab, later.Take = bytes.Repeat([]byte{2}, 16), true
		other := r.enter(later)
		h.expectBye(wire.ErrReplaced)
		other.say(&wire.Hold{Member: guest(1).Member, On: true})
		synctest.Wait()
		release()
		if got := expect[*wire.Seat](g); got.State != wire.SeatHeld {
			t.Fatalf("state %s, want held", got.State)
		}
		synctest.Wait()
		want := fmt.Sprintf("held %s true", guest(1).Member)
		if got := r.rec.lines[len(r.rec.lines)-1]; got != want {
			t.Errorf("a guest is held, and the last record is %q", got)
		}
	})
}

func TestNobodyElseIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h, _ := inCall(r)
		r.enter(guest(2)) // waits
		synctest.Wait()
		h.heard()
		for _, m := range []wire.MemberID{guest(2).Member, guest(3).Member, wire.HostID} { // guest 3 may be in another room
			for _, on := range []bool{true, false} {
				before := len(r.rec.lines)
				h.say(&wire.Hold{Member: m, On: on})
				if got := expect[*wire.ErrorBody](h); got.Code != wire.CodeNoSuchRoom {
					t.Errorf("%s, %t: %s", m, on, got.Code)
				}
				if now := r.rec.lines[before:]; len(now) > 0 {
					t.Errorf("%s, %t: recorded %q", m, on, now)
				}
			}
		}
	})
}

// A connection that another has replaced says nothing more for its member.
func TestReplacedConnectionsHaveNoSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		inCall(r)
		r.mu.Lock()
		h, g := r.seatLocked(wire.HostID), r.seatLocked(guest(1).Member)
		hl, gl := h.link, g.link
		r.mu.Unlock()
		again := guest(1)
		again.Returning = true
		back := r.enter(again)
		r.enter(host())
		synctest.Wait()
		if err := r.handle(g, gl, &wire.Leave{}); !errors.Is(err, errLeft) {
			t.Errorf("the guest's: %v", err)
		}
		if r.rec.has(fmt.Sprintf("released %s", guest(1).Member)) || !r.Occupied(guest(1).Member) {
			t.Error("the guest lost their seat to it")
		}
		back.heard()
		for _, body := range []wire.Body{&wire.Leave{}, &wire.End{}, &wire.Remove{Member: guest(1).Member}} {
			if err := r.handle(h, hl, body); !errors.Is(err, wire.ErrReplaced) {
				t.Errorf("the practitioner's %T: %v", body, err)
			}
		}
		if heard := back.heard(); len(heard) > 0 {
			t.Errorf("the guest heard %+v", heard)
		}
	})
}
