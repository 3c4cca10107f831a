package httpui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"anteroom/rendezvous/wire"
	"anteroom/rendezvous/wire/wiretest"
)

// TestConnContract runs the suite of every wire.Conn on two ends of a socket on
// a real connection.
func TestConnContract(t *testing.T) {
	for name, kind := range map[string]websocket.MessageType{"binary": websocket.MessageBinary, "text": websocket.MessageText} {
		t.Run(name, func(t *testing.T) { wiretest.TestConn(t, socketPairs(t, kind)) })
	}
}

// socketPairs returns a function that returns the two ends of a new socket.
func socketPairs(t *testing.T, kind websocket.MessageType) func() (a, b wire.Conn) {
	accepted := make(chan *wsConn)
	unlimited := rate.NewLimiter(rate.Inf, 0)
	var open sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &answer{ResponseWriter: w}
		ws, err := websocket.Accept(rec, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		c := newConn(ws, rec.conn, kind, unlimited)
		open.Add(1)
		accepted <- c
		<-c.done
		c.wait()
		open.Done()
	}))
	t.Cleanup(func() {
		open.Wait()
		server.Close()
	})
	var one sync.Mutex // pair at a time: the suite's tests are parallel
	return func() (a, b wire.Conn) {
		one.Lock()
		defer one.Unlock()
		var raw net.Conn
		transport := &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (_ net.Conn, err error) {
				raw, err = new(net.Dialer).DialContext(ctx, network, addr)
				return raw, err
			},
			DisableKeepAlives: true,
		}
		ws, _, err := websocket.Dial(context.Background(), server.URL, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
		if err != nil {
			t.Error(err)
			panic(err)
		}
		return newConn(ws, raw, kind, unlimited), <-accepted
	}
}

func TestGuestSocket(t *testing.T) {
	ts := newTest(t)
	c := ts.browser().socket("/ws/guest")
	for _, frame := range [][]byte{{1, 2, 3}, {}, bytes.Repeat([]byte{7}, wire.MaxFrame)} {
		if err := c.Send(frame); err != nil {
			t.Fatal(err)
		}
		got, err := c.Recv()
		if err != nil || !bytes.Equal(got, frame) {
			t.Fatalf("got %d bytes, %v, want %d", len(got), err, len(frame))
		}
	}
}

// Why a guest was sent away reaches their browser, as far as it may.
func TestReasonReachesTheBrowser(t *testing.T) {
	ts := newTest(t)
	for _, c := range []struct {
		name         string
		reason, want error
	}{
		{"a code", wire.ErrSeatTaken, wire.ErrSeatTaken},
		{"nothing", nil, io.EOF},
		{"a normal end", io.EOF, io.EOF},
		{"a private error", errors.New("dial CANARY"), wire.ErrInternal},
	} {
		t.Run(c.name, func(t *testing.T) {
			ts.backend.join = func(context.Context, wire.Conn) error { return c.reason }
			expectEnd(t, ts.browser().socket("/ws/guest"), c.want)
		})
	}
}

// A browser's reasons reach the node; a lost connection is none.
func TestReasonReachesTheNode(t *testing.T) {
	for name, c := range map[string]struct {
		leave func(*wsConn)
		want  error
	}{
		"a code":            {func(c *wsConn) { c.ws.Close(4000, "replaced") }, wire.ErrReplaced},
		"an unknown code":   {func(c *wsConn) { c.ws.Close(4000, "CANARY") }, wire.ErrInternal},
		"another status":    {func(c *wsConn) { c.ws.Close(4001, "replaced") }, io.EOF},
		"a closed tab":      {func(c *wsConn) { c.ws.Close(websocket.StatusGoingAway, "") }, io.EOF},
		"close()":           {func(c *wsConn) { c.ws.Close(websocket.StatusNoStatusRcvd, "") }, io.EOF},
		"a lost connection": {func(c *wsConn) { c.raw.Close() }, io.ErrUnexpectedEOF},
		"garbage":           {func(c *wsConn) { c.raw.Write([]byte("GET / HTTP/1.1\r\n\r\n")) }, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			ts := newTest(t)
			heard := make(chan error, 1)
			ended := make(chan struct{})
			ts.backend.join = func(ctx context.Context, conn wire.Conn) error {
				_, err := conn.Recv()
				heard <- err
				<-ctx.Done() // what the node does for the guest ends too
				close(ended)
				return err
			}
			socket := ts.browser().socket("/ws/guest")
			c.leave(socket)
			if err := <-heard; !errors.Is(err, c.want) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("the node heard %v, want %v", err, c.want)
			}
			<-ended
		})
	}
}

func TestWrongKindOfFrame(t *testing.T) {
	ts := newTest(t)
	lee := ts.signedIn()
	for _, path := range []string{"/ws/guest", "/ws/host", "/ws/desk"} {
		c := lee.socket(path)
		if c.kind == websocket.MessageText {
			c.kind = websocket.MessageBinary
		} else {
			c.kind = websocket.MessageText
		}
		if err := c.Send([]byte("{}")); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, c, wire.ErrBadMessage)
	}
}

func TestOversizeFrame(t *testing.T) {
	ts := newTest(t)
	heard := make(chan error, 1)
	ts.backend.join = func(_ context.Context, conn wire.Conn) error {
		_, err := conn.Recv()
		heard <- err
		return err
	}
	c := ts.browser().socket("/ws/guest")
	ended := keepReading(c)
	c.write(make([]byte, wire.MaxFrame+1))
	if err := <-heard; !errors.Is(err, wire.ErrBadMessage) {
		t.Errorf("the node heard %v", err)
	}
	<-ended

	if err := ts.browser().socket("/ws/guest").Send(make([]byte, wire.MaxFrame+1)); !errors.Is(err, wire.ErrBadMessage) {
		t.Errorf("Send: %v", err)
	}
}

func TestFrameRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		c := ts.browser().socket("/ws/guest")
		exchange := func(n int) {
			t.Helper()
			for i := range n {
				if err := c.Send([]byte{1}); err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
				if _, err := c.Recv(); err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
			}
		}
		exchange(wire.MessagesBurst)
		for range 10 {
			pass(time.Second)
			exchange(wire.MessagesPerSec)
		}
		c.Send([]byte{1})
		expectEnd(t, c, wire.ErrTooMany)
	})
}

// Control frames cost nothing and change nothing.
func TestPingsOfTheBrowser(t *testing.T) {
	ts := newTest(t)
	c := ts.browser().socket("/ws/guest")
	ended := keepReading(c)
	for range wire.MessagesBurst {
		if err := c.ws.Ping(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	c.Close(wire.ErrEnded)
	<-ended
}

func TestFirstFrameIsAwaited(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		lee := ts.signedIn()
		for _, path := range []string{"/ws/guest", "/ws/host", "/ws/desk"} {
			started := time.Now()
			expectEnd(t, lee.socket(path), wire.ErrTimeout)
			if took := time.Since(started); took != wire.HandshakeTime {
				t.Errorf("%s: closed after %v", path, took)
			}
		}
	})
}

// A frame that comes drop by drop is no first frame.
func TestSlowFirstFrame(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		c := ts.browser().socket("/ws/guest")
		started := time.Now()
		c.raw.Write([]byte{0x82, 0x80 | 100, 0, 0, 0, 0}) // the head of a frame of 100 bytes
		for range 9 {
			c.raw.Write([]byte{0})
			pass(time.Second)
		}
		expectEnd(t, c, wire.ErrTimeout)
		if took := time.Since(started); took != wire.HandshakeTime {
			t.Errorf("closed after %v", took)
		}
	})
}

// A browser that answers pings stays, however silent; one that does not is
// closed 45 seconds after it was last heard of.
func TestDeadBrowser(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		ended := make(chan time.Time, 1)
		ts.backend.join = func(_ context.Context, conn wire.Conn) error {
			err := echo(conn)
			if !errors.Is(err, wire.ErrTimeout) {
				t.Errorf("the node heard %v", err)
			}
			ended <- time.Now()
			return err
		}
		c := ts.browser().socket("/ws/guest")
		if err := c.Send([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Recv(); err != nil {
			t.Fatal(err)
		}
		alive, sleep := context.WithCancel(context.Background())
		read := make(chan struct{})
		go func() { // answers pings; ends with sleep, which also cuts the connection's reading end
			defer close(read)
			c.ws.Read(alive)
		}()
		pass(10 * time.Minute)
		select {
		case <-ended:
			t.Fatal("closed while it answered")
		default:
		}
		// The last answer was at a whole multiple of 15 seconds: now.
		c.raw.(*memConn).stall()
		last := time.Now()
		if took := (<-ended).Sub(last); took < deadTime-pingInterval || took > deadTime+closeTime {
			t.Errorf("closed %v after the last sign of life", took)
		}
		sleep()
		<-read
	})
}

// A browser that says something is not asked whether it is there. This one
// would not answer.
func TestTalkingBrowserIsNotPinged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		ended := make(chan time.Time, 1)
		ts.backend.join = func(_ context.Context, conn wire.Conn) error {
			for {
				if _, err := conn.Recv(); err != nil {
					ended <- time.Now()
					return err
				}
			}
		}
		c := ts.browser().socket("/ws/guest")
		c.first.Stop() // a browser does not ask, and waits for ever
		if c.next.Stop() {
			c.running.Done()
		}
		for range 30 {
			if err := c.Send([]byte{1}); err != nil {
				t.Fatal(err)
			}
			pass(pingInterval - time.Second)
		}
		last := time.Now()
		if took := (<-ended).Sub(last); took < deadTime-pingInterval || took > deadTime+closeTime {
			t.Errorf("closed %v after the last sign of life", took)
		}
	})
}

// A browser that takes nothing is closed, and nobody waits longer than one
// write for it.
func TestTooSlow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		result := make(chan error, 1)
		ts.backend.join = func(_ context.Context, conn wire.Conn) error {
			if _, err := conn.Recv(); err != nil {
				return err
			}
			started := time.Now()
			for {
				if err := conn.Send(make([]byte, wire.MaxFrame)); err != nil {
					if took := time.Since(started); took > socketWriteTime+closeTime {
						t.Errorf("Send took %v", took)
					}
					result <- err
					return err
				}
			}
		}
		c := ts.browser().socket("/ws/guest") // does not read
		if err := c.Send([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if err := <-result; !errors.Is(err, wire.ErrTooSlow) {
			t.Errorf("Send: %v", err)
		}
	})
}

// Closing does not wait for a browser that does not answer.
func TestCloseIsQuick(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		joined, recv := make(chan wire.Conn, 1), make(chan error, 1)
		ts.backend.join = func(_ context.Context, conn wire.Conn) error {
			joined <- conn
			_, err := conn.Recv()
			recv <- err
			return err
		}
		ts.browser().socket("/ws/guest") // does not read
		conn := <-joined
		started := time.Now()
		conn.Close(wire.ErrRemoved)
		if took := time.Since(started); took != 0 {
			t.Errorf("Close took %v", took)
		}
		if err := <-recv; !errors.Is(err, wire.ErrRemoved) {
			t.Errorf("Recv: %v", err)
		}
		if took := time.Since(started); took > closeTime {
			t.Errorf("Recv returned after %v", took)
		}
	})
}
