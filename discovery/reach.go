package discovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
	"anteroom/discovery/circuits"
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

// Reachability is how far others can call this node, as far as it knows.
type Reachability struct {
	// Of the node's public addresses: those at which a configured peer that
	// serves the DHT has reached it within the hour, those at which one could
	// not, and those that none has tried.
	Reached, Unreached, Untried []ma.Multiaddr

	Relays []RelayStatus // in the order of Config.Relays
}

// RelayStatus is how things stand at one relay.
type RelayStatus = circuits.Status

// Reachability says how far others can call this node now.
func (d *Discovery) Reachability() Reachability {
	candidates := d.candidates()
	r := Reachability{Relays: d.reservations.Status(d.host)}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range candidates {
		switch p := d.probes[a.String()]; {
		case time.Since(p.when) > probeKeep:
			r.Untried = append(r.Untried, a)
		case p.reached:
			r.Reached = append(r.Reached, a)
		default:
			r.Unreached = append(r.Unreached, a)
		}
	}
	return r
}

// candidates are the addresses that a peer can try.
func (d *Discovery) candidates() []ma.Multiaddr {
	return address.Pick(address.Direct(slices.Concat(d.announce, d.host.Addrs())), false, address.Max)
}

// A probe is what became of trying one address.
type probe struct {
	when    time.Time
	reached bool
}

// newAutoNAT makes this node ask configured peers to try its addresses and, if
// it is a server, do the same for them. libp2p would ask, and serve, whoever
// is connected, and would not let on what it found until it is sure.
func (d *Discovery) newAutoNAT(cfg Config) (*autonatv2.AutoNAT, error) {
	var dialer corehost.Host = nobody{}
	if cfg.Server {
		env, err := environmentOf(Config{environment: cfg.environment})
		if err != nil {
			return nil, err
		}
		if dialer, err = host.NewDialer(env.Network, d.gater); err != nil {
			return nil, fmt.Errorf("make dialer: %w", err)
		}
	}
	nat, err := autonatv2.New(dialer, autonatv2.WithServerRateLimit(30, 6, 6, 1))
	if err == nil {
		err = nat.Start(amongFriends{d.host, d.gater.Trusted, cfg.Server})
	}
	if err != nil {
		_ = dialer.Close()
		return nil, err
	}
	return nat, nil
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

// keepProbing has this node's addresses tried when they change, when a peer
// comes, and when what is known has grown old, until ctx ends.
func (d *Discovery) keepProbing(ctx context.Context) {
	changed, stop := d.AddressesChanged()
	defer stop()
	timer := time.NewTimer(probeDelay)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			timer.Reset(probeDelay)
		case <-d.company:
			timer.Reset(probeDelay)
		case <-timer.C:
			timer.Reset(d.probeAll(ctx))
		}
	}
}

// probeAll has addresses tried of which nothing is known, and returns when to
// do so again.
func (d *Discovery) probeAll(ctx context.Context) time.Duration {
	candidates := d.candidates()
	d.mu.Lock()
	for a, p := range d.probes {
		if time.Since(p.when) > probeKeep {
			delete(d.probes, a)
		}
	}
	d.mu.Unlock()
	for _, a := range candidates {
		d.mu.Lock()
		_, known := d.probes[a.String()]
		d.mu.Unlock()
		if known {
			continue
		}
		result, err := d.nat.GetReachability(ctx, []autonatv2.Request{{Addr: a, SendDialData: true}})
		if err != nil {
			return probeAgain // nobody there who could try it now
		}
		if result.Reachability == network.ReachabilityUnknown {
			continue
		}
		d.mu.Lock()
		d.probes[a.String()] = probe{time.Now(), result.Reachability == network.ReachabilityPublic}
		d.mu.Unlock()
	}
	return probeAgain
}
