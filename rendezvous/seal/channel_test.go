package seal

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"testing"

	"anteroom/rendezvous/wire"
	"anteroom/rendezvous/wire/wiretest"
)

// sealed returns the two ends of a channel.
func sealed(t testing.TB) func() (a, b wire.Conn) {
	inv := newInvite(t)
	return func() (a, b wire.Conn) {
		o := shake(newHome(inv.Host), inv.Link, nil)
		if o.guestErr != nil || o.homeErr != nil {
			t.Errorf("guest: %v, home: %v", o.guestErr, o.homeErr)
			return wire.Pipe()
		}
		return o.guest, o.home
	}
}

func TestChannel(t *testing.T) { wiretest.TestConnMax(t, wire.MaxMessage, sealed(t)) }

func TestPaddingSizes(t *testing.T) {
	for n, want := range map[int]int{
		0: 256, 1: 256, 254: 256, 255: 1024, 1022: 1024, 1023: 4096, 4094: 4096, 4095: 16384, 16382: 16384,
	} {
		data := bytes.Repeat([]byte{0xff}, n)
		plain, ok := pad(data)
		if !ok || len(plain) != want || cap(plain) < want+tagSize {
			t.Errorf("%d bytes are padded to %d, want %d", n, len(plain), want)
		}
		if got, ok := unpad(plain); !ok || !bytes.Equal(got, data) {
			t.Errorf("%d bytes do not come back", n)
		}
	}
	if _, ok := pad(make([]byte, 16383)); ok {
		t.Error("more than the largest frame holds was padded")
	}
	if wire.MaxMessage+headSize != sizes[len(sizes)-1] || sizes[len(sizes)-1]+tagSize > wire.MaxFrame {
		t.Error("the largest message, the largest padded frame and the largest frame do not fit")
	}
}

