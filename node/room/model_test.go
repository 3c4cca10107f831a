package room

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"anteroom/rendezvous/wire"
)

// A walker is one person of a random walk, and what they have been told.
type walker struct {
	*member
	p     Guest // of the practitioner, what everybody has
	seen  map[wire.MemberID]*wire.Introduce
	state wire.SeatState // "" while not in the room
}

// TestRandomWalks lets people come, go, drop and return, and the practitioner
// do anything, in any order. After every step each must know exactly what
// their state allows.
func TestRandomWalks(t *testing.T) {
	for walk := range 200 {
		t.Run(fmt.Sprint(walk), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomWalk(t, rand.New(rand.NewPCG(uint64(walk), 1)), 60) })
		})
	}
}

func randomWalk(t *testing.T, rnd *rand.Rand, steps int) {
	r := newRoom(t)
	h := &walker{p: Guest{Member: wire.HostID, Fingerprint: host().Fingerprint}}
	guests := make([]*walker, 5)
	for i := range guests {
		guests[i] = &walker{p: guest(i + 1)}
	}
	everyone := append([]*walker{h}, guests...)
	for step := range steps {
		g := guests[rnd.IntN(len(guests))]
		who := g
		if rnd.IntN(4) == 0 {
			who = h
		}
		what := rnd.IntN(12)
		switch {
		case who.member == nil:
			r.bring(who)
		case what == 0:
			who.conn.Close(nil) // the network drops
			<-who.done
			who.member, who.state = nil, ""
		case what == 1:
			who.say(&wire.Leave{})
		case what == 2 && g.member != nil:
			g.say(offer("o"))
			g.say(&wire.Candidate{Peer: wire.HostID, Candidate: "c"})
		case what == 3:
			time.Sleep(time.Duration(rnd.IntN(60)) * time.Second)
		case h.member == nil:
		case what == 4:
			h.say(&wire.Deny{Member: g.p.Member})
		case what == 5:
			h.say(&wire.Hold{Member: g.p.Member, On: rnd.IntN(2) == 0})
		case what == 6 && rnd.IntN(4) == 0:
			h.say(&wire.End{})
		case what == 7:
			h.say(&wire.Lock{On: rnd.IntN(3) == 0})
		default:
			h.say(&wire.Admit{Member: g.p.Member})
		}
		time.Sleep(time.Second) // nobody is noisy
		for _, w := range everyone {
			w.listen(t, step)
		}
		check(t, step, h, guests)
	}
	for _, w := range everyone {
		if w.member != nil {
			w.conn.Close(nil)
			<-w.done
		}
	}
	time.Sleep(seatGrace)
	synctest.Wait()
	if !r.Empty() {
		t.Error("seats are left over")
	}
}

// bring makes w come, or come back.
func (f *fixture) bring(w *walker) {
	w.seen = make(map[wire.MemberID]*wire.Introduce)
	if w.p.Member == wire.HostID {
		w.member, w.state = f.enter(host()), wire.SeatAdmitted
		return
	}
	w.p.Returning = f.Occupied(w.p.Member)
	w.member = f.enter(w.p)
}

// listen notes what w has been told, and that it was allowed to know.
func (w *walker) listen(t *testing.T, step int) {
	if w.member == nil {
		return
	}
	for _, body := range w.heard() {
		switch m := body.(type) {
		case *wire.Seat:
			if m.State == wire.SeatWaiting {
				w.seen = make(map[wire.MemberID]*wire.Introduce)
			}
			w.state = m.State
		case *wire.Introduce:
			w.seen[m.Member] = m
		case *wire.Bye:
			<-w.done
			w.member, w.state = nil, ""
			return
		}
		switch body.(type) {
		case *wire.Introduce, *wire.Roster, *wire.Description, *wire.Candidate:
			if w.state == wire.SeatWaiting || w.state == "" {
				t.Fatalf("step %d: %s heard %s while %q", step, w.p.Member, body.Type(), w.state)
			}
		}
	}
	select {
	case <-w.done: // left by choice: there is no bye
		w.member, w.state = nil, ""
	default:
	}
}

// check compares what all of them know.
func check(t *testing.T, step int, h *walker, guests []*walker) {
	t.Helper()
	var in []*walker
	for _, g := range guests {
		if g.member != nil && (g.state == wire.SeatAdmitted || g.state == wire.SeatHeld) {
			in = append(in, g)
		}
	}
	if h.member != nil {
		in = append(in, h)
	}
	if len(in) > wire.MaxMembers {
		t.Fatalf("step %d: %d people are in the call", step, len(in))
	}
	for _, a := range in {
		for _, b := range in {
			if a == b {
				continue
			}
			ab, ba := a.seen[b.p.Member], b.seen[a.p.Member]
			if ab == nil || ba == nil {
				t.Fatalf("step %d: %s and %s were not introduced", step, a.p.Member, b.p.Member)
			}
			if !bytes.Equal(ab.Key, ba.Key) || !bytes.Equal(ab.Hash, ba.Hash) || ab.Role == ba.Role || ab.Polite == ba.Polite ||
				!bytes.Equal(ab.Fingerprint, b.p.Fingerprint) || !bytes.Equal(ba.Fingerprint, a.p.Fingerprint) {
				t.Fatalf("step %d: %s and %s were introduced differently:\n%+v\n%+v", step, a.p.Member, b.p.Member, ab, ba)
			}
		}
	}
}
