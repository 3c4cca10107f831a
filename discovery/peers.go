package discovery

import (
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery/address"
)

// protectTag keeps the connection manager from trimming configured peers.
const protectTag = "configured"

// ErrPrivatePeer means that all addresses of a peer are outside the public
// internet, and the config does not allow those.
var ErrPrivatePeer = address.ErrPrivate

// Peer is a configured or added peer.
type Peer struct {
	PeerInfo
	Added     bool // by AddPeer
	Bootstrap bool // a way into the DHT only
	Relay     bool // takes calls for this node
	LAN       bool // found on the local network, not named by the operator
	Connected bool
}

// AddPeer makes a peer known: it is asked in look-ups from now on, connected
// to, and kept in the peers file. Adding one again replaces what was known.
func (d *Discovery) AddPeer(p PeerInfo) error {
	if len(p.Addrs) > 0 && len(address.Pick(p.Addrs, d.allowPrivate, 1)) == 0 {
		return fmt.Errorf("add peer: %w", ErrPrivatePeer)
	}
	if err := d.book.Add(p); err != nil {
		return fmt.Errorf("add peer: %w", err)
	}
	d.host.ConnManager().Protect(p.ID, protectTag)
	return d.remember()
}

// SetPeers replaces Config.Peers: who is new in it is connected to and asked
// from now on, and who is gone from it is forgotten and its connection closed;
// the DHT may meet it again, as it meets any stranger. If one of them cannot be a
// peer, nothing changes.
func (d *Discovery) SetPeers(peers []PeerInfo) error {
	gone, err := d.book.Configure(peers)
	if err != nil {
		return fmt.Errorf("configure peer: %w", err)
	}
	for _, p := range peers {
		d.host.ConnManager().Protect(p.ID, protectTag)
	}
	errs := []error{d.remember()}
	for _, id := range gone {
		d.host.ConnManager().Unprotect(id, protectTag)
		errs = append(errs, d.host.Network().ClosePeer(id))
	}
	return errors.Join(errs...)
}

// ListPeers returns all configured and added peers, in the order of their IDs.
func (d *Discovery) ListPeers() []Peer {
	var list []Peer
	for _, c := range d.book.All() {
		list = append(list, Peer{
			PeerInfo:  PeerInfo{ID: c.ID, Addrs: c.AllAddrs(), Name: c.Name},
			Added:     c.Added,
			Bootstrap: c.Bootstrap,
			Relay:     c.Relay,
			LAN:       c.LAN,
			Connected: d.Connected(c.ID),
		})
	}
	return list
}

// remember notes where connected contacts are and who makes up the DHT, and
// brings the peers file up to date.
func (d *Discovery) remember() error {
	where := func(p peer.ID) PeerInfo {
		return PeerInfo{ID: p, Addrs: address.Pick(d.host.Peerstore().Addrs(p), d.allowPrivate, address.Max)}
	}
	var seen []PeerInfo
	for _, c := range d.book.All() {
		if d.Connected(c.ID) {
			seen = append(seen, where(c.ID))
		}
	}
	for _, p := range d.dht.RoutingTable().ListPeers() {
		seen = append(seen, where(p))
	}
	return d.book.Save(seen)
}
