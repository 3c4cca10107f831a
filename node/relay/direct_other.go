//go:build !linux

package relay

import (
	"net"
	"time"
)

func withoutPoller(c *net.UDPConn) net.PacketConn { return c }

func rest(d time.Duration) { time.Sleep(d) }
