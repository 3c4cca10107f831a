package seal

import (
	"bytes"
	"crypto/sha256"
	"io"
	"slices"
	"testing"

	"github.com/flynn/noise"

	"anteroom/rendezvous/internal/vectors"
	"anteroom/rendezvous/invite"
)

// fixed is a DHFunc whose next ephemeral key is key. The library always draws a
// fresh one, and so does everything that is not a test of vectors.
type fixed struct {
	noise.DHFunc
	key noise.DHKey
}

func (f fixed) GenerateKeypair(io.Reader) (noise.DHKey, error) { return f.key, nil }

func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s = %x, want %x", what, got, want)
	}
}

func TestVectors(t *testing.T) {
	for _, v := range vectors.Load(t) {
		t.Run(v.ID, func(t *testing.T) {
			link, err := invite.ParseLink(v.Link)
			if err != nil {
				t.Fatal(err)
			}
			keys := link.Keys()
			rid, nonce := [32]byte(v.RID), [32]byte(v.NonceH)

			// hello
			frame := slices.Concat([]byte{1, 1, 1}, v.NonceH, v.Hello)
			gotNonce, public, ok := openHello(keys.Hello, rid, frame)
			if !ok || gotNonce != nonce {
				t.Fatal("the hello does not open")
			}
			equal(t, "host_pub in hello", public[:], v.HostPub)
			again, err := helloFrame(keys.Hello, rid, nonce, [ivSize]byte(v.Hello), public)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "hello", again, frame)
			hc := invite.CommitmentOf(public[:])
			equal(t, "HC", hc[:], v.HC)

			// handshake
			pro := prologue(rid, link.Commitment(), nonce)
			equal(t, "prologue", pro, v.Prologue)
			guest, err := initiate(fixed{p256{}, noise.DHKey{Private: v.EIPriv, Public: v.EIPub}}, public[:], keys.PSK.Reveal(), pro)
			if err != nil {
				t.Fatal(err)
			}
			home, err := respond(fixed{p256{}, noise.DHKey{Private: v.ERPriv, Public: v.ERPub}},
				noise.DHKey{Private: v.HostPriv, Public: v.HostPub}, keys.PSK.Reveal(), pro)
			if err != nil {
				t.Fatal(err)
			}
			m1, _, _, err := guest.WriteMessage(nil, v.P1)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "m1", m1, v.M1)
			equal(t, "admit", admitMAC(keys.Admit, nonce, rid, m1[:pointSize]), v.Admit)
			p1, _, _, err := home.ReadMessage(nil, m1)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "p1", p1, v.P1)
			m2, homeIn, homeOut, err := home.WriteMessage(nil, v.P2)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "m2", m2, v.M2)
			p2, guestOut, guestIn, err := guest.ReadMessage(nil, m2)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "p2", p2, v.P2)
			for _, c := range []*noise.CipherState{guestOut, homeIn} {
				k := c.UnsafeKey()
				equal(t, "kI", k[:], v.KI)
			}
			for _, c := range []*noise.CipherState{guestIn, homeOut} {
				k := c.UnsafeKey()
				equal(t, "kR", k[:], v.KR)
			}

			// channel: what either end puts on the wire, and that the other opens it
			a, b := &tape{}, &tape{}
			guestEnd, homeEnd := newChannel(a, guest, guestIn, guestOut), newChannel(b, home, homeIn, homeOut)
			for _, c := range []*Channel{guestEnd, homeEnd} {
				h := c.Hash()
				equal(t, "h", h[:], v.H)
			}
			for _, f := range v.Frames {
				data := bytes.Repeat([]byte("x"), f.Len)
				for _, way := range []struct {
					from, to *Channel
					wire     *tape
					want     []byte
				}{{guestEnd, homeEnd, a, f.I2R}, {homeEnd, guestEnd, b, f.R2I}} {
					if err := way.from.Send(data); err != nil {
						t.Fatal(err)
					}
					sum := sha256.Sum256(way.wire.frame)
					equal(t, "frame", sum[:], way.want)
					got, ok := way.to.open(way.wire.frame)
					if !ok || !bytes.Equal(got, data) {
						t.Errorf("a frame of %d bytes does not open", f.Len)
					}
				}
			}

			// binding and comparing
			confirm, h := [32]byte(v.KConfirm), [32]byte(v.H)
			fpH, fpP := [32]byte(v.FH), [32]byte(v.FP)
			dcH, dcP := BindingMAC(confirm, RoleHost, h, fpH, fpP), BindingMAC(confirm, RoleGuest, h, fpP, fpH)
			equal(t, "dcH", dcH[:], v.DCH)
			equal(t, "dcP", dcP[:], v.DCP)
			nH, nP, sid := [32]byte(v.NH), [32]byte(v.NP), [32]byte(v.SID)
			commit := CompareCommit(h, nH)
			equal(t, "commit", commit[:], v.Commit)
			sas := compareString(h, nH, nP, fpH, fpP, sid)
			equal(t, "sas", sas[:], v.SAS)
			code := Compare(h, nH, nP, fpH, fpP, sid)
			if !slices.Equal(code.Symbols[:], v.Symbols) || code.Digits != v.Digits {
				t.Errorf("code = %v %s, want %v %s", code.Symbols, code.Digits, v.Symbols, v.Digits)
			}
		})
	}
}

// A tape keeps the last frame that was sent.
type tape struct{ frame []byte }

func (p *tape) Send(b []byte) error   { p.frame = bytes.Clone(b); return nil }
func (p *tape) Recv() ([]byte, error) { return nil, io.EOF }
func (p *tape) Close(error)           {}
