package room

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"anteroom/rendezvous/wire"
)

// A recorder remembers what it was told, and can be made to fail.
type recorder struct {
	mu     sync.Mutex
	lines  []string
	refuse error
	while  func() // happens while an admission is recorded
	before func() // happens before a hold is recorded

	releasing func() // happens before a release is recorded
}

func (r *recorder) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *recorder) has(line string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.lines, line)
}

func (r *recorder) Seated(g *Guest) error {
	r.add("seated %s", g.Member)
	return nil
}

func (r *recorder) Admitted(m wire.MemberID) error {
	if r.refuse != nil {
		return r.refuse
	}
	r.add("admitted %s", m)
	if r.while != nil {
		r.while()
	}
	return nil
}
func (r *recorder) Held(m wire.MemberID, on bool) {
	if r.before != nil {
		r.before()
	}
	r.add("held %s %t", m, on)
}
func (r *recorder) Waiting(m wire.MemberID) { r.add("waiting %s", m) }
func (r *recorder) Released(m wire.MemberID) {
	if r.releasing != nil {
		r.releasing()
	}
	r.add("released %s", m)
}
func (r *recorder) Note(e Event, m wire.MemberID) { r.add("%s %s", e, m) }

// A member is the test's end of a connection that a room serves.
type member struct {
	t    *testing.T
	conn wire.Conn
	done chan error // what Serve returned
}

type fixture struct {
	*Room
	t   *testing.T
	rec *recorder
}

func newRoom(t *testing.T, kept ...Kept) *fixture {
	rec := &recorder{}
	r := New(rec, slog.New(slog.DiscardHandler), kept)
	t.Cleanup(func() { r.Close(wire.ErrGoingAway) })
	return &fixture{r, t, rec}
}

// A person is somebody whom a room can serve: a Guest or a Host.
type person interface {
	serve(ctx context.Context, r *Room, conn wire.Conn) error
}

func (g Guest) serve(ctx context.Context, r *Room, conn wire.Conn) error {
	return r.Serve(ctx, conn, &g)
}

func (h Host) serve(ctx context.Context, r *Room, conn wire.Conn) error {
	return r.Attend(ctx, conn, &h)
}

func (f *fixture) enter(p person) *member {
	here, there := wire.Pipe()
	m := &member{f.t, here, make(chan error, 1)}
	go func() { m.done <- p.serve(f.t.Context(), f.Room, there) }() // ends with the room
	return m
}

func guest(n int) Guest {
	return Guest{
		Member: wire.MemberID(fmt.Sprintf("%016x", n)), Name: fmt.Sprintf("Guest %d", n),
		Label: fmt.Sprintf("Label %d", n), Fingerprint: fill(byte(n)), Key: fill(byte(0x40 + n)), Hash: fill(byte(0x80 + n)),
	}
}

func host() Host {
	return Host{Name: "Dr Lee", Fingerprint: fill(0xff), Tab: bytes.Repeat([]byte{1}, 16)}
}

