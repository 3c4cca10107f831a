package reach

import (
	"context"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"anteroom/discovery/address"
	"anteroom/discovery/host"
)

// AnswersUDP reports whether a node answers at one of its UDP addresses. What
// its connection runs on does not tell: TCP may have been first, or the node has
// called, which says nothing of the way there.
func AnswersUDP(ctx context.Context, h *host.Host, of peer.AddrInfo) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var trying sync.WaitGroup
	answered := make(chan struct{}, 2*address.Max) // full: one is enough
	for _, a := range h.Dialable(of.ID, of.Addrs) {
		if e, ok := address.Parse(a); !ok || !e.QUIC || e.Relay != "" {
			continue
		}
		trying.Go(func() { // ends with ctx
			if !dialsUDP(ctx, h, a, of.ID) {
				return
			}
			select {
			case answered <- struct{}{}:
			default:
			}
			cancel()
		})
	}
	trying.Wait()
	return len(answered) > 0
}

// dialsUDP dials one address beside the connections that there are, and hangs up.
func dialsUDP(ctx context.Context, h *host.Host, a ma.Multiaddr, p peer.ID) bool {
	swarm, ok := h.Network().(interface {
		TransportForDialing(ma.Multiaddr) transport.Transport
	})
	if !ok {
		return false
	}
	for _, a := range resolve(ctx, a) {
		quic := swarm.TransportForDialing(a)
		if quic == nil || !h.Gater.InterceptAddrDial(p, a) {
			continue
		}
		if c, err := quic.Dial(ctx, a, p); err == nil {
			_ = c.Close()
			return true
		}
	}
	return false
}

// resolve returns a with each address that its name has now, or a itself.
func resolve(ctx context.Context, a ma.Multiaddr) (list []ma.Multiaddr) {
	network, ok := map[int]string{ma.P_DNS: "ip", ma.P_DNS4: "ip4", ma.P_DNS6: "ip6"}[a[0].Protocol().Code]
	if !ok {
		return []ma.Multiaddr{a}
	}
	ips, _ := net.DefaultResolver.LookupIP(ctx, network, a[0].Value())
	for _, ip := range ips {
		if resolved, err := manet.FromIP(ip); err == nil {
			list = append(list, resolved.Encapsulate(a[1:]))
		}
	}
	return list
}
