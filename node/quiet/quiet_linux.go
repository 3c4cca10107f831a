package quiet

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Listen returns l with quiet TCP connections.
func Listen(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	tcp, ok := accepted.(*net.TCPConn)
	if err != nil || !ok {
		return accepted, err
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		tcp.Close()
		return nil, err
	}
	c := &conn{Conn: tcp}
	c.in = call{name: "read", number: unix.SYS_READ, wait: raw.Read}
	c.out = call{name: "write", number: unix.SYS_WRITE, wait: raw.Write}
	c.in.tried, c.out.tried = c.in.try, c.out.try
	return c, nil
}

// A conn waits with the runtime's poller, and keeps deadlines.
type conn struct {
	net.Conn // *net.TCPConn, with nothing but the methods of net.Conn
	in, out  call
}

// NetConn returns the connection beneath, as that of *tls.Conn does.
func (c *conn) NetConn() net.Conn { return c.Conn }

// CloseWrite says that nothing more follows.
func (c *conn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.in.do(c, p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (done int, err error) {
	for done < len(p) && err == nil {
		var n int
		n, err = c.out.do(c, p[done:])
		done += n
	}
	return done, err
}

// A call is one kind of system call, made one after the other.
type call struct {
	name   string
	number uintptr
	wait   func(func(fd uintptr) bool) error // calls it again whenever the poller says that there is more, until it returns true

	mu    sync.Mutex
	tried func(fd uintptr) bool // try
	p     []byte
	n     int
	err   syscall.Errno
}

func (c *call) do(of net.Conn, p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.p = p
	err := c.wait(c.tried)
	c.p = nil
	switch {
	case err != nil:
		if op, ok := errors.AsType[*net.OpError](err); ok {
			op.Op = c.name // it says "raw-" and that
		}
		return 0, err
	case c.err != 0:
		return 0, &net.OpError{Op: c.name, Net: "tcp", Source: of.LocalAddr(), Addr: of.RemoteAddr(), Err: os.NewSyscallError(c.name, c.err)}
	}
	return c.n, nil
}

func (c *call) try(fd uintptr) bool {
	for {
		n, _, err := syscall.RawSyscall(c.number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(c.p))), uintptr(len(c.p)))
		if err != syscall.EINTR {
			c.n, c.err = int(n), err
			return err != syscall.EAGAIN
		}
	}
}

// A Socket is what is beneath a connection. It is for one goroutine at a time.
type Socket struct {
	raw     syscall.RawConn  // nil: there is none
	look    func(fd uintptr) // sets room
	room    bool
	measure func(fd uintptr) // sets info
	info    unix.TCPInfo
}

// SocketOf returns the socket beneath conn, or one that never has room. It looks
// through what has a NetConn method, such as *tls.Conn.
func SocketOf(conn net.Conn) *Socket {
	s := new(Socket)
	for s.raw == nil {
		switch c := conn.(type) {
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		case syscall.Conn:
			raw, err := c.SyscallConn()
			if err != nil {
				return s
			}
			s.raw = raw
		default:
			return s
		}
	}
	s.look = func(fd uintptr) {
		fds := unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT}
		var now unix.Timespec
		n, _, err := syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
		s.room = err == 0 && n == 1 && fds.Revents == unix.POLLOUT
	}
	s.measure = func(fd uintptr) {
		size := uint32(unix.SizeofTCPInfo)
		if _, _, err := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_INFO,
			uintptr(unsafe.Pointer(&s.info)), uintptr(unsafe.Pointer(&size)), 0); err != 0 {
			s.info = unix.TCPInfo{}
		}
	}
	return s
}

// LimitUnsent makes writers wait while n bytes that the network has not taken
// wait already.
func (s *Socket) LimitUnsent(n int) {
	if s.raw != nil {
		s.raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n) })
	}
}

// HasRoom reports whether a writer would not wait. It is so from when half of
// what LimitUnsent allows is free, and a third of the system's buffer: so what
// is not longer goes out whole.
func (s *Socket) HasRoom() bool {
	return s.raw != nil && s.raw.Control(s.look) == nil && s.room
}

// Late reports whether answers to what was sent come by more than that later
// than they could: so much is piled up in front of a slow line.
func (s *Socket) Late(by time.Duration) bool {
	if s.raw == nil || s.raw.Control(s.measure) != nil || s.info.Unacked == 0 {
		return false
	}
	return time.Duration(s.info.Rtt-min(s.info.Rtt, s.info.Min_rtt))*time.Microsecond > by
}
