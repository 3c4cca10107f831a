// Package records is a node's part in the DHT, which stores one kind of record
// and nothing else: opaque bytes, signed by the key under whose name they are
// filed, for two hours at most. It knows how to publish one, so that it is really
// there, how to search for one, so that nothing else comes back, and what of
// others' to keep.
package records

import (
	"context"
	"log/slog"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	record "github.com/libp2p/go-libp2p-record"
	recpb "github.com/libp2p/go-libp2p-record/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
	"anteroom/discovery/limit"
)

// dhtPrefix keeps our DHT apart from every other: /anteroom/kad/1.0.0.
const dhtPrefix protocol.ID = "/anteroom"

// A DHT is kad-dht with one kind of record, no providers, a bounded store and a
// bounded number of PUTs from each peer.
type DHT struct {
	*dht.IpfsDHT
	server bool
	kept   *records.ValueStore // the store, as kad-dht sees it
	log    *slog.Logger
}

// Config says how a node takes part in the DHT.
type Config struct {
	Server       bool // keeps records of others; one that is none only asks
	AllowPrivate bool // addresses that are not on the public internet

	Store *Store
	Puts  *limit.Rate            // how often one peer may put a record here
	Seeds func() []peer.AddrInfo // ways in, while it knows nobody
	Log   *slog.Logger
}

// New takes part in the DHT by h.
func New(h host.Host, cfg Config) (*DHT, error) {
	mode := dht.ModeClient // not automatic: that may never become a server in a small federation
	if cfg.Server {
		mode = dht.ModeServer
	}
	options := []dht.Option{
		dht.ProtocolPrefix(dhtPrefix),
		dht.Mode(mode),
		dht.Validator(record.NamespacedValidator{"ipns": validator{}}),
		dht.Datastore(cfg.Store),
		dht.MaxRecordAge(maxAhead),
		dht.ValueGCInterval(0), // the store sweeps by expiry
		dht.DisableProviders(),
		dht.AddressFilter(func(addrs []ma.Multiaddr) []ma.Multiaddr {
			return address.Direct(address.Pick(addrs, cfg.AllowPrivate, len(addrs))) // a server needs no relay
		}),
		dht.QueryFilter(func(_ any, info peer.AddrInfo) bool {
			return len(address.Pick(address.Direct(info.Addrs), cfg.AllowPrivate, 1)) > 0
		}),
		dht.BootstrapPeersFunc(cfg.Seeds),
		dht.OnRequestHook(limitPuts(cfg.Puts)),
		dht.WithCustomMessageSender(func(h host.Host, protocols []protocol.ID) kadpb.MessageSenderWithDisconnect {
			return &sender{host: h, protocols: protocols}
		}),
	}
	if !cfg.AllowPrivate {
		// Without this, twenty nodes of one provider can surround a record for
		// seconds of CPU. On a LAN or loopback it would leave three peers.
		options = append(options, dht.RoutingTablePeerDiversityFilter(dht.NewRTPeerDiversityFilter(h, 2, 3)))
	}
	kad, err := dht.New(h, options...)
	if err != nil {
		return nil, err
	}
	return &DHT{kad, cfg.Server, records.NewValueStore(cfg.Store, validator{}, maxAhead), cfg.Log}, nil
}

// limitPuts makes the hook that sees every request before the DHT does. It
// cannot refuse one, but the DHT refuses a PUT without a record. Of records it
// keeps what we know, so unknown fields take no room in the store.
func limitPuts(puts *limit.Rate) func(context.Context, network.Stream, *kadpb.Message) {
	return func(_ context.Context, s network.Stream, m *kadpb.Message) {
		if m.GetType() != kadpb.Message_PUT_VALUE {
			return
		}
		if !puts.Allow(s.Conn().RemotePeer()) {
			m.Record = nil
			return
		}
		if r := m.GetRecord(); r != nil {
			m.Record = &recpb.Record{Key: r.GetKey(), Value: r.GetValue()}
		}
	}
}
