package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
)

// maxPeers bounds how many peers may be configured or added: each costs a
// connection that is kept up.
const maxPeers = 64

// protectTag keeps the connection manager from trimming configured peers.
const protectTag = "configured"

// ErrPrivatePeer means that all addresses of a peer are outside the public
// internet, and the config does not allow those.
var ErrPrivatePeer = errors.New("all addresses of this peer are private, and the config does not allow those")

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
	if err := d.book.add(p); err != nil {
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
	gone, err := d.book.configure(peers)
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
	for _, c := range d.book.all() {
		list = append(list, Peer{
			PeerInfo:  PeerInfo{ID: c.ID, Addrs: c.addrs(), Name: c.Name},
			Added:     c.added,
			Bootstrap: c.bootstrap,
			Relay:     c.relay,
			LAN:       c.lan,
			Connected: d.Connected(c.ID),
		})
	}
	return list
}

// A contact is a peer that the operator named, and how it has been doing.
type contact struct {
	PeerInfo
	configured bool // by Config.Peers
	added      bool // by AddPeer
	bootstrap  bool // by Config.Bootstrap and in no other way
	entry      bool // by Config.Bootstrap, perhaps among others
	relay      bool // by Config.Relays
	lan        bool // found on the local network and named in no other way

	seen     []ma.Multiaddr // last-known-good addresses
	dialing  bool
	giveUp   context.CancelFunc // ends the dial, if there is one
	failures int                // dials that failed since it was last connected
	next     time.Time          // when to dial it
}

// addrs is where a contact may be: as the operator said, and where it was
// seen last.
func (c contact) addrs() []ma.Multiaddr {
	return address.Pick(slices.Concat(c.Addrs, c.seen), true, 2*address.Max)
}

// A book holds the contacts and, of the DHT, whom we knew in better days. It
// is a monitor: of its methods only save blocks, and not with mu held.
type book struct {
	self    peer.ID
	file    string        // constant; empty: not kept
	changed chan struct{} // ticks when a contact may be due sooner; full: a tick is waiting

	mu       sync.Mutex
	contacts map[peer.ID]*contact
	known    []PeerInfo // DHT servers that were good once

	filing sync.Mutex // held while the file is written; taken before mu
	saved  []byte     // what the file holds; guarded by filing
}

// openBook joins what the config names with what the peers file remembers.
func openBook(self peer.ID, cfg Config) (*book, error) {
	b := &book{self: self, file: cfg.PeersFile, changed: make(chan struct{}, 1), contacts: make(map[peer.ID]*contact)}
	for _, p := range cfg.Peers {
		if err := b.put(p, func(c *contact) { c.configured = true }); err != nil {
			return nil, fmt.Errorf("configure peer: %w", err)
		}
	}
	for _, p := range cfg.Bootstrap {
		if err := b.put(p, func(c *contact) { c.entry, c.bootstrap = true, !c.configured }); err != nil {
			return nil, fmt.Errorf("configure bootstrap node: %w", err)
		}
	}
	for _, p := range cfg.Relays {
		if len(address.Pick(address.Direct(p.Addrs), cfg.AllowPrivate, 1)) == 0 {
			return nil, errors.New("configure relay: it has no address that can be dialled from here")
		}
		if err := b.put(p, func(c *contact) { c.relay = true }); err != nil {
			return nil, fmt.Errorf("configure relay: %w", err)
		}
	}
	if err := b.load(cfg.Log); err != nil {
		return nil, err
	}
	return b, nil
}

