// Package passthrough lets a node that the internet can reach pass TLS
// connections on to a node behind NAT, by the server name in their first
// message and without opening them. The hidden node holds the certificate; the
// public one sees that name, addresses, times and sizes. PROTOCOL.md,
// "Passthrough".
//
// Front is the public node's part, Back the hidden one's.
package passthrough

import (
	"context"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// Protocol is the libp2p protocol of one passed connection.
const Protocol protocol.ID = "/anteroom/tls/1"

// The first byte that the hidden node says.
const (
	wantsNothing = 0
	wantsAddress = 1 // of the client, in 18 bytes: IPv6 or mapped IPv4, and port
)

const addressSize = 18

// An Opener opens streams to nodes: discovery.Discovery is one.
type Opener interface {
	Open(ctx context.Context, to peer.AddrInfo, proto protocol.ID) (network.Stream, error)
}
