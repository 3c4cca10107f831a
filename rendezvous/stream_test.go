package rendezvous

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
	"anteroom/rendezvous/wire/wiretest"
)

var _ Transport = network.Stream(nil)

// TestStream runs the contract of wire.Conn over streams of real libp2p hosts.
func TestStream(t *testing.T) {
	for name, addr := range map[string]string{
		"QUIC": "/ip4/127.0.0.1/udp/0/quic-v1",
		"TCP":  "/ip4/127.0.0.1/tcp/0",
	} {
		t.Run(name, func(t *testing.T) {
			wiretest.TestConn(t, streams(t, addr))
		})
	}
}

// streams returns a func that opens streams between two hosts that listen at addr.
func streams(t *testing.T, addr string) func() (a, b wire.Conn) {
	const protocol = "/anteroom/test/1"
	listen := func() host.Host {
		h, err := libp2p.New(libp2p.ListenAddrStrings(addr), libp2p.DisableRelay(), libp2p.DisableMetrics(),
			libp2p.ResourceManager(&network.NullResourceManager{}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		return h
	}
	from, to := listen(), listen()

	var mu sync.Mutex
	waiting := make(map[byte]chan network.Stream)
	to.SetStreamHandler(protocol, func(s network.Stream) {
		var number [1]byte
		if _, err := io.ReadFull(s, number[:]); err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		waiting[number[0]] <- s
		delete(waiting, number[0])
	})
	if err := from.Connect(context.Background(), peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()}); err != nil {
		t.Fatal(err)
	}

	var last byte
	return func() (a, b wire.Conn) {
		mu.Lock()
		last++
		number, arrived := last, make(chan network.Stream, 1)
		waiting[number] = arrived
		mu.Unlock()
		s, err := from.NewStream(context.Background(), to.ID(), protocol)
		if err != nil {
			t.Error(err)
			return wire.Pipe()
		}
		if _, err := s.Write([]byte{number}); err != nil { // streams are told apart by it
			t.Error(err)
			return wire.Pipe()
		}
		return Stream(s), Stream(<-arrived)
	}
}

// A rawEnd is a transport without a buffer, so a write takes as long as the
// other end takes to read it.
type rawEnd struct {
	net.Conn
	mu    sync.Mutex
	reset bool
}

func (r *rawEnd) Reset() error {
	r.mu.Lock()
	r.reset = true
	r.mu.Unlock()
	return r.Close()
}

func (r *rawEnd) wasReset() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reset
}

// raw returns a Conn, its transport, and the other end of that.
func raw(t *testing.T) (wire.Conn, *rawEnd, net.Conn) {
	a, b := net.Pipe()
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	end := &rawEnd{Conn: a}
	return Stream(end), end, b
}

func TestStreamBytes(t *testing.T) {
	conn, _, other := raw(t)
	go func() { // ends with the transport
		conn.Send([]byte("hi"))
		conn.Send(nil)
		conn.Close(wire.ErrRoomFull)
	}()
	got, err := io.ReadAll(other)
	if err != nil {
		t.Fatal(err)
	}
	if want := "\x00\x00\x02hi" + "\x00\x00\x00" + "\x01\x00\x09room-full"; string(got) != want {
		t.Errorf("on the stream: %q, want %q", got, want)
	}

	conn, _, other = raw(t)
	go conn.Close(nil) // ends when other has been read
	if got, err := io.ReadAll(other); err != nil || string(got) != "\x01\x00\x00" {
		t.Errorf("a normal end: %q, %v", got, err)
	}
}

