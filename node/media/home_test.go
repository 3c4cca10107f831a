package media

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"anteroom/node/media/mediatest"
	"anteroom/node/room"
	"anteroom/rendezvous"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/seal"
	"anteroom/rendezvous/wire"
)

// patience bounds every wait; nothing comes near it unless it is broken.
const patience = 15 * time.Second

// The test binary is also the child process of the tests of processes, as the
// daemon's binary is in a node.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "child":
			if Child(context.Background(), os.Stdin, os.Stdout, slog.New(slog.NewTextHandler(os.Stderr, nil))) != nil {
				os.Exit(1)
			}
			return
		case "child-that-panics":
			var none []int
			_ = none[len(os.Args)]
		case "child-that-prattles":
			fmt.Println(`{"event":"joined","name":"Canary"}`)
			os.Stdin.Read(make([]byte, maxLine))
			return
		case "child-that-stays":
			fmt.Println(`{"event":"joined"}`)
			select {}
		}
	}
	goleak.VerifyTestMain(m)
}

// A home is a home node with one room, reached without a network.
type home struct {
	t    *testing.T
	room *room.Room

	// lieKey has the room vouch for another key than the guest was given.
	lieKey bool
	// lieAbout, if not nil, changes what guests hear of each other.
	lieAbout func(*wire.Introduce)
	// state is what guests are welcomed with; empty is open.
	state wire.WindowState

	mu      sync.Mutex
	invites map[[32]byte]*invited
	serving sync.WaitGroup
}

type invited struct {
	invite.Invite
	member wire.MemberID
}

func newHome(t *testing.T) *home {
	h := &home{t: t, invites: make(map[[32]byte]*invited)}
	h.room = room.New(audit{}, slog.New(slog.DiscardHandler), nil)
	t.Cleanup(h.serving.Wait)
	t.Cleanup(func() { h.room.Close(wire.ErrGoingAway) })
	return h
}

type audit struct{}

func (audit) Seated(*room.Guest) error               { return nil }
func (audit) Admitted(wire.MemberID) error           { return nil }
func (audit) Waiting(wire.MemberID)                  {}
func (audit) Held(wire.MemberID, bool)               {}
func (audit) Released(wire.MemberID)                 {}
func (audit) Note(event room.Event, _ wire.MemberID) {}

// invite makes an invite and returns its link and seat.
func (h *home) invite() (invite.Link, wire.MemberID) {
	h.t.Helper()
	inv, err := invite.New()
	if err != nil {
		h.t.Fatal(err)
	}
	id := make([]byte, 8)
	rand.Read(id)
	member := wire.MemberID(hex.EncodeToString(id))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.invites[inv.Link.Keys().Rendezvous.RID()] = &invited{inv, member}
	return inv.Link, member
}

func (h *home) find(rid [32]byte) *invited {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.invites[rid]
}

// join serves a guest on conn, as a gateway that is the home node would.
func (h *home) join(conn wire.Conn) error {
	defer conn.Close(nil)
	key, err := rendezvous.RecvKey(conn)
	if err != nil {
		return err
	}
	inv := h.find(key.RID())
	welcome := &wire.Welcome{
		State: wire.WindowOpen, Practice: "Practice", Practitioner: "Dr Lee",
		SID: random(), Confirm: random(), Resume: random(), ICEServers: []wire.ICEServer{},
	}
	if h.state != "" {
		welcome.State = h.state
	}
	channel, err := seal.Accept(conn,
		func([32]byte) (*invite.HostKeys, bool) {
			if inv == nil {
				return nil, false
			}
			return &inv.Host, true
		},
		func() ([]byte, error) { return wire.Encode(welcome) })
	if err != nil {
		return err
	}
	frame, err := channel.Recv()
	if err != nil {
		return err
	}
	join := mustDecode(frame).(*wire.Join)
	p := room.Guest{
		Member: inv.member, Name: join.Name, Label: "Label", Fingerprint: join.Fingerprint,
		Key: welcome.Confirm, Hash: hashOf(channel),
	}
	if h.lieKey {
		p.Key = random()
	}
	if h.lieAbout != nil {
		return h.room.Serve(h.t.Context(), liar{channel, h.lieAbout}, &p)
	}
	return h.room.Serve(h.t.Context(), channel, &p)
}

// A liar changes the introductions of guests on the way to a guest.
type liar struct {
	wire.Conn
	change func(*wire.Introduce)
}

func (l liar) Send(frame []byte) error {
	if in, ok := mustDecode(frame).(*wire.Introduce); ok && in.Member != wire.HostID {
		l.change(in)
		frame, _ = wire.Encode(in)
	}
	return l.Conn.Send(frame)
}

func mustDecode(frame []byte) wire.Body {
	body, err := wire.Decode(frame)
	if err != nil {
		panic(err)
	}
	return body
}

func hashOf(c *seal.Channel) []byte { h := c.Hash(); return h[:] }

func random() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

// A practitioner is a Host and the test that waits for it. At the end of the
// test nothing may have gone wrong with it.
type practitioner struct {
	*mediatest.Host
	t    *testing.T
	done chan error
}

// attend has a practitioner attend the room.
func (h *home) attend(lies mediatest.Lies) *practitioner {
	return h.attendWith(wire.Attend{Tab: random()[:16]}, lies)
}

