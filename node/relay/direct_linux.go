package relay

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// A direct socket is one that the runtime's poller does not know: whoever
// reads from it waits in the system call. The poller would wake a thread for
// every packet, and then another for the goroutine that is to have it, which
// costs more than all else that is done to a packet.
type direct struct {
	*net.UDPConn // closed; knows its address
	fd           int
	packets      *ipv4.PacketConn

	using  sync.RWMutex // for reading, while a system call has fd
	closed atomic.Bool
}

// withoutPoller takes over a socket, or returns it as it is.
func withoutPoller(c *net.UDPConn) net.PacketConn {
	raw, err := c.SyscallConn()
	if err != nil {
		return c
	}
	d := &direct{UDPConn: c, fd: -1}
	raw.Control(func(fd uintptr) {
		if d.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			err = unix.SetNonblock(d.fd, false)
		}
	})
	if err != nil || d.fd < 0 {
		return c
	}
	c.Close() // the poller forgets it
	d.packets = ipv4.NewPacketConn(d)
	return d
}

// ReadBatch implements batchConn. It waits for the first packet only.
func (d *direct) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	return d.packets.ReadBatch(ms, flags|unix.MSG_WAITFORONE)
}

// WriteBatch implements batchConn.
func (d *direct) WriteBatch(ms []ipv4.Message, flags int) (int, error) {
	return d.packets.WriteBatch(ms, flags)
}

// ReadFrom implements net.PacketConn.
func (d *direct) ReadFrom(p []byte) (int, net.Addr, error) {
	m := []ipv4.Message{{Buffers: [][]byte{p}}}
	_, err := d.ReadBatch(m, 0)
	return m[0].N, m[0].Addr, err
}

// WriteTo implements net.PacketConn.
func (d *direct) WriteTo(p []byte, to net.Addr) (int, error) {
	m := []ipv4.Message{{Buffers: [][]byte{p}, Addr: to}}
	_, err := d.WriteBatch(m, 0)
	return m[0].N, err
}

// Close implements net.PacketConn. It ends system calls under way.
func (d *direct) Close() error {
	if d.closed.Swap(true) {
		return net.ErrClosed
	}
	unix.Shutdown(d.fd, unix.SHUT_RDWR) // wakes readers, although it says that there is nothing to shut
	d.using.Lock()
	defer d.using.Unlock()
	return unix.Close(d.fd)
}

// SyscallConn implements syscall.Conn, for package ipv4.
func (d *direct) SyscallConn() (syscall.RawConn, error) { return directCalls{d}, nil }

// directCalls makes the system calls of a direct socket.
type directCalls struct{ d *direct }

// Control implements syscall.RawConn.
func (c directCalls) Control(f func(fd uintptr)) error {
	return c.Read(func(fd uintptr) bool { f(fd); return true })
}

// Read implements syscall.RawConn.
func (c directCalls) Read(f func(fd uintptr) bool) error {
	c.d.using.RLock()
	defer c.d.using.RUnlock()
	for done := false; !done; {
		if c.d.closed.Load() {
			return net.ErrClosed
		}
		done = f(uintptr(c.d.fd))
	}
	if c.d.closed.Load() { // what was read may be nothing but the end
		return net.ErrClosed
	}
	return nil
}

// Write implements syscall.RawConn.
func (c directCalls) Write(f func(fd uintptr) bool) error { return c.Read(f) }

// rest blocks the thread as well: the runtime would find something else for it
// to do, and need a poller, a timer and another thread to come back.
func rest(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&ts, nil)
}
