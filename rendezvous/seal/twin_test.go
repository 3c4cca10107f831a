//go:build e2e

package seal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// handshakes is how many fresh invites are opened each way.
const handshakes = 1000

// TestBothLanguages does handshakes between this package and seal.js under
// Node.js, each with a fresh invite and fresh keys on both sides, and sends
// data of random sizes there and back.
func TestBothLanguages(t *testing.T) {
	script := startPeer(t)
	t.Run("guest in JavaScript", func(t *testing.T) {
		for range handshakes {
			inv := newInvite(t)
			welcome := randomBytes(rand.N(2000))
			script.session(t, session{Role: "guest", Link: inv.Link.Payload()})
			r := responder{
				conn:    script,
				find:    func(rid [32]byte) (*invite.HostKeys, bool) { return &inv.Host, rid == inv.Host.Rendezvous.RID() },
				welcome: func() ([]byte, error) { return welcome, nil },
				dh:      p256{},
				pause:   closeDelay,
			}
			channel, err := r.accept()
			if err != nil {
				t.Fatal(err)
			}
			converse(t, channel, welcome)
		}
	})
	t.Run("home node in JavaScript", func(t *testing.T) {
		for range handshakes {
			inv := newInvite(t)
			want := randomBytes(rand.N(2000))
			public := inv.Host.Public()
			script.session(t, session{
				Role: "home", Link: inv.Link.Payload(), Welcome: hex.EncodeToString(want),
				Scalar: hex.EncodeToString(inv.Host.Private().Reveal()), Point: hex.EncodeToString(public[:]),
			})
			channel, welcome, err := Dial(script, inv.Link)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(welcome, want) {
				t.Fatal("the welcome was changed")
			}
			converse(t, channel, want)
		}
	})
}

// converse checks that the script agrees on the handshake, and sends data there
// and back.
func converse(t *testing.T, channel *Channel, welcome []byte) {
	t.Helper()
	first, err := channel.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var heard struct{ H, Welcome string }
	if err := json.Unmarshal(first, &heard); err != nil {
		t.Fatal(err)
	}
	h := channel.Hash()
	if heard.H != hex.EncodeToString(h[:]) || heard.Welcome != hex.EncodeToString(welcome) {
		t.Fatal("the two sides do not agree on the handshake")
	}
	for range 3 {
		data := randomBytes(1 + rand.N([]int{200, 1000, 4000, wire.MaxMessage}[rand.N(4)]))
		if err := channel.Send(data); err != nil {
			t.Fatal(err)
		}
		if got, err := channel.Recv(); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes came back as %d, %v", len(data), len(got), err)
		}
	}
	if err := channel.Send(nil); err != nil { // the end of the session
		t.Fatal(err)
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// A peer is seal-peer.mjs as a Conn.
type peer struct {
	in  io.Writer
	out *bufio.Reader
}

// session tells the script who to be next.
type session struct {
	Role    string `json:"role"`
	Link    string `json:"link"`
	Welcome string `json:"welcome"`
	Scalar  string `json:"scalar"`
	Point   string `json:"point"`
}

func startPeer(t *testing.T) *peer {
	t.Helper()
	cmd := exec.Command("node", "../../httpui/test/page/seal-peer.mjs")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs Node.js 20 or later: %v", err)
	}
	t.Cleanup(func() {
		in.Close() // the script ends with its input
		if err := cmd.Wait(); err != nil {
			t.Errorf("the script: %v", err)
		}
	})
	return &peer{in: in, out: bufio.NewReader(out)}
}

func (p *peer) session(t *testing.T, s session) {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Send(b); err != nil {
		t.Fatal(err)
	}
}

func (p *peer) Send(b []byte) error {
	_, err := p.in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}

func (p *peer) Recv() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.out, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(p.out, b)
	return b, err
}

func (p *peer) Close(error) {}
