package relay

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

// TestAnswersArriveLate: a client that is behind misses packets of the call, and
// none of the answers to what it has asked.
func TestAnswersArriveLate(t *testing.T) {
	g := start(t, Config{}, nil)
	here, there := net.Pipe()
	s := &stream{front: g.fronts[0], conn: there, out: make(chan *parcel, queueLen+answerLen), done: make(chan struct{})}
	ended := make(chan struct{})
	go func() { // ends with the stream
		defer close(ended)
		s.write()
	}()
	answer := stun.MustBuild(stun.TransactionID, stun.BindingSuccess).Raw
	packet := channelData(minChannel, make([]byte, 1000))
	for range 2 * queueLen {
		s.send(packet)
	}
	for range 3 {
		s.answer(answer)
	}
	time.Sleep(2 * stale)
	for range 2 * queueLen {
		s.send(packet)
	}
	got := make([]byte, len(answer))
	answers := 0
	here.SetReadDeadline(time.Now().Add(5 * time.Second))
	for answers < 3 {
		if _, err := io.ReadFull(here, got[:channelHeader]); err != nil {
			t.Fatalf("%d answers came: %v", answers, err)
		}
		n, _ := frameSize(got)
		if got[0] < 0x40 { // no packet of the call
			answers++
		}
		if _, err := io.CopyN(io.Discard, here, int64(n-channelHeader)); err != nil {
			t.Fatalf("%d answers came: %v", answers, err)
		}
	}
	close(s.done)
	here.Close()
	<-ended
}
