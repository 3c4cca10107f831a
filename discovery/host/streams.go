package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
	"anteroom/discovery/admission"
)

// Handle serves inbound streams of a protocol, each on a goroutine of its own
// that ends with serve. serve owns the stream and closes or resets it; its ctx
// ends when the node closes. One peer may have 16 streams of all handled
// protocols open at once, a partner, a relay of this node or one that it is a relay for 96;
// further ones are reset.
//
// serve must end a stream within 10 s whose far end proves nothing: a stranger's
// connection that has one for longer does not give way to others.
func (h *Host) Handle(proto protocol.ID, serve func(context.Context, network.Stream)) {
	h.Gater.Manager.Serve(proto, admission.ProofTime)
	h.SetStreamHandler(proto, func(s network.Stream) {
		p := s.Conn().RemotePeer()
		if !h.inbound.Enter(p) {
			_ = s.ResetWithError(network.StreamResourceLimitExceeded)
			return
		}
		defer h.inbound.Leave(p)
		h.ConnManager().Protect(p, s.ID())
		defer h.ConnManager().Unprotect(p, s.ID())
		if !h.enter() {
			_ = s.ResetWithError(network.StreamShutdown)
			return
		}
		defer h.handlers.Done()
		serve(h.life, s)
	})
}

// enter counts a handler that Close must wait for, unless it is too late.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return false
	}
	h.handlers.Add(1)
	return true
}

// Open opens a stream to a node, dialling it if need be at to.Addrs or where
// it was last seen. ctx bounds the opening, not the stream.
//
// If there is a direct connection it is used; if there is none, a circuit is
// as good, and nothing waits for a better one. A circuit is disposable: it
// ends with its relay, after 4 hours, or after 8 MiB, and the stream with it.
// Then Open finds another way. A connection that was there already may be dead:
// if its other end does not answer within 4 s it ends, and the stream with it.
func (h *Host) Open(ctx context.Context, to peer.AddrInfo, proto protocol.ID) (network.Stream, error) {
	if to.ID == h.ID() {
		return nil, errors.New("open stream: that is this node")
	}
	ctx = network.WithAllowLimitedConn(ctx, string(proto))
	connected := h.Connected(to.ID)
	if !connected {
		h.ClearBackoff(to.ID) // a person who tries again has a reason
		h.Peerstore().AddAddrs(to.ID, h.Dialable(to.ID, to.Addrs), peerstore.TempAddrTTL)
	}
	s, err := h.NewStream(ctx, to.ID, proto)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	if connected {
		h.CheckSoon(CheckTime, s.Conn())
	}
	return s, nil
}

// Dialable returns those of a peer's addresses that may be dialled.
func (h *Host) Dialable(p peer.ID, addrs []ma.Multiaddr) []ma.Multiaddr {
	addrs = slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool { return !h.Gater.InterceptAddrDial(p, a) })
	return address.Pick(addrs, true, 2*address.Max)
}

// IsDirect reports whether p is connected other than through a relay.
func (h *Host) IsDirect(p peer.ID) bool {
	return h.Network().Connectedness(p) == network.Connected
}

// Connected reports whether p is connected now, through a relay or not.
func (h *Host) Connected(p peer.ID) bool {
	c := h.Network().Connectedness(p)
	return c == network.Connected || c == network.Limited
}

// ClearBackoff lets a peer be dialled although a dial has just failed.
func (h *Host) ClearBackoff(p peer.ID) {
	h.Network().(*swarm.Swarm).Backoff().Clear(p)
}