func TestUnpadIsStrict(t *testing.T) {
	frame := func(size, length int, last byte) []byte {
		b := make([]byte, size)
		b[0], b[1] = byte(length>>8), byte(length)
		b[size-1] = last
		return b
	}
	for name, plain := range map[string][]byte{
		"nothing": {}, "one byte": {0}, "only a length": {0, 0},
		"another size":              frame(257, 1, 0),
		"larger than it needs":      frame(1024, 254, 0),
		"much larger than it needs": frame(16384, 0, 0),
		"longer than the frame":     frame(256, 255, 0),
		"as long as can be":         frame(256, 0xffff, 0),
		"longer than the largest":   frame(16384, 16383, 0),
		"padding that is not zero":  frame(256, 10, 1),
		"a hidden message":          append(frame(255, 10, 0), 7),
	} {
		if _, ok := unpad(plain); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

// channelThrough returns a channel whose guest sends through a meddler.
func channelThrough(t *testing.T, out func(i int, b []byte) []byte) (guest, home *Channel) {
	t.Helper()
	inv := newInvite(t)
	o := shake(newHome(inv.Host), inv.Link, func(c wire.Conn) wire.Conn {
		return &meddler{Conn: c, out: func(i int, b []byte) []byte {
			if i < 2 { // open and knock
				return b
			}
			return out(i-2, b)
		}}
	})
	if o.guestErr != nil || o.homeErr != nil {
		t.Fatalf("guest: %v, home: %v", o.guestErr, o.homeErr)
	}
	return o.guest, o.home
}

// TestAnyChangeEndsTheChannel does what a gateway could do to the second of
// three frames. The first arrives; the change ends the channel; nothing that
// comes later is believed.
func TestAnyChangeEndsTheChannel(t *testing.T) {
	var first []byte
	keep := func(i int, b []byte) []byte {
		if i == 0 {
			first = bytes.Clone(b)
		}
		return b
	}
	ways := map[string]func([]byte) []byte{
		"repeated":      func([]byte) []byte { return first },
		"empty":         func([]byte) []byte { return []byte{} },
		"cut":           func(b []byte) []byte { return b[:len(b)-1] },
		"longer":        func(b []byte) []byte { return append(b, 0) },
		"only a tag":    func(b []byte) []byte { return b[:tagSize] },
		"larger size":   func(b []byte) []byte { return append(b, make([]byte, 1024-256)...) },
		"another frame": func(b []byte) []byte { return make([]byte, len(b)) },
	}
	for i := range (256 + tagSize) * 8 {
		if i%37 == 0 || i < 16 {
			ways["bit "+strconv.Itoa(i)] = func(b []byte) []byte { b[i/8] ^= 1 << (i % 8); return b }
		}
	}
	for name, change := range ways {
		guest, home := channelThrough(t, func(i int, b []byte) []byte {
			b = keep(i, b)
			if i == 1 {
				return change(b)
			}
			return b
		})
		for _, text := range []string{"one", "two", "three"} {
			if err := guest.Send([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := home.Recv(); err != nil || string(got) != "one" {
			t.Fatalf("%s: the first frame: %q, %v", name, got, err)
		}
		for range 3 {
			if got, err := home.Recv(); !errors.Is(err, wire.ErrBadMessage) {
				t.Fatalf("%s: %q, %v", name, got, err)
			}
		}
		if err := home.Send([]byte("x")); !errors.Is(err, wire.ErrBadMessage) {
			t.Fatalf("%s: Send on a broken channel: %v", name, err)
		}
		if _, err := guest.Recv(); !errors.Is(err, wire.ErrBadMessage) {
			t.Fatalf("%s: the guest: %v", name, err)
		}
	}
}

func TestLostAndSwappedFramesEndTheChannel(t *testing.T) {
	var held []byte
	for name, deliver := range map[string]func(conn wire.Conn, i int, b []byte) error{
		"lost": func(conn wire.Conn, i int, b []byte) error {
			if i == 0 {
				return nil
			}
			return conn.Send(b)
		},
		"swapped": func(conn wire.Conn, i int, b []byte) error {
			if i == 0 {
				held = bytes.Clone(b)
				return nil
			}
			if err := conn.Send(b); err != nil {
				return err
			}
			return conn.Send(held)
		},
	} {
		inv := newInvite(t)
		o := shake(newHome(inv.Host), inv.Link, func(c wire.Conn) wire.Conn {
			return &courier{Conn: c, deliver: deliver}
		})
		if o.guestErr != nil {
			t.Fatal(o.guestErr)
		}
		for range 2 {
			if err := o.guest.Send([]byte("frame")); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if got, err := o.home.Recv(); !errors.Is(err, wire.ErrBadMessage) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

// A courier decides what becomes of each frame after the handshake.
type courier struct {
	wire.Conn
	sent    int
	deliver func(conn wire.Conn, i int, b []byte) error
}

func (c *courier) Send(b []byte) error {
	c.sent++
	if c.sent <= 2 {
		return c.Conn.Send(b)
	}
	return c.deliver(c.Conn, c.sent-3, b)
}

// What one direction carries must be worth nothing in the other.
func TestReflectedFrameEndsTheChannel(t *testing.T) {
	inv := newInvite(t)
	var sent []byte
	o := shake(newHome(inv.Host), inv.Link, func(c wire.Conn) wire.Conn {
		return &meddler{
			Conn: c,
			out:  func(i int, b []byte) []byte { sent = bytes.Clone(b); return b },
			in: func(i int, b []byte) []byte {
				if i >= 2 {
					return sent
				}
				return b
			},
		}
	})
	if o.guestErr != nil {
		t.Fatal(o.guestErr)
	}
	if err := o.guest.Send([]byte("mine")); err != nil {
		t.Fatal(err)
	}
	if err := o.home.Send([]byte("yours")); err != nil {
		t.Fatal(err)
	}
	if got, err := o.guest.Recv(); !errors.Is(err, wire.ErrBadMessage) {
		t.Errorf("the guest's own frame came back as %q, %v", got, err)
	}
}

// Equal messages must not look equal, and nothing of them must show.
func TestFramesShowNothing(t *testing.T) {
	var frames [][]byte
	guest, _ := channelThrough(t, func(_ int, b []byte) []byte { frames = append(frames, bytes.Clone(b)); return b })
	for range 3 {
		if err := guest.Send([]byte("the same words")); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range frames {
		if bytes.Contains(f, []byte("words")) || bytes.Contains(f, make([]byte, 8)) {
			t.Error("a frame shows its content or its padding")
		}
		if len(f) != 256+tagSize || i > 0 && bytes.Equal(f[:16], frames[0][:16]) {
			t.Error("equal messages look equal, or a frame its length")
		}
	}
}

// A frame that the transport did not take has used up its nonce, so none
// follows it. What the other end said can still be read.
func TestNothingFollowsAFailedSend(t *testing.T) {
	inv := newInvite(t)
	failing := errors.New("transport: no route")
	o := shake(newHome(inv.Host), inv.Link, func(c wire.Conn) wire.Conn {
		return &courier{Conn: c, deliver: func(conn wire.Conn, i int, b []byte) error {
			if i == 0 {
				return failing
			}
			return conn.Send(b)
		}}
	})
	if o.guestErr != nil {
		t.Fatal(o.guestErr)
	}
	if err := o.home.Send([]byte("bye")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := o.guest.Send([]byte("x")); !errors.Is(err, failing) {
			t.Errorf("Send: %v", err)
		}
	}
	if got, err := o.guest.Recv(); err != nil || string(got) != "bye" {
		t.Errorf("what the other end said: %q, %v", got, err)
	}
	o.guest.Close(nil)
	if got, err := o.home.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("behind the gap: %q, %v", got, err)
	}
}

func BenchmarkChannel(b *testing.B) {
	x, y := sealed(b)()
	data := bytes.Repeat([]byte("x"), 1000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := x.Send(data); err != nil {
			b.Fatal(err)
		}
		if _, err := y.Recv(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHandshake(b *testing.B) {
	inv := newInvite(b)
	for b.Loop() {
		if o := shake(newHome(inv.Host), inv.Link, nil); o.guestErr != nil {
			b.Fatal(o.guestErr)
		}
	}
}

// BenchmarkOutsider is what a knock without a link costs the home node.
func BenchmarkOutsider(b *testing.B) {
	inv := newInvite(b)
	rid := inv.Host.Rendezvous.RID()
	for b.Loop() {
		x, y := wire.Pipe()
		x.Send(openFrame(rid))
		x.Send(make([]byte, knockSize))
		if _, err := newHome(inv.Host).accept(y); err == nil {
			b.Fatal("accepted")
		}
	}
}