// configure makes list what Config.Peers said, and returns whom nobody names any
// more.
func (b *book) configure(list []PeerInfo) (gone []peer.ID, err error) {
	listed := make(map[peer.ID]bool)
	for _, p := range list {
		if err := b.check(p); err != nil {
			return nil, err
		}
		listed[p.ID] = true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	others := 0
	for id, c := range b.contacts {
		if !listed[id] && (c.added || c.entry || c.relay || c.lan) {
			others++
		}
	}
	if others+len(listed) > maxPeers {
		return nil, fmt.Errorf("they would be more than %d", maxPeers)
	}
	for id, c := range b.contacts {
		if c.configured && !listed[id] {
			c.configured = false
			c.bootstrap = c.entry && !c.added
			if !c.added && !c.entry && !c.relay {
				delete(b.contacts, id)
				gone = append(gone, id)
			}
		}
	}
	for _, p := range list {
		if c := b.contacts[p.ID]; c != nil && c.configured && (c.added || c.Name == p.Name && slices.EqualFunc(c.Addrs, p.Addrs, ma.Multiaddr.Equal)) {
			continue // perhaps it is being dialled
		}
		if err := b.putLocked(p, func(c *contact) { c.configured, c.bootstrap = true, false }); err != nil {
			return gone, err
		}
	}
	return gone, nil
}

// check fails if p cannot be a contact.
func (b *book) check(p PeerInfo) error {
	switch {
	case p.ID.Validate() != nil:
		return errors.New("no peer ID")
	case p.ID == b.self:
		return errors.New("that is this node itself")
	case !validName(p.Name):
		return errors.New("the name must be at most 64 printable characters")
	}
	return nil
}

// put enters p, replacing what was known of it, and marks it.
func (b *book) put(p PeerInfo, mark func(*contact)) error {
	if err := b.check(p); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.putLocked(p, mark)
}

func (b *book) putLocked(p PeerInfo, mark func(*contact)) error {
	c, ok := b.contacts[p.ID]
	if !ok {
		if len(b.contacts) >= maxPeers {
			return fmt.Errorf("there are %d peers already", maxPeers)
		}
		c = &contact{}
		b.contacts[p.ID] = c
	}
	c.PeerInfo = PeerInfo{p.ID, slices.Clone(p.Addrs), cmp.Or(p.Name, c.Name)}
	c.failures, c.next, c.lan = 0, time.Time{}, false
	mark(c)
	b.tickLocked()
	return nil
}

// putNeighbour enters a node found on the LAN, unless the operator named it.
func (b *book) putNeighbour(p PeerInfo) error {
	if b.has(p.ID) {
		return nil
	}
	return b.put(p, func(c *contact) { c.lan = !c.configured && !c.added && !c.bootstrap && !c.relay })
}

// dropNeighbour forgets a node found on the LAN, and reports whether id was one.
func (b *book) dropNeighbour(id peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.contacts[id]
	if c == nil || !c.lan {
		return false
	}
	delete(b.contacts, id)
	return true
}

func (b *book) add(p PeerInfo) error {
	return b.put(p, func(c *contact) { c.added, c.bootstrap = true, false })
}

// has reports whether the operator named p.
func (b *book) has(p peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.contacts[p]
	return c != nil && !c.lan
}

// get returns a contact.
func (b *book) get(id peer.ID) (contact, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.contacts[id]
	if !ok {
		return contact{}, false
	}
	return *c, true
}

// lonely reports whether the operator named nobody. Then nobody is dialled.
func (b *book) lonely() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.contacts) == 0
}

// all returns every contact, in the order of their IDs.
func (b *book) all() []contact {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []contact
	for _, id := range slices.Sorted(maps.Keys(b.contacts)) {
		list = append(list, *b.contacts[id])
	}
	return list
}

// peers returns those that are asked directly.
func (b *book) peers() []contact {
	return slices.DeleteFunc(b.all(), func(c contact) bool { return !c.configured && !c.added && !c.lan })
}

// ids returns those that are kept connected.
func (b *book) ids() (ids []peer.ID) {
	for _, c := range b.all() {
		if c.configured || c.added || c.relay {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// seeds returns the nodes of old through which the DHT may be entered while it
// knows nobody, beside the contacts, who are dialled anyway: none if the
// operator named nobody.
func (b *book) seeds() (seeds []peer.AddrInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.contacts) == 0 {
		return nil
	}
	for _, p := range b.known {
		if b.contacts[p.ID] == nil {
			seeds = append(seeds, peer.AddrInfo{ID: p.ID, Addrs: p.Addrs})
		}
	}
	return seeds
}

func (b *book) tickLocked() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}