func TestStreamReadsBytes(t *testing.T) {
	long := make([]byte, wire.MaxFrame)
	for name, row := range map[string]struct {
		in     string
		frames int
		err    error
	}{
		"frames and a normal end": {"\x00\x00\x02hi\x00\x00\x00\x01\x00\x00", 2, io.EOF},
		"a known reason":          {"\x01\x00\x05ended", 0, wire.ErrEnded},
		"an unknown reason":       {"\x01\x00\x04what", 0, wire.ErrInternal},
		"a reason that is none":   {"\x01\x00\x02\xff\x00", 0, wire.ErrInternal},
		"the largest frame":       {"\x00\x50\x00" + string(long) + "\x01\x00\x00", 1, io.EOF},
		"too large a frame":       {"\x00\x50\x01" + string(long) + "x", 0, wire.ErrBadMessage},
		"too long a reason":       {"\x01\x00\x21" + strings.Repeat("e", 33), 0, wire.ErrBadMessage},
		"another kind":            {"\x02\x00\x02hi", 0, wire.ErrBadMessage},
		"nothing":                 {"", 0, io.ErrUnexpectedEOF},
		"half a head":             {"\x00\x00", 0, io.ErrUnexpectedEOF},
		"half a frame":            {"\x00\x00\x02h", 0, io.ErrUnexpectedEOF},
		"half a reason":           {"\x01\x00\x05end", 0, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			conn, _, other := raw(t)
			go func() { // ends with the transport
				io.WriteString(other, row.in)
				other.Close()
			}()
			go io.Copy(io.Discard, other) // the same; what it is told is tested elsewhere
			frames := 0
			for {
				_, err := conn.Recv()
				if err == nil {
					frames++
					continue
				}
				if !errors.Is(err, row.err) {
					t.Errorf("Recv: %v, want %v", err, row.err)
				}
				break
			}
			if frames != row.frames {
				t.Errorf("%d frames, want %d", frames, row.frames)
			}
			if _, err := conn.Recv(); !errors.Is(err, row.err) {
				t.Errorf("a second Recv: %v, want %v", err, row.err)
			}
		})
	}
}

func TestStreamSaysWhatWasWrong(t *testing.T) {
	conn, _, other := raw(t)
	go conn.Recv() // ends with the bad frame
	if _, err := io.WriteString(other, "\x07\x00\x00"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(other)
	if err != nil || string(got) != "\x01\x00\x0bbad-message" {
		t.Errorf("the counterpart heard %q, %v", got, err)
	}
}

func TestStreamThatNobodyReadsIsTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, end, _ := raw(t)
		begin := time.Now()
		if err := conn.Send([]byte("hello")); !errors.Is(err, wire.ErrTooSlow) {
			t.Errorf("Send: %v, want too-slow", err)
		}
		if took := time.Since(begin); took != writeTime {
			t.Errorf("Send gave up after %v, want %v", took, writeTime)
		}
		if _, err := conn.Recv(); !errors.Is(err, wire.ErrTooSlow) {
			t.Errorf("Recv: %v, want too-slow", err)
		}
		if !end.wasReset() {
			t.Error("half a frame was left on a stream that was not reset")
		}
	})
}

func TestStreamCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, end, _ := raw(t)
		begin := time.Now()
		received := make(chan time.Duration, 1)
		go func() { // ends when conn is closed
			conn.Recv()
			received <- time.Since(begin)
		}()
		synctest.Wait()
		conn.Close(wire.ErrEnded)
		if took := time.Since(begin); took != closeTime {
			t.Errorf("Close took %v, want %v", took, closeTime)
		}
		if took := <-received; took != 0 {
			t.Errorf("Recv returned %v after Close", took)
		}
		if !end.wasReset() {
			t.Error("a stream that took no reason was not reset")
		}
		if _, err := conn.Recv(); !errors.Is(err, wire.ErrEnded) {
			t.Errorf("Recv: %v, want ended", err)
		}
	})
}

// The Send under way must neither hold up Close for long nor follow it. (In
// real time: a mutex, over which Close waits, does not let a bubble's time pass.)
func TestStreamCloseDuringSend(t *testing.T) {
	conn, end, other := raw(t)
	sent := make(chan error, 1)
	go func() { sent <- conn.Send(bytes.Repeat([]byte("x"), 1000)) }() // ends when conn is closed
	if _, err := io.ReadFull(other, make([]byte, 500)); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	conn.Close(wire.ErrEnded)
	if took := time.Since(begin); took > writeTime/2 {
		t.Errorf("Close took %v, want about %v", took, closeTime)
	}
	if err := <-sent; !errors.Is(err, wire.ErrEnded) {
		t.Errorf("Send: %v, want ended", err)
	}
	if !end.wasReset() {
		t.Error("a stream that ends in half a frame was not reset")
	}
	if got, _ := io.ReadAll(other); bytes.Contains(got, []byte("ended")) {
		t.Error("a reason was written into half a frame")
	}
}

func TestNothingFollowsHalfAFrame(t *testing.T) {
	end := &memory{fail: 1}
	s := &stream{transport: end}
	if err := s.write(kindData, []byte("hello")); err == nil {
		t.Fatal("the transport did not fail")
	}
	if err := s.write(kindClose, []byte("ended")); err == nil || end.written.Len() > 0 {
		t.Errorf("%q was written behind half a frame", end.written.String())
	}
}

