package discovery

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/contacts"
	"anteroom/discovery/host"
)

// An environment is what differs between a real network and a simulated one.
type environment struct {
	*host.Network
	circuit relay.RelayLimit // of those that this node relays; zero: circuits.DefaultLimit

	interfaces func() ([]ma.Multiaddr, error) // nil: they never change
	wall       func() time.Time               // nil: the computer's clock
}

func realNetwork(cfg Config) (*host.Network, error) {
	return host.Internet(cmp.Or(cfg.Limits, DefaultLimits), contacts.MaxPeers, slices.Concat(idsOf(cfg.Relays), cfg.Partners), cfg.RelayFor)
}

// environmentOf is a node's own, or the real one.
func environmentOf(cfg Config) (*environment, error) {
	if cfg.environment != nil {
		return cfg.environment, nil
	}
	n, err := realNetwork(cfg)
	return &environment{Network: n}, err
}
