package room

import (
	"bytes"
	"errors"
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
