package discovery

import (
	"context"
	"slices"
	"sync"
	"time"

	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"anteroom/discovery/address"
	"anteroom/discovery/host"
	"anteroom/discovery/reach"
)

const (
	// lanService is what nodes on a LAN announce, under a random name, with
	// their peer ID and addresses: that there is a node, and not whose.
	lanService = "_anteroom._udp"

	// maxLAN is how many nodes found on the LAN are remembered.
	maxLAN = 16

	// lanEvery is how often this node looks whether it must announce itself anew.
	lanEvery = 30 * time.Second

	// maxLANFailures is how often in a row one of them may be out of reach
	// before it is forgotten, until it announces itself again.
	maxLANFailures = 4
)

// neighbours are the nodes found on the LAN and where they were found: the
// only private addresses that may be dialled if others may not. Whoever is on
// the LAN can announce itself, so neighbours are asked and nothing more: they
// learn a question, and who claims to be the answer without being it fails the
// handshake inside the stream.
type neighbours struct {
	mu sync.Mutex
	at map[peer.ID][]ma.Multiaddr
}

// where returns where p was found; nil: nowhere.
func (n *neighbours) where(p peer.ID) []ma.Multiaddr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.at[p]
}

// add notes where p was found; it reports false if there are too many.
func (n *neighbours) add(p peer.ID, addrs []ma.Multiaddr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.at[p]; !known && len(n.at) >= maxLAN {
		return false
	}
	if n.at == nil {
		n.at = make(map[peer.ID][]ma.Multiaddr)
	}
	n.at[p] = addrs
	return true
}

func (n *neighbours) forget(p peer.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.at, p)
}

// keepLAN announces this node on the LAN and takes up those that announce
// themselves, until ctx ends. The announcement follows the listeners'
// addresses, which on a laptop change with the network.
func (d *Discovery) keepLAN(ctx context.Context) {
	var announced []ma.Multiaddr
	stop := func() {}
	defer func() { stop() }()
	changed, stopWatching := d.AddressesChanged()
	defer stopWatching()
	tick := time.NewTicker(lanEvery)
	defer tick.Stop()
	for {
		own, err := d.lanAddrs()
		if err == nil && !slices.EqualFunc(own, announced, ma.Multiaddr.Equal) {
			stop()
			stop, announced = func() {}, own
			service := mdns.NewMdnsService(onLAN{d.host, own}, lanService, found(d.found))
			if err = service.Start(); err == nil {
				stop = func() { _ = service.Close() }
			}
		}
		if err != nil {
			d.log.Warn("node not announced on the local network", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

// lanAddrs are where this node listens now, in the same order each time.
func (d *Discovery) lanAddrs() ([]ma.Multiaddr, error) {
	own, err := d.roamer.Interfaces()
	if err != nil {
		return nil, err
	}
	addrs := reach.Listening(d.host, slices.DeleteFunc(own, manet.IsIP6LinkLocal))
	slices.SortFunc(addrs, ma.Multiaddr.Compare)
	return addrs, nil
}

// onLAN is a host as mDNS may see it: libp2p would announce addresses that were
// its own a minute ago.
type onLAN struct {
	corehost.Host
	own []ma.Multiaddr
}

func (h onLAN) Network() network.Network { return onLANNetwork{h.Host.Network(), h.own} }

type onLANNetwork struct {
	network.Network
	own []ma.Multiaddr
}

func (n onLANNetwork) InterfaceListenAddresses() ([]ma.Multiaddr, error) { return n.own, nil }

type found func(peer.AddrInfo)

// HandlePeerFound implements mdns.Notifee.
func (f found) HandlePeerFound(info peer.AddrInfo) { f(info) }

// found takes up a node that announced itself on the LAN.
func (d *Discovery) found(info peer.AddrInfo) {
	if info.ID == d.ID() {
		return
	}
	var addrs []ma.Multiaddr
	for _, a := range address.Pick(address.Direct(info.Addrs), true, address.Max) {
		if address.ReachOf(a) == address.Private {
			addrs = append(addrs, a)
		}
	}
	if len(addrs) == 0 || !d.neighbours.add(info.ID, addrs) {
		return
	}
	if err := d.book.AddNeighbour(PeerInfo{ID: info.ID, Addrs: addrs}); err != nil {
		d.log.Debug("node on the local network not taken up", "node", host.Short(info.ID), "err", err)
	}
}
