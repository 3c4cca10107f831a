package admission

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// Callers come through this node's own relays, however many, and through no
// other node.
func TestCallersComeThroughOwnRelaysOnly(t *testing.T) {
	relay, other := newID(t), newID(t)
	g := &Gater{Relays: map[peer.ID]bool{relay: true}}
	through := func(p peer.ID) ma.Multiaddr {
		return ma.StringCast("/ip4/9.9.9.9/udp/1/quic-v1/p2p/" + p.String() + "/p2p-circuit")
	}
	for i := range 4 * DefaultLimits.StrangersPerNetwork {
		c := conn{peer: peer.ID(fmt.Sprint(i)), addr: through(relay)}
		if !g.InterceptSecured(network.DirInbound, c.peer, c) {
			t.Errorf("caller %d refused", i)
		}
	}
	if c := (conn{peer: "x", addr: through(other)}); g.InterceptSecured(network.DirInbound, c.peer, c) {
		t.Error("a caller through another node got in")
	}
}

// conn is as much of a connection as the gater and the doorkeeper look at.
type conn struct {
	network.Conn
	peer    peer.ID
	addr    ma.Multiaddr
	scope   network.ConnScope
	streams []network.Stream
}

func (c conn) RemotePeer() peer.ID           { return c.peer }
func (c conn) RemoteMultiaddr() ma.Multiaddr { return c.addr }
func (c conn) Scope() network.ConnScope      { return c.scope }
func (c conn) GetStreams() []network.Stream  { return c.streams }

type stream struct {
	network.Stream
	proto protocol.ID
	stat  network.Stats
}

func (s stream) Protocol() protocol.ID { return s.proto }
func (s stream) Stat() network.Stats   { return s.stat }

func newID(t testing.TB) peer.ID {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
