package seal

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// TestOutsidersHearOneRefusal plays every kind of outsider against Accept
// itself and compares all that they can see: the frames, the code and when the
// connection closes.
func TestOutsidersHearOneRefusal(t *testing.T) {
	mine, other := newInvite(t), newInvite(t)
	rid := mine.Host.Rendezvous.RID()
	const thinking = 3 * time.Second // the delay counts from the last frame, not the first
	for name, row := range map[string]struct {
		open, knock []byte
		hello       int // length of the hello
	}{
		"open of another version": {append([]byte{2}, rid[:]...), nil, 0},
		"open too short":          {rid[:], nil, 0},
		"no open":                 {[]byte{}, nil, 0},
		"unknown rid":             {openFrame(other.Host.Rendezvous.RID()), make([]byte, knockSize), helloSize},
		"unknown rid, no knock":   {openFrame(other.Host.Rendezvous.RID()), []byte{}, helloSize},
		"wrong MAC":               {openFrame(rid), make([]byte, knockSize), helloSize},
		"knock too short":         {openFrame(rid), make([]byte, knockSize-1), helloSize},
		"knock too long":          {openFrame(rid), make([]byte, knockSize+1), helloSize},
		"empty knock":             {openFrame(rid), []byte{}, helloSize},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				synctest.Test(t, func(t *testing.T) {
					a, b := wire.Pipe()
					accepted := make(chan error, 1)
					go func() { // ends with its refusal
						_, err := Accept(b, func(asked [32]byte) (*invite.HostKeys, bool) {
							return &mine.Host, asked == rid
						}, func() ([]byte, error) { t.Error("an outsider was welcomed"); return greeting, nil })
						accepted <- err
					}()
					if err := a.Send(row.open); err != nil {
						t.Fatal(err)
					}
					if row.hello > 0 {
						hello, err := a.Recv()
						if err != nil || len(hello) != row.hello {
							t.Errorf("hello of %d bytes, %v", len(hello), err)
						}
						<-time.After(thinking)
						if err := a.Send(row.knock); err != nil {
							t.Fatal(err)
						}
					}
					begin := time.Now()
					_, err := a.Recv()
					if took := time.Since(begin); took < 100*time.Millisecond || took >= 200*time.Millisecond {
						t.Errorf("closed after %v", took)
					}
					if err == nil || err.Error() != string(wire.CodeNotInvited) {
						t.Errorf("closed with %v", err)
					}
					if err := <-accepted; !errors.Is(err, wire.ErrNotInvited) {
						t.Errorf("Accept: %v", err)
					}
				})
			}
		})
	}
}

func TestHellosOfUnknownRIDsLookRandom(t *testing.T) {
	inv := newInvite(t)
	seen := make(map[string]bool)
	for range 50 {
		a, b := wire.Pipe()
		go newHome(inv.Host).accept(b) // ends when a is closed
		if err := a.Send(openFrame([32]byte{1})); err != nil {
			t.Fatal(err)
		}
		hello, err := a.Recv()
		if err != nil {
			t.Fatal(err)
		}
		a.Close(nil)
		if len(hello) != helloSize || string(hello[:3]) != "\x01\x01\x01" {
			t.Fatalf("a hello of %d bytes that begins % x", len(hello), hello[:3])
		}
		for i := 3; i+8 <= len(hello); i++ {
			if part := string(hello[i : i+8]); seen[part] {
				t.Fatal("two hellos share bytes")
			} else {
				seen[part] = true
			}
		}
	}
}

func TestHandshakeTimesOut(t *testing.T) {
	inv := newInvite(t)
	rid := inv.Host.Rendezvous.RID()
	for name, open := range map[string][]byte{"silent guest": nil, "no knock": openFrame(rid), "no knock, unknown rid": openFrame([32]byte{})} {
		synctest.Test(t, func(t *testing.T) {
			a, b := wire.Pipe()
			if open != nil {
				if err := a.Send(open); err != nil {
					t.Fatal(err)
				}
			}
			begin := time.Now()
			_, err := newHome(inv.Host).accept(b)
			if took := time.Since(begin); !errors.Is(err, wire.ErrTimeout) || took != wire.HandshakeTime {
				t.Errorf("%s: %v after %v", name, err, took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		a, _ := wire.Pipe()
		begin := time.Now()
		_, _, err := Dial(a, inv.Link)
		if took := time.Since(begin); !errors.Is(err, wire.ErrTimeout) || took != wire.HandshakeTime {
			t.Errorf("silent home node: %v after %v", err, took)
		}
	})
}
