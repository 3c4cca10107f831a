package seal

import (
	"bytes"
	"errors"
	"testing"

	"anteroom/rendezvous/internal/vectors"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// vectorHome returns home node and link of the first vector: the same in every
// process of a fuzzing run.
func vectorHome(f *testing.F) (vectors.Vector, invite.Link, invite.HostKeys) {
	v := vectors.Load(f)[0]
	link, err := invite.ParseLink(v.Link)
	if err != nil {
		f.Fatal(err)
	}
	rdv := v.RendezvousKey
	stored := bytes.Join([][]byte{{1}, v.PSK, v.AdmitKey, v.HelloKey, rdv, v.HostPriv, v.HostPub}, nil)
	var host invite.HostKeys
	if err := host.UnmarshalBinary(stored); err != nil {
		f.Fatal(err)
	}
	return v, link, host
}

// FuzzAccept plays any two frames to a home node. Its nonce is fresh, so no
// input can be a valid knock.
func FuzzAccept(f *testing.F) {
	v, _, host := vectorHome(f)
	knock := append(bytes.Clone(v.Admit), v.M1...)
	f.Add(openFrame([32]byte(v.RID)), knock)
	f.Add(openFrame([32]byte(v.RID)), knock[1:])
	f.Add(openFrame([32]byte{}), knock)
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, open, knock []byte) {
		a, b := wire.Pipe()
		for _, frame := range [][]byte{open, knock} {
			if len(frame) > wire.MaxFrame {
				return
			}
			if err := a.Send(frame); err != nil {
				t.Fatal(err)
			}
		}
		h := newHome(host)
		if c, err := h.accept(b); c != nil || !errors.Is(err, wire.ErrNotInvited) || h.welcomed+h.curve > 0 {
			t.Fatalf("err = %v, %d welcomed, %d curve operations", err, h.welcomed, h.curve)
		}
	})
}

// FuzzDial plays any two frames to a guest. Its ephemeral key is fresh, so only
// the hello can be valid.
func FuzzDial(f *testing.F) {
	v, link, _ := vectorHome(f)
	hello := bytes.Join([][]byte{{1, 1, 1}, v.NonceH, v.Hello}, nil)
	f.Add(hello, []byte(v.M2))
	f.Add(hello, []byte(v.M1))
	f.Add(hello[1:], []byte{})
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		a, b := wire.Pipe()
		for _, frame := range [][]byte{first, second} {
			if len(frame) > wire.MaxFrame {
				return
			}
			if err := b.Send(frame); err != nil {
				t.Fatal(err)
			}
		}
		want := ErrMismatch
		if bytes.Equal(first, hello) {
			want = wire.ErrBadMessage
		}
		if c, _, err := Dial(a, link); c != nil || !errors.Is(err, want) {
			t.Fatalf("err = %v, want %v", err, want)
		}
	})
}

// FuzzPadding checks that there is one way to pad.
func FuzzPadding(f *testing.F) {
	for _, n := range []int{0, 1, 254, 255, 1022, 1023, 4094, 16382} {
		plain, _ := pad(bytes.Repeat([]byte("x"), n))
		f.Add(plain)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, plain []byte) {
		data, ok := unpad(plain)
		if !ok {
			return
		}
		if again, ok := pad(data); !ok || !bytes.Equal(again, plain) {
			t.Fatal("padding that nobody makes was accepted")
		}
	})
}
