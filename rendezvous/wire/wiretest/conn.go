// Package wiretest holds what every wire.Conn must pass, so that code written
// against one runs on all of them.
package wiretest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/rendezvous/wire"
)

// patience is how long the suite waits for what must happen; only a Conn that
// fails the suite takes that long.
const patience = 20 * time.Second

// noticed is how many times a Conn sends, a hundred a second, to an end that has
// closed. A WebSocket waits two seconds for the other end's goodbye.
const noticed = 250

// TestConn checks that the two ends that pair returns keep the promises of
// wire.Conn. It calls pair often; each call returns a new connection.
func TestConn(t *testing.T, pair func() (a, b wire.Conn)) {
	TestConnMax(t, wire.MaxFrame, pair)
}

// TestConnMax is TestConn for a Conn whose frames hold at most max bytes.
func TestConnMax(t *testing.T, max int, pair func() (a, b wire.Conn)) {
	for name, test := range map[string]func(*testing.T, suite){
		"frames arrive whole and in order":               testFrames,
		"frames travel both ways at once":                testBothWays,
		"Send keeps nothing":                             testSendKeepsNothing,
		"Recv gives its bytes away":                      testRecvGivesAway,
		"Send is safe for many":                          testConcurrentSend,
		"too large a frame is refused and harms nothing": testTooLarge,
		"a normal end":                                   testNormalEnd,
		"an error keeps its code":                        testErrorCode,
		"an error that is not for others":                testPrivateError,
		"the first reason counts":                        testFirstReason,
		"a reason can be handed on":                      testHandOn,
		"what was sent before Close arrives":             testSentBeforeClose,
		"a Send that fails leaves the rest to be read":   testRestAfterFailedSend,
		"Close ends a Recv under way":                    testCloseEndsRecv,
		"Close ends a Send under way":                    testCloseEndsSend,
		"both ends close at once":                        testCloseRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, suite{max: max, pair: pair})
		})
	}
}

type suite struct {
	max  int
	pair func() (a, b wire.Conn)
}

// open returns a new pair that is closed at the end of the test.
func (s suite) open(t *testing.T) (a, b wire.Conn) {
	a, b = s.pair()
	t.Cleanup(func() {
		a.Close(nil)
		b.Close(nil)
	})
	return a, b
}

// pattern returns n bytes that tell frames and places in them apart.
func pattern(n, seed int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*31 + i>>8 + seed*101)
	}
	return b
}

func mustSend(t *testing.T, c wire.Conn, b []byte) {
	t.Helper()
	if err := c.Send(b); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

func mustRecv(t *testing.T, c wire.Conn, want []byte) {
	t.Helper()
	got, err := c.Recv()
	if err != nil {
		t.Fatalf("Recv: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("Recv: %d bytes that differ from the %d that were sent", len(got), len(want))
	}
}

// ended checks that c is closed for reason, as Recv and Send see it. Frames
// that came before are skipped.
func ended(t *testing.T, c wire.Conn, reason error) {
	t.Helper()
	for {
		_, err := c.Recv()
		if err == nil {
			continue
		}
		if !errors.Is(err, reason) {
			t.Errorf("Recv on a closed connection: %v, want %v", err, reason)
		}
		break
	}
	if err := c.Send([]byte("late")); !errors.Is(err, reason) {
		t.Errorf("Send on a closed connection: %v, want %v", err, reason)
	}
	if _, err := c.Recv(); !errors.Is(err, reason) {
		t.Errorf("a second Recv on a closed connection: %v, want %v", err, reason)
	}
}

// in runs what must come to its end, and fails the test if it does not.
func in(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { // ends with f
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s did not return", what)
	}
}

func testFrames(t *testing.T, s suite) {
	a, b := s.open(t)
	sizes := []int{0, 1, 2, 125, 126, 127, 254, 255, 256, 1022, 4096, s.max - 1, s.max, 0, 3}
	go func() { // ends when all is sent, or with the connection
		for i, n := range sizes {
			if a.Send(pattern(n, i)) != nil {
				return
			}
		}
	}()
	for i, n := range sizes {
		mustRecv(t, b, pattern(n, i))
	}
}

func testBothWays(t *testing.T, s suite) {
	a, b := s.open(t)
	const n = 200
	var wg sync.WaitGroup
	for _, c := range []wire.Conn{a, b} {
		wg.Go(func() {
			for i := range n {
				if err := c.Send(pattern(i, i)); err != nil {
					t.Errorf("Send: %v", err)
					return
				}
			}
		})
		wg.Go(func() {
			for i := range n {
				got, err := c.Recv()
				if err != nil || !bytes.Equal(got, pattern(i, i)) {
					t.Errorf("frame %d: %d bytes, %v", i, len(got), err)
					return
				}
			}
		})
	}
	in(t, "200 frames each way", wg.Wait)
}

func testSendKeepsNothing(t *testing.T, s suite) {
	a, b := s.open(t)
	buf := pattern(100, 1)
	mustSend(t, a, buf)
	clear(buf)
	mustRecv(t, b, pattern(100, 1))
}

func testRecvGivesAway(t *testing.T, s suite) {
	a, b := s.open(t)
	mustSend(t, a, pattern(100, 1))
	mustSend(t, a, pattern(100, 2))
	first, err := b.Recv()
	if err != nil {
		t.Fatal(err)
	}
	clear(first)
	_ = append(first, pattern(200, 3)...)
	mustRecv(t, b, pattern(100, 2))
	if !bytes.Equal(first, make([]byte, 100)) {
		t.Error("a frame changed after it was received")
	}
}

func testConcurrentSend(t *testing.T, s suite) {
	a, b := s.open(t)
	const senders, each = 8, 25
	for i := range senders {
		go func() { // ends when all is sent, or with the connection
			for j := range each {
				if a.Send(pattern(100+i*300, i*each+j)) != nil {
					return
				}
			}
		}()
	}
	next := make([]int, senders)
	for range senders * each {
		got, err := b.Recv()
		if err != nil {
			t.Fatal(err)
		}
		i := (len(got) - 100) / 300
		if i < 0 || i >= senders || !bytes.Equal(got, pattern(100+i*300, i*each+next[i])) {
			t.Fatalf("a frame of %d bytes is not the next of its sender", len(got))
		}
		next[i]++
	}
}

func testTooLarge(t *testing.T, s suite) {
	a, b := s.open(t)
	mustSend(t, a, []byte("before"))
	for _, n := range []int{s.max + 1, s.max * 2, 1 << 17} {
		if err := a.Send(make([]byte, n)); !errors.Is(err, wire.ErrBadMessage) {
			t.Errorf("Send of %d bytes: %v, want bad-message", n, err)
		}
	}
	mustSend(t, a, []byte("after"))
	mustRecv(t, b, []byte("before"))
	mustRecv(t, b, []byte("after"))
}

func testNormalEnd(t *testing.T, s suite) {
	a, b := s.open(t)
	a.Close(nil)
	ended(t, b, io.EOF)
	ended(t, a, io.EOF)
}

func testErrorCode(t *testing.T, s suite) {
	for _, code := range wire.Codes {
		a, b := s.open(t)
		// As deep in a chain as it may be, and with words for developers.
		a.Close(fmt.Errorf("serve guest: %w", &wire.Error{Code: code, Message: "CANARY"}))
		ended(t, b, &wire.Error{Code: code})
		ended(t, a, &wire.Error{Code: code})
		if _, err := b.Recv(); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("the counterpart heard %v", err)
		}
	}
}

func testPrivateError(t *testing.T, s suite) {
	a, b := s.open(t)
	a.Close(errors.New("open /CANARY: no such file"))
	ended(t, b, wire.ErrInternal)
	ended(t, a, wire.ErrInternal)
	for _, c := range []wire.Conn{a, b} {
		if _, err := c.Recv(); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("a private error came out: %v", err)
		}
	}
}