func (h *home) attendWith(a wire.Attend, lies mediatest.Lies) *practitioner {
	h.t.Helper()
	here, there := wire.Pipe()
	a.Appointment, a.Token = strings.Repeat("a", 32), "token"
	host, err := mediatest.NewHost(here, a, lies)
	if err != nil {
		h.t.Fatal(err)
	}
	p := &practitioner{host, h.t, make(chan error, 1)}
	ctx, leave := context.WithCancel(context.Background())
	go func() { p.done <- host.Run(ctx) }() // ends with the test
	h.serving.Go(func() {                   // ends with the room
		frame, err := there.Recv()
		if err != nil {
			return
		}
		attend := mustDecode(frame).(*wire.Attend)
		h.room.Attend(h.t.Context(), there, &room.Host{
			Name: "Dr Lee", Fingerprint: attend.Fingerprint, Tab: attend.Tab, Take: attend.Take,
		})
	})
	h.t.Cleanup(func() {
		leave()
		if err := <-p.done; err != nil {
			h.t.Errorf("practitioner: %v", err)
		}
	})
	return p
}

// sees waits until ok is true of the practitioner's view, and returns it.
func (p *practitioner) sees(ok func(mediatest.View) bool) mediatest.View {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	view, err := p.Await(ctx, ok)
	if err != nil {
		p.t.Fatal(err)
	}
	return view
}

// now returns the practitioner's view.
func (p *practitioner) now() mediatest.View {
	p.t.Helper()
	return p.sees(func(mediatest.View) bool { return true })
}

// await waits until ok is true of the practitioner's view of m.
func (p *practitioner) await(m wire.MemberID, ok func(mediatest.Guest) bool) mediatest.Guest {
	p.t.Helper()
	return p.sees(func(v mediatest.View) bool { g, here := v.Guests[m]; return here && ok(g) }).Guests[m]
}

// admit waits until m can be admitted and admits them.
func (p *practitioner) admit(m wire.MemberID) {
	p.t.Helper()
	p.await(m, func(g mediatest.Guest) bool { return g.State == wire.SeatWaiting && g.Ready })
	p.do(p.Admit(m))
}

// echoed waits until m has sent back so much more of either kind.
func (p *practitioner) echoed(m wire.MemberID, more int) {
	p.t.Helper()
	before := p.now().Guests[m]
	after := p.await(m, func(g mediatest.Guest) bool {
		return g.Verified && g.Audio >= before.Audio+more && g.Video >= before.Video+more
	})
	if after.Strange > 0 {
		p.t.Errorf("%d packets came back changed", after.Strange)
	}
}

func (p *practitioner) do(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// A running is a Guest and the test that waits for it.
type running struct {
	t      *testing.T
	events chan Event    // every kind but frames
	lost   chan struct{} // one for every connection that was given up
	done   chan error
	stop   context.CancelFunc
	conn   wire.Conn // the guest's end
	member wire.MemberID
}

// guest has an echo guest join on a fresh invite.
func (h *home) guest(name string) *running {
	h.t.Helper()
	link, member := h.invite()
	return h.guestWith(link, member, name)
}

func (h *home) guestWith(link invite.Link, member wire.MemberID, name string) *running {
	here, there := wire.Pipe()
	h.serving.Go(func() { h.join(there) }) // ends with the room
	ctx, stop := context.WithCancel(context.Background())
	r := &running{h.t, make(chan Event, 64), make(chan struct{}, 8), make(chan error, 1), stop, here, member}
	g := Guest{Conn: here, Link: link, Name: name, Log: slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug})), Event: func(e Event) {
		if e.Kind != EventFrames {
			r.events <- e
		}
	}}
	go func() { r.done <- g.Run(ctx) }() // ends with the test
	h.t.Cleanup(func() {
		stop()
		h.t.Logf("%s ended: %v", r.member, <-r.done)
	})
	return r
}

// expect waits for the next event but frames.
func (r *running) expect(want EventKind) {
	r.t.Helper()
	select {
	case got := <-r.events:
		if got.Kind != want {
			r.t.Fatalf("event %s, want %s", got.Kind, want)
		}
	case err := <-r.done:
		r.t.Fatalf("guest ended while waiting for %s: %v", want, err)
	case <-time.After(patience):
		r.t.Fatalf("no event, want %s", want)
	}
}

// loses waits until the guest gives a connection up.
func (r *running) loses() {
	r.t.Helper()
	select {
	case <-r.lost:
	case <-time.After(patience):
		r.t.Fatal("no connection was given up")
	}
}

// ends waits for the guest to end, and returns why.
func (r *running) ends() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		r.done <- err // for the cleanup
		return err
	case <-time.After(patience):
		r.t.Fatal("guest did not end")
		return nil
	}
}

func (r *running) endsWith(want error) {
	r.t.Helper()
	if got := r.ends(); !errors.Is(got, want) {
		r.t.Errorf("guest ended with %v, want %v", got, want)
	}
}

// gateway serves the home's guests over WebSocket, and returns its address.
func (h *home) gateway() string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws/guest" || r.Header.Get("Origin") != "http://"+r.Host {
			http.Error(w, "not found", http.StatusNotFound)
			return
		}
		conn, err := accept(w, r)
		if err != nil {
			h.t.Error(err)
			return
		}
		h.join(conn)
	}))
	h.t.Cleanup(server.Close)
	return server.URL
}

// Write is the guest's log: it fails the test for an address.
func (r *running) Write(line []byte) (int, error) {
	_, said, _ := bytes.Cut(line, []byte(" level=")) // the time looks like one
	if address.Match(said) {
		r.t.Errorf("an address was logged: %s", said)
	}
	if bytes.Contains(said, []byte("connection given up")) {
		r.lost <- struct{}{}
	}
	r.t.Logf("%s: %s", r.member, bytes.TrimSpace(said))
	return len(line), nil
}
