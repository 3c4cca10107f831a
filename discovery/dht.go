package discovery

import (
	"context"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
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

// newDHT starts the DHT on d.host: one kind of record, no providers, a bounded
// store, a bounded number of PUTs from each peer.
func (d *Discovery) newDHT() (*dht.IpfsDHT, error) {
	mode := dht.ModeClient // not automatic: that may never become a server in a small federation
	if d.server {
		mode = dht.ModeServer
	}
	options := []dht.Option{
		dht.ProtocolPrefix(dhtPrefix),
		dht.Mode(mode),
		dht.Validator(record.NamespacedValidator{"ipns": validator{}}),
		dht.Datastore(d.store),
		dht.MaxRecordAge(maxAhead),
		dht.ValueGCInterval(0), // the store sweeps by expiry
		dht.DisableProviders(),
		dht.AddressFilter(func(addrs []ma.Multiaddr) []ma.Multiaddr {
			return address.Direct(address.Pick(addrs, d.allowPrivate, len(addrs))) // a server needs no relay
		}),
		dht.QueryFilter(func(_ any, info peer.AddrInfo) bool {
			return len(address.Pick(address.Direct(info.Addrs), d.allowPrivate, 1)) > 0
		}),
		dht.BootstrapPeersFunc(d.book.seeds),
		dht.OnRequestHook(limitPuts(d.puts)),
		dht.WithCustomMessageSender(func(h host.Host, protocols []protocol.ID) kadpb.MessageSenderWithDisconnect {
			return &sender{host: h, protocols: protocols}
		}),
	}
	if !d.allowPrivate {
		// Without this, twenty nodes of one provider can surround a record for
		// seconds of CPU. On a LAN or loopback it would leave three peers.
		options = append(options, dht.RoutingTablePeerDiversityFilter(dht.NewRTPeerDiversityFilter(d.host, 2, 3)))
	}
	return dht.New(d.host, options...)
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