func testFirstReason(t *testing.T, s suite) {
	a, b := s.open(t)
	a.Close(wire.ErrEnded)
	a.Close(wire.ErrDenied)
	a.Close(nil)
	ended(t, b, wire.ErrEnded)
	b.Close(wire.ErrRemoved)
	ended(t, b, wire.ErrEnded)
	ended(t, a, wire.ErrEnded)
}

// Whoever carries frames closes one Conn with what the other returned.
func testHandOn(t *testing.T, s suite) {
	for _, reason := range []error{io.EOF, wire.ErrGoingAway} {
		a, b := s.open(t)
		c, d := s.open(t)
		a.Close(reason)
		_, err := b.Recv()
		c.Close(err)
		ended(t, d, reason)
	}
}

func testSentBeforeClose(t *testing.T, s suite) {
	a, b := s.open(t)
	const n = 20
	for i := range n {
		mustSend(t, a, pattern(i*40, i))
	}
	a.Close(wire.ErrEnded)
	for i := range n {
		mustRecv(t, b, pattern(i*40, i))
	}
	ended(t, b, wire.ErrEnded)
}

// Whoever finds out in Send that the other end has closed still hears its last
// words, and why.
func testRestAfterFailedSend(t *testing.T, s suite) {
	a, b := s.open(t)
	const n = 20
	for i := range n {
		mustSend(t, a, pattern(i*40, i))
	}
	a.Close(wire.ErrEnded)
	for range noticed { // the other end reads no more, and some transports say so
		if b.Send([]byte("late")) != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for i := range n {
		mustRecv(t, b, pattern(i*40, i))
	}
	ended(t, b, wire.ErrEnded)
}

func testCloseEndsRecv(t *testing.T, s suite) {
	a, b := s.open(t)
	received := make(chan error, 2)
	for _, c := range []wire.Conn{a, b} {
		go func() { // ends when its Conn is closed
			_, err := c.Recv()
			received <- err
		}()
	}
	a.Close(wire.ErrTimeout)
	for range 2 {
		select {
		case err := <-received:
			if !errors.Is(err, wire.ErrTimeout) {
				t.Errorf("Recv: %v, want timeout", err)
			}
		case <-time.After(patience):
			t.Fatal("Recv did not return")
		}
	}
}

func testCloseEndsSend(t *testing.T, s suite) {
	a, _ := s.open(t) // nobody receives
	begun, sent := make(chan struct{}), make(chan error, 1)
	go func() { // ends when a is closed
		close(begun)
		for {
			if err := a.Send(pattern(s.max, 0)); err != nil {
				sent <- err
				return
			}
		}
	}()
	<-begun
	in(t, "Close", func() { a.Close(wire.ErrRemoved) })
	select {
	case err := <-sent:
		if !errors.Is(err, wire.ErrRemoved) {
			t.Errorf("Send: %v, want removed", err)
		}
	case <-time.After(patience):
		t.Fatal("Send did not return")
	}
}

func testCloseRace(t *testing.T, s suite) {
	for range 20 {
		a, b := s.open(t)
		var wg sync.WaitGroup
		wg.Go(func() { a.Close(wire.ErrEnded) })
		wg.Go(func() { b.Close(wire.ErrEnded) })
		in(t, "Close", wg.Wait)
		ended(t, a, wire.ErrEnded)
		ended(t, b, wire.ErrEnded)
	}
}