func TestStreamLetsASendFinishBeforeClose(t *testing.T) {
	conn, end, other := raw(t)
	sent, closed := make(chan error, 1), make(chan struct{})
	go func() { sent <- conn.Send([]byte("the last words")) }() // ends when other reads
	got := make([]byte, 5)
	if _, err := io.ReadFull(other, got); err != nil {
		t.Fatal(err)
	}
	go func() { // ends when other reads
		conn.Close(wire.ErrEnded)
		close(closed)
	}()
	rest, err := io.ReadAll(other)
	got = append(got, rest...)
	if want := "\x00\x00\x0ethe last words\x01\x00\x05ended"; err != nil || string(got) != want {
		t.Errorf("on the stream: %q, %v", got, err)
	}
	<-closed
	if err := <-sent; err != nil {
		t.Errorf("Send: %v", err)
	}
	if end.wasReset() {
		t.Error("a stream that was closed well was reset")
	}
}

func TestKeyFrame(t *testing.T) {
	inv, err := invite.New()
	if err != nil {
		t.Fatal(err)
	}
	key := inv.Host.Rendezvous
	a, b := wire.Pipe()
	if err := SendKey(a, key); err != nil {
		t.Fatal(err)
	}
	got, err := RecvKey(b)
	if err != nil || got.Reveal() != key.Reveal() {
		t.Errorf("the key did not come through: %v", err)
	}

	good := key.Reveal()
	for name, frame := range map[string][]byte{
		"nothing": nil, "short": good[:], "long": append([]byte{1}, make([]byte, 33)...),
		"another version": append([]byte{2}, good[:]...),
	} {
		if err := a.Send(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := RecvKey(b); !errors.Is(err, wire.ErrBadMessage) {
			t.Errorf("%s: %v, want bad-message", name, err)
		}
	}
	a.Close(wire.ErrGoingAway)
	if _, err := RecvKey(b); !errors.Is(err, wire.ErrGoingAway) {
		t.Errorf("a closed connection: %v, want going-away", err)
	}
	if err := SendKey(a, key); !errors.Is(err, wire.ErrGoingAway) {
		t.Errorf("a closed connection: %v, want going-away", err)
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("\x00\x00\x02hi\x00\x00\x00\x01\x00\x00"))
	f.Add([]byte("\x01\x00\x05ended"))
	f.Add([]byte("\x00\x50\x01"))
	f.Add([]byte("\x02\xff\xff"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		end := &memory{Reader: bytes.NewReader(in)}
		conn := Stream(end)
		var read bytes.Buffer
		for {
			frame, err := conn.Recv()
			if err != nil {
				break
			}
			again := &memory{}
			if err := Stream(again).Send(frame); err != nil {
				t.Fatalf("a frame that was received cannot be sent: %v", err)
			}
			read.Write(again.written.Bytes())
		}
		if !bytes.HasPrefix(in, read.Bytes()) {
			t.Fatal("frames that were not on the stream were received")
		}
		if end.Reader.Len() == len(in) && len(in) > 0 {
			t.Fatal("nothing was read")
		}
	})
}

// memory is a transport that ends where its input does.
type memory struct {
	*bytes.Reader
	written bytes.Buffer
	fail    int // how many writes fail before one succeeds
}

func (m *memory) Write(b []byte) (int, error) {
	if m.fail > 0 {
		m.fail--
		return 0, os.ErrDeadlineExceeded
	}
	return m.written.Write(b)
}

func (m *memory) Close() error                     { return nil }
func (m *memory) Reset() error                     { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }

// A key frame is cleared once it has been read, a good one and others.
func TestKeyFramesAreCleared(t *testing.T) {
	for _, frame := range [][]byte{append([]byte{keyVersion}, bytes.Repeat([]byte{7}, 32)...), bytes.Repeat([]byte{7}, 40)} {
		key, err := RecvKey(oneFrame{b: frame})
		if (err == nil) != (len(frame) == 33) || err == nil && key.Reveal() != [32]byte(bytes.Repeat([]byte{7}, 32)) {
			t.Errorf("a frame of %d bytes: %v", len(frame), err)
		}
		if !bytes.Equal(frame, make([]byte, len(frame))) {
			t.Errorf("a frame of %d bytes is still there", len(frame))
		}
	}
}

// oneFrame is a connection on which one frame has come.
type oneFrame struct {
	wire.Conn
	b []byte
}

func (c oneFrame) Recv() ([]byte, error) { return c.b, nil }