func fill(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

// expect returns the next message of type B, passing over others.
func expect[B wire.Body](m *member) B {
	m.t.Helper()
	for {
		frame, err := m.conn.Recv()
		if err != nil {
			m.t.Fatalf("waiting for %T: %v", *new(B), err)
		}
		body, err := wire.Decode(frame)
		if err != nil {
			m.t.Fatalf("decode %s: %v", frame, err)
		}
		if want, ok := body.(B); ok {
			return want
		}
	}
}

// heard returns everything that has arrived, in order.
func (m *member) heard() (all []wire.Body) {
	m.t.Helper()
	synctest.Wait()
	m.say(&wire.Ping{})
	for {
		frame, err := m.conn.Recv()
		if err != nil {
			return all
		}
		body, err := wire.Decode(frame)
		if err != nil {
			m.t.Fatalf("decode %s: %v", frame, err)
		}
		if _, ok := body.(*wire.Pong); ok {
			return all
		}
		all = append(all, body)
	}
}

func (m *member) say(body wire.Body) {
	m.t.Helper()
	frame, err := wire.Encode(body)
	if err != nil {
		m.t.Fatal(err)
	}
	m.conn.Send(frame)
}

func (m *member) expectBye(want *wire.Error) {
	m.t.Helper()
	if got := expect[*wire.Bye](m); got.Code != want.Code {
		m.t.Errorf("bye %s, want %s", got.Code, want.Code)
	}
}

func offer(sdp string) *wire.Description {
	return &wire.Description{Peer: wire.HostID, Kind: "offer", SDP: sdp}
}

func TestAdmissionNeedsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		p := r.enter(guest(1))
		if got := expect[*wire.Seat](p); got.State != wire.SeatWaiting {
			t.Fatalf("state %s, want waiting", got.State)
		}
		p.say(offer("o"))
		p.say(&wire.Candidate{Peer: wire.HostID, Candidate: "c", MID: "0"})
		synctest.Wait()

		h := r.enter(host()) // comes later, and hears all of it
		intro := expect[*wire.Introduce](h)
		if intro.Role != "H" || intro.Polite || !bytes.Equal(intro.Fingerprint, fill(1)) ||
			!bytes.Equal(intro.Key, fill(0x41)) || !bytes.Equal(intro.Hash, fill(0x81)) {
			t.Errorf("introduction of the guest: %+v", intro)
		}
		if d := expect[*wire.Description](h); d.Peer != guest(1).Member || d.SDP != "o" {
			t.Errorf("offer: %+v", d)
		}
		if c := expect[*wire.Candidate](h); c.Peer != guest(1).Member || c.Candidate != "c" {
			t.Errorf("candidate: %+v", c)
		}
		if heard := p.heard(); len(heard) != 0 {
			t.Errorf("a waiting guest heard %v", heard)
		}

		h.say(&wire.Admit{Member: guest(1).Member, SDP: "a"})
		heard := p.heard()
		want := []wire.Type{wire.TypeSeat, wire.TypeIntroduce, wire.TypeDescription, wire.TypeRoster}
		if got := types(heard); !slices.Equal(got, want) {
			t.Fatalf("on admission the guest heard %v, want %v", got, want)
		}
		if i := heard[1].(*wire.Introduce); i.Member != wire.HostID || i.Role != "P" || !i.Polite || !bytes.Equal(i.Fingerprint, fill(0xff)) {
			t.Errorf("introduction of the practitioner: %+v", i)
		}
		if !r.rec.has("admitted 0000000000000001") {
			t.Error("admission was not recorded")
		}
	})
}

func types(bodies []wire.Body) (out []wire.Type) {
	for _, b := range bodies {
		out = append(out, b.Type())
	}
	return out
}

func TestAdmissionThatCannotBeRecordedIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.rec.refuse = errors.New("disk full")
		p, h := r.enter(guest(1)), r.enter(host())
		synctest.Wait()
		h.say(&wire.Admit{Member: guest(1).Member})
		if got := expect[*wire.ErrorBody](h); got.Code != wire.CodeInternal {
			t.Errorf("error %s, want internal", got.Code)
		}
		if got := expect[*wire.Seat](p); got.State != wire.SeatWaiting || len(p.heard()) != 0 {
			t.Error("the guest was let in")
		}
	})
}

// What is recorded is what holds: a guest whose connection is lost while their
// admission is written down is in the call when they are back.
func TestLineLostDuringAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		p, h := r.enter(guest(1)), r.enter(host())
		synctest.Wait()
		r.rec.while = func() {
			p.conn.Close(nil)
			<-p.done
		}
		h.say(&wire.Admit{Member: guest(1).Member, SDP: "a"})
		for _, body := range h.heard() {
			if e, ok := body.(*wire.ErrorBody); ok {
				t.Errorf("the practitioner heard %s", e.Code)
			}
		}
		if got := r.Present(); !slices.Equal(got, []wire.MemberID{guest(1).Member}) {
			t.Errorf("admitted are %v", got)
		}
		back := guest(1)
		back.Returning = true
		p = r.enter(back)
		if got := expect[*wire.Seat](p); got.State != wire.SeatAdmitted {
			t.Errorf("back in the room: %s, want admitted", got.State)
		}
		expect[*wire.Introduce](p)
	})
}

