package reach

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
	"anteroom/discovery/host"
)

const (
	// probeDelay lets addresses and connections settle before a probe.
	probeDelay = 5 * time.Second

	// probeAgain is when addresses that nobody could try yet are tried again.
	// One server tries one address in two minutes.
	probeAgain = 125 * time.Second

	// probeKeep is for how long what a probe found is believed.
	probeKeep = time.Hour
)

// A Prober has a node's public addresses tried by its trusted peers.
type Prober struct {
	h        *host.Host
	nat      *autonatv2.AutoNAT
	announce []ma.Multiaddr
	arrived  chan struct{} // ticks when a trusted peer has come; full: a tick is waiting

	mu     sync.Mutex
	probes map[string]probe // by address
}

// A ProberConfig says how a Prober works.
type ProberConfig struct {
	Announce []ma.Multiaddr     // addresses beside those that the host knows
	Trusted  func(peer.ID) bool // is this a peer that may try them, and have its own tried?
	Network  *host.Network      // by which to try those of others; nil: this node does not
}

// candidates are the addresses that a peer can try.
func (r *Prober) candidates() []ma.Multiaddr {
	return address.Pick(address.Direct(slices.Concat(r.announce, r.h.Addrs())), false, address.Max)
}

// A probe is what became of trying one address.
type probe struct {
	when    time.Time
	reached bool
}

// NewProber makes h ask trusted peers to try its addresses and, if it is to, do
// the same for them. libp2p would ask, and serve, whoever is connected, and would
// not let on what it found until it is sure.
func NewProber(h *host.Host, cfg ProberConfig) (*Prober, error) {
	var dialer corehost.Host = nobody{}
	if cfg.Network != nil {
		var err error
		if dialer, err = host.NewDialer(cfg.Network, h.Gater); err != nil {
			return nil, fmt.Errorf("make dialer: %w", err)
		}
	}
	nat, err := autonatv2.New(dialer, autonatv2.WithServerRateLimit(30, 6, 6, 1))
	if err == nil {
		err = nat.Start(amongFriends{h, cfg.Trusted, cfg.Network != nil})
	}
	if err != nil {
		_ = dialer.Close()
		return nil, err
	}
	return &Prober{h: h, nat: nat, announce: cfg.Announce, arrived: make(chan struct{}, 1), probes: make(map[string]probe)}, nil
}

// Close ends it.
func (r *Prober) Close() { r.nat.Close() }

// Arrived says that a trusted peer has come.
func (r *Prober) Arrived() {
	select {
	case r.arrived <- struct{}{}:
	default: // a tick is waiting already
	}
}

// Results says of the node's public addresses at which of them a peer has reached
// it within the hour, at which one could not, and which none has tried.
func (r *Prober) Results() (reached, unreached, untried []ma.Multiaddr) {
	candidates := r.candidates()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range candidates {
		switch p := r.probes[a.String()]; {
		case time.Since(p.when) > probeKeep:
			untried = append(untried, a)
		case p.reached:
			reached = append(reached, a)
		default:
			unreached = append(unreached, a)
		}
	}
	return reached, unreached, untried
}

// nobody is the dialer of a node that tries no addresses for others.
type nobody struct{ corehost.Host }

func (nobody) Close() error { return nil }

// amongFriends is a host as AutoNAT may see it: trusted peers alone, and none
// to be served unless serve is set.
type amongFriends struct {
	corehost.Host
	trusted func(peer.ID) bool
	serve   bool
}

func (h amongFriends) Network() network.Network { return friends{h.Host.Network(), h.trusted} }

func (h amongFriends) SetStreamHandler(p protocol.ID, serve network.StreamHandler) {
	switch {
	case p != autonatv2.DialProtocol:
		h.Host.SetStreamHandler(p, serve)
	case h.serve:
		h.Host.SetStreamHandler(p, func(s network.Stream) {
			if !h.trusted(s.Conn().RemotePeer()) {
				_ = s.ResetWithError(network.StreamRateLimited)
				return
			}
			serve(s)
		})
	}
}

type friends struct {
	network.Network
	trusted func(peer.ID) bool
}

func (n friends) Connectedness(p peer.ID) network.Connectedness {
	if !n.trusted(p) {
		return network.NotConnected
	}
	return n.Network.Connectedness(p)
}

// Run has this node's addresses tried when they change, when a peer comes, and when what is known has grown old, until ctx ends.
func (r *Prober) Run(ctx context.Context, changed <-chan struct{}) {
	timer := time.NewTimer(probeDelay)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			timer.Reset(probeDelay)
		case <-r.arrived:
			timer.Reset(probeDelay)
		case <-timer.C:
			timer.Reset(r.probeAll(ctx))
		}
	}
}

// probeAll has addresses tried of which nothing is known, and returns when to
// do so again.
func (r *Prober) probeAll(ctx context.Context) time.Duration {
	candidates := r.candidates()
	r.mu.Lock()
	for a, p := range r.probes {
		if time.Since(p.when) > probeKeep {
			delete(r.probes, a)
		}
	}
	r.mu.Unlock()
	for _, a := range candidates {
		r.mu.Lock()
		_, known := r.probes[a.String()]
		r.mu.Unlock()
		if known {
			continue
		}
		result, err := r.nat.GetReachability(ctx, []autonatv2.Request{{Addr: a, SendDialData: true}})
		if err != nil {
			return probeAgain // nobody there who could try it now
		}
		if result.Reachability == network.ReachabilityUnknown {
			continue
		}
		r.mu.Lock()
		r.probes[a.String()] = probe{time.Now(), result.Reachability == network.ReachabilityPublic}
		r.mu.Unlock()
	}
	return probeAgain
}
