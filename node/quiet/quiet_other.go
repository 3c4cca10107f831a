//go:build !linux

package quiet

import (
	"net"
	"time"
)

// Listen returns l. There is more to it on Linux.
func Listen(l net.Listener) net.Listener { return l }

// A Socket is what is beneath a connection.
type Socket struct{}

// SocketOf returns a Socket that never has room.
func SocketOf(net.Conn) *Socket { return new(Socket) }

// LimitUnsent does nothing.
func (*Socket) LimitUnsent(int) {}

// HasRoom reports whether a writer would not wait, which is not known.
func (*Socket) HasRoom() bool { return false }

// Late reports whether answers come late, which is not known.
func (*Socket) Late(time.Duration) bool { return false }