// Two tabs of the practitioner can admit at the same moment, when one takes over
// from the other. Who finds the call full waits on, and is not recorded as
// admitted.
func TestAdmissionThatFindsTheCallFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h := r.enter(host())
		for n := 1; n <= wire.MaxMembers; n++ {
			r.enter(guest(n))
		}
		synctest.Wait()
		for n := 1; n < wire.MaxMembers-1; n++ {
			h.say(&wire.Admit{Member: guest(n).Member})
		}
		h.heard()
		disk := make(chan struct{})
		r.rec.while = func() {
			r.rec.while = nil
			<-disk
		}
		h.say(&wire.Admit{Member: guest(wire.MaxMembers - 1).Member})
		synctest.Wait()
		later := r.enter(host())
		h.expectBye(wire.ErrReplaced)
		later.say(&wire.Admit{Member: guest(wire.MaxMembers).Member})
		synctest.Wait()
		close(disk)
		if got := expect[*wire.ErrorBody](later); got.Code != wire.CodeRoomFull {
			t.Errorf("error %s, want room-full", got.Code)
		}
		if last := guest(wire.MaxMembers).Member; r.rec.has(fmt.Sprintf("admitted %s", last)) || slices.Contains(r.Present(), last) {
			t.Error("one too many is in the call")
		}
	})
}

func TestGuestsAreIntroducedOnAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h, a, b := r.enter(host()), r.enter(guest(1)), r.enter(guest(2))
		synctest.Wait()
		h.say(&wire.Admit{Member: guest(1).Member})
		a.heard()
		h.say(&wire.Admit{Member: guest(2).Member})
		synctest.Wait()
		toA := expect[*wire.Introduce](a)
		expect[*wire.Introduce](b) // the practitioner
		toB := expect[*wire.Introduce](b)
		if toA.Role != "H" || toA.Polite || toB.Role != "P" || !toB.Polite {
			t.Errorf("roles: earlier %s polite=%t, newcomer %s polite=%t", toA.Role, toA.Polite, toB.Role, toB.Polite)
		}
		if !bytes.Equal(toA.Key, toB.Key) || !bytes.Equal(toA.Hash, toB.Hash) || bytes.Equal(toA.Key, toA.Hash) {
			t.Error("pair keys differ, or repeat")
		}
		if !bytes.Equal(toA.Fingerprint, fill(2)) || !bytes.Equal(toB.Fingerprint, fill(1)) {
			t.Error("fingerprints of the wrong member")
		}
		for _, m := range expect[*wire.Roster](a).Members {
			if m.Role == wire.RoleGuest && m.Name != "" {
				t.Errorf("a guest was told the name %q", m.Name)
			}
		}
		b.say(&wire.Description{Peer: guest(1).Member, Kind: "offer", SDP: "x"})
		if d := expect[*wire.Description](a); d.Peer != guest(2).Member {
			t.Errorf("description stamped %s", d.Peer)
		}
	})
}

func TestWaitingGuestReachesNobodyButTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h, in, out := r.enter(host()), r.enter(guest(1)), r.enter(guest(2))
		synctest.Wait()
		h.say(&wire.Admit{Member: guest(1).Member})
		in.heard()
		out.heard()
		for _, body := range []wire.Body{
			&wire.Description{Peer: guest(1).Member, Kind: "offer", SDP: "x"},
			&wire.Candidate{Peer: guest(1).Member},
			&wire.Description{Peer: wire.HostID, Kind: "answer", SDP: "x"},
			&wire.Description{Peer: guest(2).Member, Kind: "offer", SDP: "x"},
			&wire.Admit{Member: guest(2).Member},
			&wire.Remove{Member: guest(1).Member},
			&wire.End{}, &wire.Lock{On: true}, &wire.Join{Name: "x", Fingerprint: fill(1)},
		} {
			out.say(body)
			if got := expect[*wire.ErrorBody](out); got.Code != wire.CodeBadMessage && got.Code != wire.CodeNoSuchRoom {
				t.Errorf("%s: %s", body.Type(), got.Code)
			}
		}
		if heard := in.heard(); len(heard) != 0 {
			t.Errorf("the admitted guest heard %v", types(heard))
		}
		in.say(&wire.Candidate{Peer: guest(2).Member}) // nobody reaches a waiting guest
		expect[*wire.ErrorBody](in)
		if heard := out.heard(); len(heard) != 0 {
			t.Errorf("the waiting guest heard %v", types(heard))
		}
	})
}

