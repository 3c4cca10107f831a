package seal

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// greeting stands for the welcome, which this package does not read.
var greeting = []byte(`{"type":"welcome"}`)

func newInvite(t testing.TB) invite.Invite {
	t.Helper()
	inv, err := invite.New()
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// A home is a home node with one invite, which does not wait before it refuses.
type home struct {
	host     invite.HostKeys
	welcomed int // how often someone proved that they hold the link
	curve    int // curve operations
}

func newHome(host invite.HostKeys) *home { return &home{host: host} }

// accept answers conn.
func (h *home) accept(conn wire.Conn) (*Channel, error) {
	r := responder{
		conn: conn,
		find: func(rid [32]byte) (*invite.HostKeys, bool) {
			if rid != h.host.Rendezvous.RID() {
				return nil, false
			}
			return &h.host, true
		},
		welcome: func() ([]byte, error) {
			h.welcomed++
			return greeting, nil
		},
		dh:    counting{p256{}, &h.curve},
		pause: func(time.Time) {},
	}
	return r.accept()
}

// outcome is what the two sides of a handshake got.
type outcome struct {
	guest, home       *Channel
	guestErr, homeErr error
	welcome           []byte
}

// shake does a handshake between a guest with link and h. The guest's frames go
// through between on their way, in both directions.
func shake(h *home, link invite.Link, between func(wire.Conn) wire.Conn) outcome {
	var o outcome
	a, b := wire.Pipe()
	if between != nil {
		a = between(a)
	}
	var wg sync.WaitGroup
	wg.Go(func() { o.home, o.homeErr = h.accept(b) })
	o.guest, o.welcome, o.guestErr = Dial(a, link)
	wg.Wait()
	return o
}

// A meddler changes frames on their way, counted from 0 in each direction. A
// nil result drops the frame.
type meddler struct {
	wire.Conn
	out, in       func(i int, frame []byte) []byte
	sent, arrived int
}

func (m *meddler) Send(b []byte) error {
	b = bytes.Clone(b)
	if m.out != nil {
		b = m.out(m.sent, b)
	}
	m.sent++
	return m.Conn.Send(b)
}

func (m *meddler) Recv() ([]byte, error) {
	b, err := m.Conn.Recv()
	if err == nil && m.in != nil {
		b = m.in(m.arrived, b)
	}
	m.arrived++
	return b, err
}

func TestHandshake(t *testing.T) {
	inv := newInvite(t)
	h := newHome(inv.Host)
	o := shake(h, inv.Link, nil)
	if o.guestErr != nil || o.homeErr != nil {
		t.Fatalf("guest: %v, home: %v", o.guestErr, o.homeErr)
	}
	if !bytes.Equal(o.welcome, greeting) || h.welcomed != 1 {
		t.Errorf("welcome = %q, made %d times", o.welcome, h.welcomed)
	}
	if o.guest.Hash() != o.home.Hash() || o.guest.Hash() == [32]byte{} {
		t.Error("the two ends do not agree on the handshake hash")
	}
	again := shake(h, inv.Link, nil)
	if again.guestErr != nil || again.guest.Hash() == o.guest.Hash() {
		t.Errorf("a second handshake: %v, or with the same hash", again.guestErr)
	}
}

func TestFrameSizes(t *testing.T) {
	inv := newInvite(t)
	var sizes []int
	note := func(_ int, b []byte) []byte { sizes = append(sizes, len(b)); return b }
	o := shake(newHome(inv.Host), inv.Link, func(c wire.Conn) wire.Conn { return &meddler{Conn: c, out: note, in: note} })
	if o.guestErr != nil {
		t.Fatal(o.guestErr)
	}
	if want := []int{33, 128, 97, 81 + len(greeting)}; !slices.Equal(sizes, want) {
		t.Errorf("frames of %v bytes, want %v", sizes, want)
	}
}

// spoil returns every way to damage a frame of n bytes by a bit, and some by
// more.
func spoil(n int) map[string]func([]byte) []byte {
	ways := map[string]func([]byte) []byte{
		"dropped content": func([]byte) []byte { return []byte{} },
		"one byte more":   func(b []byte) []byte { return append(b, 0) },
		"twice":           func(b []byte) []byte { return append(b, b...) },
		"zeros":           func(b []byte) []byte { return make([]byte, len(b)) },
		"reversed":        func(b []byte) []byte { slices.Reverse(b); return b },
	}
	for i := range n * 8 {
		ways["bit "+strconv.Itoa(i)] = func(b []byte) []byte { b[i/8] ^= 1 << (i % 8); return b }
	}
	for _, cut := range []int{1, 2, 16, 17, 32, n - 1} {
		ways["cut by "+strconv.Itoa(cut)] = func(b []byte) []byte { return b[:max(0, len(b)-cut)] }
	}
	return ways
}

// TestEveryBitCounts damages each frame of the handshake in every bit. No
// channel may come of it on the side that reads the frame, and nobody who has
// not sent a valid knock is welcomed or costs a curve operation.
func TestEveryBitCounts(t *testing.T) {
	inv := newInvite(t)
	for _, row := range []struct {
		frame  string
		size   int
		meddle func(func([]byte) []byte) *meddler
		guest  func(error) bool // what the guest may be told
		home   func(error) bool
		passes bool // whether the knock is valid
	}{
		{
			"open", openSize,
			func(f func([]byte) []byte) *meddler { return &meddler{out: only(0, f)} },
			func(err error) bool { return errors.Is(err, ErrMismatch) || errors.Is(err, wire.ErrNotInvited) },
			func(err error) bool { return errors.Is(err, wire.ErrNotInvited) || errors.Is(err, io.EOF) },
			false,
		},
		{
			"hello", helloSize,
			func(f func([]byte) []byte) *meddler { return &meddler{in: only(0, f)} },
			func(err error) bool { return errors.Is(err, ErrMismatch) },
			func(err error) bool { return errors.Is(err, io.EOF) }, // the guest hangs up
			false,
		},
		{
			"knock", knockSize,
			func(f func([]byte) []byte) *meddler { return &meddler{out: only(1, f)} },
			func(err error) bool { return errors.Is(err, wire.ErrNotInvited) },
			func(err error) bool { return errors.Is(err, wire.ErrNotInvited) },
			false,
		},
		{
			"m2", m1Size + len(greeting),
			func(f func([]byte) []byte) *meddler { return &meddler{in: only(1, f)} },
			func(err error) bool { return errors.Is(err, wire.ErrBadMessage) },
			func(err error) bool { return err == nil }, // it cannot know yet
			true,
		},
	} {
		t.Run(row.frame, func(t *testing.T) {
			t.Parallel()
			h := newHome(inv.Host)
			for way, f := range spoil(row.size) {
				h.curve, h.welcomed = 0, 0
				o := shake(h, inv.Link, func(c wire.Conn) wire.Conn {
					m := row.meddle(f)
					m.Conn = c
					return m
				})
				if o.guest != nil || !row.guest(o.guestErr) {
					t.Fatalf("%s: the guest got %v", way, o.guestErr)
				}
				if !row.home(o.homeErr) || (o.home != nil) != row.passes {
					t.Fatalf("%s: the home node got %v", way, o.homeErr)
				}
				// A damaged tag of m1 behind a good MAC costs what a knock costs.
				macCovers := row.frame != "knock"
				if !row.passes && (h.welcomed > 0 || macCovers && h.curve > 0) {
					t.Fatalf("%s: %d welcomed, %d curve operations", way, h.welcomed, h.curve)
				}
			}
		})
	}
}

// only applies f to the frame numbered i.
func only(i int, f func([]byte) []byte) func(int, []byte) []byte {
	return func(n int, b []byte) []byte {
		if n == i {
			return f(b)
		}
		return b
	}
}

func TestMACGateComesBeforeTheCurve(t *testing.T) {
	inv := newInvite(t)
	for i := range admitSize + pointSize { // what the MAC is, and what it covers
		h := newHome(inv.Host)
		o := shake(h, inv.Link, func(c wire.Conn) wire.Conn {
			return &meddler{Conn: c, out: only(1, func(b []byte) []byte { b[i] ^= 0x10; return b })}
		})
		if !errors.Is(o.homeErr, wire.ErrNotInvited) || h.curve != 0 {
			t.Fatalf("byte %d: %v after %d curve operations", i, o.homeErr, h.curve)
		}
	}
	h := newHome(inv.Host)
	if o := shake(h, inv.Link, nil); o.homeErr != nil || h.curve == 0 {
		t.Fatalf("a good knock: %v after %d curve operations", o.homeErr, h.curve)
	}
}

// A holder of the link can pass the gate; what comes behind it must hold too.
func TestKnockWithGoodMACAndBadPoint(t *testing.T) {
	inv := newInvite(t)
	keys := inv.Link.Keys()
	rid := keys.Rendezvous.RID()
	for name, point := range map[string][]byte{
		"zeros":         make([]byte, pointSize),
		"off the curve": append([]byte{4}, bytes.Repeat([]byte{1}, 64)...),
		"compressed":    append([]byte{2}, bytes.Repeat([]byte{1}, 64)...),
	} {
		h := newHome(inv.Host)
		var nonce [32]byte
		o := shake(h, inv.Link, func(c wire.Conn) wire.Conn {
			return &meddler{
				Conn: c,
				in:   only(0, func(b []byte) []byte { nonce = [32]byte(b[3:]); return b }),
				out: only(1, func([]byte) []byte {
					return slices.Concat(admitMAC(keys.Admit, nonce, rid, point), point, make([]byte, tagSize))
				}),
			}
		})
		if !errors.Is(o.homeErr, wire.ErrNotInvited) || h.welcomed > 0 {
			t.Errorf("%s: %v", name, o.homeErr)
		}
	}
}

// Message 1 has no payload, so that whoever can knock cannot make the home node
// read anything before it has looked at the window.
func TestKnockWithAPayload(t *testing.T) {
	inv := newInvite(t)
	keys := inv.Link.Keys()
	rid := keys.Rendezvous.RID()
	for _, payload := range []string{"", "x", "{}"} {
		h := newHome(inv.Host)
		var nonce [32]byte
		o := shake(h, inv.Link, func(c wire.Conn) wire.Conn {
			return &meddler{
				Conn: c,
				in:   only(0, func(b []byte) []byte { nonce = [32]byte(b[3:]); return b }),
				out: only(1, func([]byte) []byte {
					public := inv.Host.Public()
					hs, err := initiate(p256{}, public[:], keys.PSK.Reveal(), prologue(rid, inv.Link.Commitment(), nonce))
					if err != nil {
						t.Fatal(err)
					}
					m1, _, _, err := hs.WriteMessage(nil, []byte(payload))
					if err != nil {
						t.Fatal(err)
					}
					return append(admitMAC(keys.Admit, nonce, rid, m1[:pointSize]), m1...)
				}),
			}
		})
		if accepted := o.home != nil; accepted != (payload == "") {
			t.Errorf("payload %q: accepted = %v, %v", payload, accepted, o.homeErr)
		}
	}
}

func TestWelcomeThatCannotBeMade(t *testing.T) {
	inv := newInvite(t)
	for want, err := range map[*wire.Error]error{
		wire.ErrInternal: errors.New("read database: disk on fire"),
		wire.ErrEnded:    wire.ErrEnded,
	} {
		a, b := wire.Pipe()
		go Accept(b, func([32]byte) (*invite.HostKeys, bool) { return &inv.Host, true }, // ends with its error
			func() ([]byte, error) { return nil, err })
		if _, _, got := Dial(a, inv.Link); !errors.Is(got, want) {
			t.Errorf("the guest got %v, want %v", got, want)
		}
	}
}

func TestHandshakeWithAClosedConnection(t *testing.T) {
	inv := newInvite(t)
	for _, reason := range []error{wire.ErrGoingAway, wire.ErrNotFound} {
		a, b := wire.Pipe()
		a.Close(reason)
		if _, _, err := Dial(a, inv.Link); !errors.Is(err, reason) {
			t.Errorf("Dial: %v, want %v", err, reason)
		}
		if _, err := newHome(inv.Host).accept(b); !errors.Is(err, reason) {
			t.Errorf("Accept: %v, want %v", err, reason)
		}
	}
}
