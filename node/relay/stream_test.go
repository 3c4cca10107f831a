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

// TestFullOfStreams: streams that do nothing keep nobody out, and nobody loses
// an allocation to a newcomer.
func TestFullOfStreams(t *testing.T) {
	g := start(t, Config{Limits: Limits{Streams: 4, StreamsPerPrefix: 10}}, nil)
	a, b := g.pair(t, "tcp4", "tls4")
	first := g.dial(t, "tcp4")
	eventually(t, "three streams", func() bool { return g.Stats().Streams == 3 })
	second := g.dial(t, "tls4")
	eventually(t, "four streams", func() bool { return g.Stats().Streams == 4 })
	for range 20 {
		s := g.seat(t, "tcp4", g.newSeat("call", later()))
		must(t, "allocate", s.allocate(), 0)
		must(t, "end", s.refresh(0), 0)
	}
	if err := hungUp(first); err != nil {
		t.Errorf("the first: %v", err)
	}
	if err := hungUp(second); err != nil {
		t.Errorf("the second: %v", err)
	}
	hears(t, a, b)
	hears(t, b, a)
	c, d := g.pair(t, "tcp4", "tcp4")
	hears(t, c, d)
	if err := hungUp(g.dial(t, "tcp4")); err != nil {
		t.Errorf("one more where all have business: %v", err)
	}
	must(t, "streams", g.Stats().Streams, 4)
}