func TestSecondDeviceRaisesAlarmAndNeverEvicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h, first := r.enter(host()), r.enter(guest(1))
		synctest.Wait()
		h.heard()
		first.heard()
		second := r.enter(guest(1))
		second.expectBye(wire.ErrSeatTaken)
		expect[*wire.Alarm](first)
		expect[*wire.Alarm](h)
		alarmed := func(m wire.RosterEntry) bool { return m.Member == guest(1).Member && m.Alarm }
		if !slices.ContainsFunc(expect[*wire.Roster](h).Members, alarmed) {
			t.Error("the roster does not show the alarm")
		}
		if !r.rec.has("other-device 0000000000000001") {
			t.Error("the second device was not recorded")
		}
		again := guest(1)
		again.Returning = true
		r.enter(again)
		first.expectBye(wire.ErrReplaced) // the same device, through a new connection
	})
}

func TestSeatIsKeptForItsDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h, p := r.enter(host()), r.enter(guest(1))
		synctest.Wait()
		h.say(&wire.Admit{Member: guest(1).Member})
		p.heard()
		p.conn.Close(nil)
		<-p.done
		h.heard()

		time.Sleep(seatGrace - time.Second)
		r.enter(guest(1)).expectBye(wire.ErrSeatTaken)
		back := guest(1)
		back.Returning = true
		p = r.enter(back)
		if got := expect[*wire.Seat](p); got.State != wire.SeatAdmitted {
			t.Errorf("state %s, want admitted", got.State)
		}
		if i := expect[*wire.Introduce](p); i.Member != wire.HostID {
			t.Errorf("introduced to %s", i.Member)
		}
		p.conn.Close(nil)
		<-p.done
		time.Sleep(seatGrace)
		synctest.Wait()
		if !r.rec.has("released 0000000000000001") || len(r.Present()) != 0 {
			t.Error("the seat was not released")
		}
	})
}

func TestRoomIsWholeAgainAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, Kept{Guest: Guest{Member: guest(1).Member, Label: "Label 1"}, Admitted: true})
		r.enter(guest(1)).expectBye(wire.ErrSeatTaken)
		back := guest(1)
		back.Returning = true
		p, h := r.enter(back), r.enter(host())
		if got := expect[*wire.Seat](p); got.State != wire.SeatAdmitted {
			t.Errorf("state %s, want admitted", got.State)
		}
		if i := expect[*wire.Introduce](h); !bytes.Equal(i.Fingerprint, fill(1)) {
			t.Error("the practitioner was not introduced")
		}
		expect[*wire.Introduce](p)
	})
}

func TestSlowMemberIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		slow, fast := r.enter(host()), r.enter(guest(1))
		synctest.Wait()
		for range queueLen + 100 { // the Pipe holds some, too
			r.lock(true) // tells the host
		}
		synctest.Wait()
		go func() { // drain, so that Serve can say goodbye
			for {
				if _, err := slow.conn.Recv(); err != nil {
					return
				}
			}
		}()
		if err := <-slow.done; !errors.Is(err, wire.ErrTooSlow) {
			t.Errorf("Serve returned %v, want too-slow", err)
		}
		if got := fast.heard(); len(got) == 0 {
			t.Error("the other member did not hear")
		}
	})
}

func TestNoisyMemberIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		p := r.enter(guest(1))
		go func() {
			for {
				if _, err := p.conn.Recv(); err != nil {
					return
				}
			}
		}()
		for range wire.MessagesBurst + 1 {
			p.say(&wire.Ping{})
		}
		if err := <-p.done; !errors.Is(err, wire.ErrTooMany) {
			t.Errorf("Serve returned %v, want too-many", err)
		}
	})
}

// Who waits costs the goroutine that listens to them, and no other.
func TestWaitingTakesOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		before := runtime.NumGoroutine()
		const n = 5
		for i := range n {
			p := r.enter(guest(i))
			p.say(offer("o"))
			p.heard()
		}
		synctest.Wait()
		if got := runtime.NumGoroutine() - before; got != n {
			t.Errorf("%d who wait take %d goroutines", n, got)
		}
	})
}

// A dead end is a connection that takes nothing.
type deadEnd struct {
	wire.Conn
	tried int
}

func (c *deadEnd) Send([]byte) error { c.tried++; return io.ErrClosedPipe }
func (c *deadEnd) Close(error)       {}

func TestWhatCannotBeSentIsDropped(t *testing.T) {
	r := newRoom(t)
	conn := &deadEnd{}
	l := &link{conn: conn, gone: make(chan struct{}), out: [][]byte{pong, pong, pong}, pumping: true}
	r.pump(l)
	r.answer(l, pong)
	if conn.tried != 1 {
		t.Errorf("%d frames sent to somebody who has gone", conn.tried)
	}
	r.kick(l, io.EOF)
	<-l.gone
}

