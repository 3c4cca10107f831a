package relay

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"anteroom/node/polltest"
)

// TestStreamsDoNotPayForPackets: a flood of packets, from whatever address it
// says, keeps nobody from the relay who has made a connection.
func TestStreamsDoNotPayForPackets(t *testing.T) {
	g := start(t, Config{}, nil)
	flood := g.dial(t, "udp4")
	ask := func() { flood.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw) }
	for range 100 {
		ask()
	}
	polltest.Eventually(t, "answers are spent", func() bool { ask(); return g.Stats().Dropped.Unanswered > 0 })
	for _, transport := range []string{"tcp4", "tls4"} {
		s := &seat{t: t, conn: g.dial(t, transport)}
		for range 200 {
			ask()
			s.write(s.message(stun.MethodBinding).Raw)
		}
		began := time.Now()
		n := s.tally(20)
		if most := 20 + int(20*time.Since(began).Seconds()) + 1; n < 20 || n > most {
			t.Errorf("%s: %d answers, want 20 and at most %d", transport, n, most)
		}
	}
}

func TestStreams(t *testing.T) {
	g := start(t, Config{Limits: Limits{Streams: 5, StreamsPerPrefix: 3}}, nil)
	a, b := g.pair(t, "tcp4", "tcp4")

	t.Run("limits", func(t *testing.T) {
		one := g.dial(t, "tcp4")
		polltest.Eventually(t, "three streams", func() bool { return g.Stats().Streams == 3 })
		c := g.seat(t, "tcp4", g.newSeat("call", later()))
		must(t, "allocate", c.allocate(), 0) // of a network that has three already
		if err := hungUp(one); err != nil {
			t.Errorf("the one without an allocation: %v", err)
		}
		if err := hungUp(g.dial(t, "tcp4")); err != nil {
			t.Errorf("a fourth stream, where three have business: %v", err)
		}
		must(t, "end", c.refresh(0), 0)
		c.conn.Close()
		polltest.Eventually(t, "two streams", func() bool { return g.Stats().Streams == 2 })
	})
	t.Run("malformed", func(t *testing.T) {
		for _, s := range []string{
			"GET / HTTP/1.1\r\n\r\n",
			"\x00\x01\xff\xec\x21\x12\xa4\x42aaaaaaaaaaaa", // adds up to nothing in 16 bits
			"\x00\x01\x00\x03\x21\x12\xa4\x42aaaaaaaaaaaa",
			"\x40\x00\xff\xff",
			"\x80\x00\x00\x04aaaa",
		} {
			c := g.dial(t, "tcp4")
			c.Write([]byte(s))
			if err := hungUp(c); err != nil {
				t.Errorf("%q: %v", s, err)
			}
			c.Close()
			polltest.Eventually(t, "two streams", func() bool { return g.Stats().Streams == 2 })
		}
	})
	t.Run("silent", func(t *testing.T) {
		g := start(t, Config{patience: time.Second}, nil)
		if err := hungUp(g.dial(t, "tcp4")); err != nil {
			t.Error(err)
		}
		a, b := g.pair(t, "tcp4", "tcp4")
		time.Sleep(2100 * time.Millisecond)
		hears(t, a, b)
		must(t, "end", a.refresh(0), 0)
		if err := hungUp(a.conn); err != nil {
			t.Error(err)
		}
	})
	t.Run("end", func(t *testing.T) {
		hears(t, a, b)
		a.conn.Close()
		polltest.Eventually(t, "one allocation", func() bool { return g.Stats().Allocations == 1 })
		polltest.Eventually(t, "one stream", func() bool { return g.Stats().Streams == 1 })
	})
	for _, transport := range []string{"tcp4", "tls4"} {
		t.Run("slow "+transport, func(t *testing.T) { // a client that does not read stops nobody
			a, b := g.pair(t, "udp4", transport)
			g.table.mu.RLock()
			to := g.table.atLocked(b.relayed).stream
			g.table.mu.RUnlock()
			packet := channelData(minChannel, make([]byte, maxPacket-channelHeader))
			began, was := time.Now(), g.Stats().Dropped.Overflow
			polltest.Eventually(t, "overflow", func() bool {
				for range queueLen {
					to.deliver([][]byte{packet, packet, packet})
				}
				return g.Stats().Dropped.Overflow > was
			})
			if took := time.Since(began); took > sendTime/2 {
				t.Errorf("it held up others for %v", took)
			}
			must(t, "refresh", a.refresh(600), 0)
		})
	}
	for _, transport := range []string{"tcp4", "tls4"} {
		t.Run("in order "+transport, func(t *testing.T) { // however many come at once, and however they are written
			g := start(t, Config{Limits: Limits{Packets: 1e6, Bits: 1e10}}, nil)
			a, b := g.pair(t, transport, transport)
			const n, sent = 2000, 11_991 // of each, 1 to 11
			go func() {                  // ends with the last, or the connection
				for i := range n {
					var p []byte
					for range 1 + i%11 {
						p = append(p, channelData(0x4000, fmt.Appendf(nil, "%04d", i))...)
					}
					if _, err := a.conn.Write(p); err != nil {
						return
					}
					if i%10 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			}()
			came, last := 0, ""
			dropped := func() int { return int(g.Stats().Dropped.Overflow) }
			for end := time.Now().Add(wait); came+dropped() < sent && time.Now().Before(end); {
				p := b.read(2 * time.Second) // or the last ones were dropped
				if p == nil {
					continue
				}
				now := string(p[channelHeader : channelHeader+4])
				if now < last {
					t.Fatalf("%s came after %s", now, last)
				}
				last = now
				came++
			}
			if came == 0 || came+dropped() != sent {
				t.Errorf("%d came, %d were dropped", came, dropped())
			}
		})
	}
	for _, transport := range []string{"tcp4", "tls4"} {
		t.Run("late "+transport, func(t *testing.T) { // a client on a slow line hears what is new
			a, b := g.pair(t, "udp4", transport)
			for i := range 4000 {
				a.write(channelData(0x4000, make([]byte, 1000)))
				if i%50 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			time.Sleep(2 * stale)
			newest := channelData(0x4000, []byte("the newest"))
			var talk sync.WaitGroup
			heard := make(chan struct{})
			talk.Go(func() { // ends with heard; one may be stale before a busy machine has read what is old
				for {
					a.conn.Write(newest)
					select {
					case <-heard:
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
			})
			defer talk.Wait()
			defer close(heard)
			old := 0
			for {
				p := b.read(wait)
				if p == nil {
					t.Fatal("it did not come")
				}
				if bytes.HasPrefix(p, newest) {
					break
				}
				old += len(p)
			}
			if old > 256<<10 { // what both systems have in their buffers
				t.Errorf("%d bytes came before it", old)
			}
		})
	}
}

// piped returns a stream that writes until the test ends, and its client's end.
func piped(t *testing.T) (here net.Conn, s *stream) {
	g := start(t, Config{}, nil)
	here, there := net.Pipe()
	s = newStream(g.endpoints[0], there)
	ended := make(chan struct{})
	go func() { // ends with the stream
		defer close(ended)
		s.write()
	}()
	t.Cleanup(func() {
		close(s.done)
		here.Close()
		<-ended
	})
	return here, s
}

// TestAnswersArriveLate: a client that is behind misses packets of the call, and
// none of the answers to what it has asked.
func TestAnswersArriveLate(t *testing.T) {
	here, s := piped(t)
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
	here.SetReadDeadline(time.Now().Add(wait))
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
}

// TestSoundGoesFirst: to a client that is behind, pictures go when no sound
// waits.
func TestSoundGoesFirst(t *testing.T) {
	here, s := piped(t)
	rtp := func(size int) []byte { return channelData(minChannel, append([]byte{0x80}, make([]byte, size-1)...)) }
	picture, sound := rtp(1000), rtp(200)
	handshake := channelData(minChannel, append([]byte{22}, make([]byte, 999)...)) // as long, and not to be held back
	s.deliver([][]byte{picture})
	var got []int
	here.SetReadDeadline(time.Now().Add(5 * time.Second))
	for i := range 7 {
		head := make([]byte, channelHeader+1)
		if _, err := io.ReadFull(here, head); err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		if i == 0 { // it is being written, until the rest of it is read
			s.deliver([][]byte{picture, picture, sound, picture, handshake, sound})
		}
		n, _ := frameSize(head)
		if _, err := io.CopyN(io.Discard, here, int64(n-len(head))); err != nil {
			t.Fatal(err)
		}
		got = append(got, n-channelHeader+int(head[channelHeader]&0x1f)) // 1022 for the handshake
	}
	if want := []int{1000, 200, 1022, 200, 1000, 1000, 1000}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFullOfStreams: streams that do nothing keep nobody out, and nobody loses
// an allocation to a newcomer.
func TestFullOfStreams(t *testing.T) {
	g := start(t, Config{Limits: Limits{Streams: 4, StreamsPerPrefix: 10}}, nil)
	a, b := g.pair(t, "tcp4", "tls4")
	first := g.dial(t, "tcp4")
	polltest.Eventually(t, "three streams", func() bool { return g.Stats().Streams == 3 })
	second := g.dial(t, "tls4")
	polltest.Eventually(t, "four streams", func() bool { return g.Stats().Streams == 4 })
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
