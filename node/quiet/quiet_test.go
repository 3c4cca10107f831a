package quiet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pair returns both ends of a TCP connection: ours is a quiet one, on
// Linux.
func pair(t *testing.T) (ours, theirs *net.TCPConn, q net.Conn) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if q, err = Listen(l).Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close(); q.Close() })
	beneath := q
	if c, ok := q.(interface{ NetConn() net.Conn }); ok {
		beneath = c.NetConn()
	}
	return beneath.(*net.TCPConn), dialled.(*net.TCPConn), q
}

// TestQuiet: a quiet connection does what any does.
func TestQuiet(t *testing.T) {
	t.Run("much, both ways at once", func(t *testing.T) {
		_, theirs, q := pair(t)
		sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<19)
		var wg sync.WaitGroup
		for _, ends := range [][2]net.Conn{{q, theirs}, {theirs, q}} {
			wg.Go(func() {
				if n, err := ends[0].Write(sent); n != len(sent) || err != nil {
					t.Errorf("written: %d, %v", n, err)
				}
			})
			wg.Go(func() {
				got := make([]byte, len(sent))
				if _, err := io.ReadFull(ends[1], got); err != nil || !bytes.Equal(got, sent) {
					t.Errorf("read something else: %v", err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("ends", func(t *testing.T) {
		_, theirs, q := pair(t)
		theirs.Write([]byte("last"))
		theirs.CloseWrite()
		if got, err := io.ReadAll(q); string(got) != "last" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if err := q.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(theirs); len(got) != 0 || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if n, err := q.Read(nil); n != 0 || err != nil {
			t.Errorf("nothing to read into: %d, %v", n, err)
		}
	})
	t.Run("deadlines", func(t *testing.T) {
		_, _, q := pair(t)
		q.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		_, err := q.Read(make([]byte, 1))
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "read" || !op.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		q.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		if n, err := q.Write(make([]byte, 64<<20)); n == 64<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("written %d: %v", n, err)
		}
	})
	t.Run("closed here", func(t *testing.T) {
		_, _, q := pair(t)
		time.AfterFunc(20*time.Millisecond, func() { q.Close() })
		if _, err := q.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read: %v", err)
		}
		if _, err := q.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write: %v", err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		_, theirs, q := pair(t)
		theirs.SetLinger(0)
		theirs.Close()
		_, err := q.Read(make([]byte, 1))
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "read" || !errors.Is(err, syscall.ECONNRESET) || !strings.Contains(err.Error(), q.RemoteAddr().String()) {
			t.Errorf("read: %v", err)
		}
	})
}

// What package relay allows, and writes at once.
const unsent, atOnce = 8 << 10, unsent / 2

// TestRoom: what is said to have room does not make anybody wait.
func TestRoom(t *testing.T) {
	ours, _, q := pair(t)
	s := SocketOf(q)
	if runtime.GOOS != "linux" {
		if s.HasRoom() {
			t.Error("it has room, which is not known")
		}
		return
	}
	if !s.HasRoom() {
		t.Fatal("a new connection has no room")
	}
	s.LimitUnsent(unsent)
	ours.SetWriteBuffer(4 * unsent)
	q.SetWriteDeadline(time.Now().Add(10 * time.Second))
	for sent := 0; s.HasRoom(); sent += atOnce {
		if sent > 64<<20 {
			t.Fatal("there is always room, although nobody reads")
		}
		if _, err := q.Write(make([]byte, atOnce)); err != nil { // had it waited, it would have been for its deadline
			t.Fatalf("a write after %d bytes: %v", sent, err)
		}
	}
	if s.Late(time.Minute) {
		t.Error("answers are said to take minutes")
	}
	if s := SocketOf(new(net.UDPConn)); s.Late(0) {
		t.Error("what has no answers is late")
	}
	if here, there := net.Pipe(); SocketOf(here).HasRoom() || SocketOf(there).HasRoom() || SocketOf(here).Late(0) {
		t.Error("a pipe has room, or is late")
	}
}
