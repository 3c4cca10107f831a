package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"sync"
	"testing"

	"github.com/flynn/noise"

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// record is the frames of one handshake as a gateway sees them.
type record struct{ open, hello, knock, m2, first []byte }

func recordHandshake(t *testing.T, h *home, link invite.Link) record {
	t.Helper()
	var r record
	o := shake(h, link, func(c wire.Conn) wire.Conn {
		return &meddler{
			Conn: c,
			out:  func(i int, b []byte) []byte { *[]*[]byte{&r.open, &r.knock, &r.first}[i] = b; return b },
			in:   func(i int, b []byte) []byte { *[]*[]byte{&r.hello, &r.m2}[i] = b; return b },
		}
	})
	if o.guestErr != nil || o.homeErr != nil {
		t.Fatalf("guest: %v, home: %v", o.guestErr, o.homeErr)
	}
	if err := o.guest.Send([]byte("join")); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReplayToTheHomeNode(t *testing.T) {
	inv := newInvite(t)
	h := newHome(inv.Host)
	old := recordHandshake(t, h, inv.Link)
	h.welcomed = 0
	for name, knock := range map[string][]byte{
		"knock":                 old.knock,
		"open for a knock":      old.open,
		"hello for a knock":     old.hello,
		"message 2 for a knock": old.m2,
	} {
		a, b := wire.Pipe()
		for _, frame := range [][]byte{old.open, knock, old.first} {
			if err := a.Send(frame); err != nil {
				t.Fatal(err)
			}
		}
		if c, err := h.accept(b); c != nil || !errors.Is(err, wire.ErrNotInvited) || h.welcomed > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReplayToTheGuest(t *testing.T) {
	inv := newInvite(t)
	h := newHome(inv.Host)
	old := recordHandshake(t, h, inv.Link)
	a, b := wire.Pipe()
	for _, frame := range [][]byte{old.hello, old.m2} {
		if err := b.Send(frame); err != nil {
			t.Fatal(err)
		}
	}
	if c, _, err := Dial(a, inv.Link); c != nil || !errors.Is(err, wire.ErrBadMessage) {
		t.Errorf("an old answer: %v", err)
	}
}

func TestReflection(t *testing.T) {
	inv := newInvite(t)
	h := newHome(inv.Host)
	var m1 []byte
	o := shake(h, inv.Link, func(c wire.Conn) wire.Conn {
		return &meddler{
			Conn: c,
			out:  only(1, func(b []byte) []byte { m1 = bytes.Clone(b[admitSize:]); return b }),
			in:   only(1, func([]byte) []byte { return m1 }),
		}
	})
	if o.guest != nil || !errors.Is(o.guestErr, wire.ErrBadMessage) {
		t.Errorf("its own message 1 as message 2: %v", o.guestErr)
	}
	o = shake(h, inv.Link, func(c wire.Conn) wire.Conn {
		var open []byte
		return &meddler{
			Conn: c,
			out:  only(0, func(b []byte) []byte { open = bytes.Clone(b); return b }),
			in:   only(0, func([]byte) []byte { return open }),
		}
	})
	if o.guest != nil || !errors.Is(o.guestErr, ErrMismatch) {
		t.Errorf("its own open as hello: %v", o.guestErr)
	}
}

// TestFramesOfAnotherInvite puts each frame of one invite's handshake in place
// of the same frame of another's, both of the same home node.
func TestFramesOfAnotherInvite(t *testing.T) {
	mine, other := newInvite(t), newInvite(t)
	theirs := recordHandshake(t, newHome(other.Host), other.Link)
	for name, m := range map[string]*meddler{
		"open":      {out: only(0, func([]byte) []byte { return theirs.open })},
		"hello":     {in: only(0, func([]byte) []byte { return theirs.hello })},
		"knock":     {out: only(1, func([]byte) []byte { return theirs.knock })},
		"message 2": {in: only(1, func([]byte) []byte { return theirs.m2 })},
		"admit":     {out: only(1, func(b []byte) []byte { return append(theirs.knock[:admitSize:admitSize], b[admitSize:]...) })},
		"message 1": {out: only(1, func(b []byte) []byte { return append(b[:admitSize:admitSize], theirs.knock[admitSize:]...) })},
	} {
		o := shake(newHome(mine.Host), mine.Link, func(c wire.Conn) wire.Conn { m.Conn = c; return m })
		if o.guest != nil || o.guestErr == nil {
			t.Errorf("%s: the guest has a channel", name)
		}
		if name != "message 2" && o.home != nil {
			t.Errorf("%s: the home node has a channel", name)
		}
	}
}

// thief answers as the home node of someone else's invite, with the whole link
// in hand: its own or the true public key, and a private key of its own.
func thief(conn wire.Conn, link invite.Link, truePublic bool, host invite.HostKeys) (*Channel, error) {
	own, err := p256{}.GenerateKeypair(rand.Reader)
	if err != nil {
		return nil, err
	}
	public := [pointSize]byte(own.Public)
	if truePublic { // it can be read out of any hello
		public = host.Public()
	}
	keys := link.Keys()
	rid := keys.Rendezvous.RID()
	if _, err := conn.Recv(); err != nil {
		return nil, err
	}
	var nonce [32]byte
	rand.Read(nonce[:])
	hello, err := helloFrame(keys.Hello, rid, nonce, [ivSize]byte(nonce[:]), public)
	if err != nil {
		return nil, err
	}
	if err := conn.Send(hello); err != nil {
		return nil, err
	}
	knock, err := conn.Recv()
	if err != nil {
		return nil, err
	}
	hs, err := respond(p256{}, noise.DHKey{Private: own.Private, Public: public[:]}, keys.PSK.Reveal(),
		prologue(rid, link.Commitment(), nonce))
	if err != nil {
		return nil, err
	}
	if _, _, _, err := hs.ReadMessage(nil, knock[admitSize:]); err != nil {
		// It cannot read the knock. It can still make up an answer.
		e, _ := p256{}.GenerateKeypair(rand.Reader)
		return nil, errors.Join(err, conn.Send(append(e.Public, make([]byte, tagSize+len(greeting))...)))
	}
	m2, in, out, err := hs.WriteMessage(nil, greeting)
	if err != nil {
		return nil, err
	}
	return newChannel(conn, hs, in, out), conn.Send(m2)
}

func TestThiefWithTheWholeLinkCannotPoseAsTheHost(t *testing.T) {
	inv := newInvite(t)
	for name, row := range map[string]struct {
		truePublic bool
		want       error
	}{
		"with a key of its own":    {false, ErrMismatch},
		"with the true public key": {true, wire.ErrBadMessage},
	} {
		a, b := wire.Pipe()
		var wg sync.WaitGroup
		var posing *Channel
		wg.Go(func() { posing, _ = thief(b, inv.Link, row.truePublic, inv.Host) })
		guest, _, err := Dial(a, inv.Link)
		wg.Wait()
		if guest != nil || posing != nil || !errors.Is(err, row.want) {
			t.Errorf("%s: the guest got %v, want %v", name, err, row.want)
		}
	}
	// A test of the test: with the host's private key the same code is believed.
	a, b := wire.Pipe()
	go func() { // ends with the handshake
		h := newHome(inv.Host)
		h.accept(b)
	}()
	if _, _, err := Dial(a, inv.Link); err != nil {
		t.Errorf("the true host: %v", err)
	}
}
