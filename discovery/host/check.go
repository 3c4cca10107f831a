package host

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"

	"anteroom/discovery/address"
)

const (
	// CheckTime bounds the wait for the other end of a connection in use.
	CheckTime = 4 * time.Second

	// QuickCheckTime bounds the wait for the other end of a connection that may have
	// survived a change of addresses, at either end.
	QuickCheckTime = 2 * time.Second
)

// CheckPeer closes those connections to p whose other end does not answer by
// limit.
func (h *Host) CheckPeer(ctx context.Context, p peer.ID, limit time.Duration) {
	var checks sync.WaitGroup
	for _, c := range h.Network().ConnsToPeer(p) {
		checks.Go(func() { h.Check(ctx, c, limit) })
	}
	checks.Wait()
}

// Check closes a connection if its other end does not answer by limit.
// Whoever refuses is alive.
func (h *Host) Check(ctx context.Context, c network.Conn, limit time.Duration) {
	pinging, cancel := context.WithTimeout(network.WithAllowLimitedConn(ctx, "check"), limit)
	defer cancel()
	ask(pinging, c)
	if ctx.Err() != nil || !errors.Is(pinging.Err(), context.DeadlineExceeded) {
		return
	}
	p := c.RemotePeer()
	h.log.Debug("connection without life closed", "node", Short(p))
	if len(h.DirectConns(p)) <= 1 {
		h.forgetCircuits(p)
	}
	_ = c.Close()
}

// ask returns when the other end of a connection has said anything, or the
// connection, or ctx, has ended. libp2p's own ping takes whichever of a peer's
// connections has the most streams.
func ask(ctx context.Context, c network.Conn) {
	s, err := c.NewStream(ctx)
	if err != nil {
		return
	}
	defer func() { _ = s.Reset() }()
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if s.SetProtocol(ping.ID) == nil && s.Scope().SetService(ping.ServiceName) == nil {
		_ = multistream.SelectProtoOrFail(ping.ID, s)
	}
}

// CheckSoon checks connections in the background, each once at a time.
func (h *Host) CheckSoon(limit time.Duration, conns ...network.Conn) {
	for _, c := range conns {
		h.mu.Lock()
		busy := h.checking[c.ID()]
		h.checking[c.ID()] = true
		h.mu.Unlock()
		if busy || !h.enter() {
			continue
		}
		go func() { // ends by limit, or with the node
			defer h.handlers.Done()
			h.Check(h.life, c, limit)
			h.mu.Lock()
			defer h.mu.Unlock()
			delete(h.checking, c.ID())
		}()
	}
}

// checkOlder checks a peer's connections beside its newest: it may have come by
// that because it has moved and the others are dead, and until they are known to
// be, libp2p would go on opening streams on the one that has the most.
func (h *Host) checkOlder(_ network.Network, newest network.Conn) {
	h.CheckSoon(QuickCheckTime, slices.DeleteFunc(h.Network().ConnsToPeer(newest.RemotePeer()), func(c network.Conn) bool { return c == newest })...)
}

// forgetCircuits forgets that peers with circuits through a relay can be had
// there, so that the next call does not begin with the relay that is gone.
func (h *Host) forgetCircuits(relay peer.ID) {
	for _, c := range h.Network().Conns() {
		if e, _ := address.Parse(c.RemoteMultiaddr()); e.Relay != relay {
			continue
		}
		stale := slices.DeleteFunc(h.Peerstore().Addrs(c.RemotePeer()), func(a ma.Multiaddr) bool {
			e, _ := address.Parse(a)
			return e.Relay != relay
		})
		h.Peerstore().SetAddrs(c.RemotePeer(), stale, 0)
	}
}

// DirectConns returns the IDs of this node's connections to p that are not
// circuits.
func (h *Host) DirectConns(p peer.ID) (ids []string) {
	for _, c := range h.Network().ConnsToPeer(p) {
		if !c.Stat().Limited {
			ids = append(ids, c.ID())
		}
	}
	return ids
}
