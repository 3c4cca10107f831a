//go:build !linux

package relay

import (
	"net"
	"syscall"
)

// canShare is whether several sockets can divide the packets of one address.
const canShare = false

func share(string, string, syscall.RawConn) error { return nil }

func growBeyond(*net.UDPConn) {}