func TestNothingIsSaidAfterTheGoodbye(t *testing.T) {
	r := newRoom(t)
	here, there := wire.Pipe()
	l := &link{conn: there, gone: make(chan struct{})}
	r.kick(l, wire.ErrDenied)
	r.answer(l, pong)
	r.kick(l, wire.ErrRemoved)
	<-l.gone
	for _, want := range []string{`{"type":"bye","body":{"code":"denied"}}`, ""} {
		if frame, _ := here.Recv(); string(frame) != want {
			t.Errorf("heard %q, want %q", frame, want)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		here, there := wire.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Serve(ctx, there, new(guest(1))) }()
		p := &member{t, here, nil}
		expect[*wire.Seat](p)
		cancel()
		p.expectBye(wire.ErrGoingAway)
		if err := <-done; err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestUnknownTypeIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		p := r.enter(guest(1))
		expect[*wire.Seat](p)
		p.conn.Send([]byte(`{"type":"grease","body":{}}`))
		if got := expect[*wire.ErrorBody](p); got.Code != wire.CodeBadMessage {
			t.Errorf("error %s", got.Code)
		}
		p.conn.Send([]byte(`{"type":"leave","body":{"x":1}}`))
		p.expectBye(wire.ErrBadMessage)
	})
}

func TestNamesStayOutOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		r := New(&recorder{}, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), nil)
		here, there := wire.Pipe()
		p := guest(1)
		p.Fingerprint = nil // cannot be introduced: an error is logged
		h, hThere := wire.Pipe()
		go r.Serve(t.Context(), there, &p)
		go r.Attend(t.Context(), hThere, new(host()))
		synctest.Wait()
		r.Close(wire.ErrGoingAway)
		synctest.Wait()
		here.Close(nil)
		h.Close(nil)
		if out.Len() == 0 || strings.Contains(out.String(), p.Name) {
			t.Errorf("log: %q", out.String())
		}
	})
}

func TestWaitingGuestsAreTurnedAwayWhenNobodyWillCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		h, in, out := r.enter(host()), r.enter(guest(1)), r.enter(guest(2))
		synctest.Wait()
		h.say(&wire.Admit{Member: guest(1).Member})
		in.heard()
		out.heard()
		h.conn.Close(nil)
		<-h.done
		r.TurnAway(wire.ErrEnded)
		if heard := out.heard(); len(heard) != 0 {
			t.Errorf("the practitioner may be back in a moment, and the guest heard %v", types(heard))
		}
		time.Sleep(seatGrace)
		synctest.Wait()
		r.TurnAway(wire.ErrEnded)
		out.expectBye(wire.ErrEnded)
		if !r.rec.has("released 0000000000000002") || !r.rec.has("end 0000000000000002") {
			t.Error("that they were sent away was not recorded")
		}
		for _, body := range in.heard() {
			if bye, ok := body.(*wire.Bye); ok {
				t.Errorf("an admitted guest was sent away: %s", bye.Code)
			}
		}
	})
}

// A member who said goodbye and hung up has left, though the room finds out
// first that it cannot send to them.
func TestGoodbyeCountsThoughNothingCanBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		leave, err := wire.Encode(&wire.Leave{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Serve(t.Context(), &hungUp{failed: make(chan struct{}), said: [][]byte{leave}}, new(guest(1))); err != nil {
			t.Errorf("Serve returned %v", err)
		}
		if !r.rec.has("released 0000000000000001") || !r.Empty() {
			t.Errorf("the guest has not left: %q", r.rec.lines)
		}
	})
}

// hungUp is a connection that the other end has closed. Send finds out first,
// and what was said is read when everybody else has done what they do about that.
type hungUp struct {
	failed chan struct{}
	once   sync.Once
	said   [][]byte
	closed atomic.Bool
}

func (c *hungUp) Send([]byte) error {
	c.once.Do(func() { close(c.failed) })
	return io.ErrUnexpectedEOF
}

func (c *hungUp) Recv() ([]byte, error) {
	<-c.failed
	synctest.Wait()
	if c.closed.Load() || len(c.said) == 0 {
		return nil, io.EOF
	}
	frame := c.said[0]
	c.said = c.said[1:]
	return frame, nil
}

func (c *hungUp) Close(error) { c.closed.Store(true) }
