// Package contacts knows the nodes that the operator named: what their cards say,
// when to dial them, and where they were last. A Book keeps them, and a file.
package contacts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
)

// MaxPeers bounds how many peers may be configured or added: each costs a
// connection that is kept up.
const MaxPeers = 64

// A Contact is a peer that the operator named, and how it has been doing.
type Contact struct {
	Info
	configured bool // by Config.Peers
	Added      bool // by Add
	Bootstrap  bool // by Config.Bootstrap and in no other way
	entry      bool // by Config.Bootstrap, perhaps among others
	Relay      bool // by Config.Relays
	LAN        bool // found on the local network and named in no other way

	seen     []ma.Multiaddr // last-known-good addresses
	dialing  bool
	giveUp   context.CancelFunc // ends the dial, if there is one
	Failures int                // Dialling that failed since it was last connected
	next     time.Time          // when to dial it
}

// AllAddrs is where a contact may be: as the operator said, and where it was
// seen last.
func (c Contact) AllAddrs() []ma.Multiaddr {
	return address.Pick(slices.Concat(c.Addrs, c.seen), true, 2*address.Max)
}

// A Book holds the contacts and, of the DHT, whom we knew in better days. It
// is a monitor: of its methods only save blocks, and not with mu held.
type Book struct {
	self    peer.ID
	file    string        // constant; empty: not kept
	Changed chan struct{} // ticks when a contact may be due sooner; full: a tick is waiting

	mu       sync.Mutex
	contacts map[peer.ID]*Contact
	known    []Info // DHT servers that were good once

	filing sync.Mutex // held while the file is written; taken before mu
	saved  []byte     // what the file holds; guarded by filing
}

// A Config says whom the operator named, and where others are remembered.
type Config struct {
	Self                     peer.ID
	Peers, Bootstrap, Relays []Info
	AllowPrivate             bool   // addresses that are not on the public internet
	File                     string // where added peers and last-known-good addresses are kept; empty: nowhere
	Log                      *slog.Logger
}

// Open joins what the config names with what the peers file remembers.
func Open(cfg Config) (*Book, error) {
	b := &Book{self: cfg.Self, file: cfg.File, Changed: make(chan struct{}, 1), contacts: make(map[peer.ID]*Contact)}
	for _, p := range cfg.Peers {
		if err := b.put(p, func(c *Contact) { c.configured = true }); err != nil {
			return nil, fmt.Errorf("configure peer: %w", err)
		}
	}
	for _, p := range cfg.Bootstrap {
		if err := b.put(p, func(c *Contact) { c.entry, c.Bootstrap = true, !c.configured }); err != nil {
			return nil, fmt.Errorf("configure bootstrap node: %w", err)
		}
	}
	for _, p := range cfg.Relays {
		if len(address.Pick(address.Direct(p.Addrs), cfg.AllowPrivate, 1)) == 0 {
			return nil, errors.New("configure relay: it has no address that can be dialled from here")
		}
		if err := b.put(p, func(c *Contact) { c.Relay = true }); err != nil {
			return nil, fmt.Errorf("configure relay: %w", err)
		}
	}
	if err := b.load(cfg.Log); err != nil {
		return nil, err
	}
	return b, nil
}

// Configure makes list what Config.Peers said, and returns whom nobody names any
// more.
func (b *Book) Configure(list []Info) (gone []peer.ID, err error) {
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
		if !listed[id] && (c.Added || c.entry || c.Relay || c.LAN) {
			others++
		}
	}
	if others+len(listed) > MaxPeers {
		return nil, fmt.Errorf("they would be more than %d", MaxPeers)
	}
	for id, c := range b.contacts {
		if c.configured && !listed[id] {
			c.configured = false
			c.Bootstrap = c.entry && !c.Added
			if !c.Added && !c.entry && !c.Relay {
				delete(b.contacts, id)
				gone = append(gone, id)
			}
		}
	}
	for _, p := range list {
		if c := b.contacts[p.ID]; c != nil && c.configured && (c.Added || c.Name == p.Name && slices.EqualFunc(c.Addrs, p.Addrs, ma.Multiaddr.Equal)) {
			continue // perhaps it is being dialled
		}
		if err := b.putLocked(p, func(c *Contact) { c.configured, c.Bootstrap = true, false }); err != nil {
			return gone, err
		}
	}
	return gone, nil
}

// check fails if p cannot be a contact.
func (b *Book) check(p Info) error {
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
func (b *Book) put(p Info, mark func(*Contact)) error {
	if err := b.check(p); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.putLocked(p, mark)
}

func (b *Book) putLocked(p Info, mark func(*Contact)) error {
	c, ok := b.contacts[p.ID]
	if !ok {
		if len(b.contacts) >= MaxPeers {
			return fmt.Errorf("there are %d peers already", MaxPeers)
		}
		c = &Contact{}
		b.contacts[p.ID] = c
	}
	c.Info = Info{p.ID, slices.Clone(p.Addrs), cmp.Or(p.Name, c.Name)}
	c.Failures, c.next, c.LAN = 0, time.Time{}, false
	mark(c)
	b.tickLocked()
	return nil
}

// AddNeighbour enters a node found on the LAN, unless the operator named it.
func (b *Book) AddNeighbour(p Info) error {
	if b.Has(p.ID) {
		return nil
	}
	return b.put(p, func(c *Contact) { c.LAN = !c.configured && !c.Added && !c.Bootstrap && !c.Relay })
}

// DropNeighbour forgets a node found on the LAN, and reports whether id was one.
func (b *Book) DropNeighbour(id peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.contacts[id]
	if c == nil || !c.LAN {
		return false
	}
	delete(b.contacts, id)
	return true
}

func (b *Book) Add(p Info) error {
	return b.put(p, func(c *Contact) { c.Added, c.Bootstrap = true, false })
}

// Has reports whether the operator named p.
func (b *Book) Has(p peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.contacts[p]
	return c != nil && !c.LAN
}

// Get returns a contact.
func (b *Book) Get(id peer.ID) (Contact, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.contacts[id]
	if !ok {
		return Contact{}, false
	}
	return *c, true
}

// Empty reports whether the operator named nobody. Then nobody is dialled.
func (b *Book) Empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.contacts) == 0
}

// All returns every contact, in the order of their IDs.
func (b *Book) All() []Contact {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []Contact
	for _, id := range slices.Sorted(maps.Keys(b.contacts)) {
		list = append(list, *b.contacts[id])
	}
	return list
}

// Peers returns those that are asked directly.
func (b *Book) Peers() []Contact {
	return slices.DeleteFunc(b.All(), func(c Contact) bool { return !c.configured && !c.Added && !c.LAN })
}

// IDs returns those that are kept connected.
func (b *Book) IDs() (ids []peer.ID) {
	for _, c := range b.All() {
		if c.configured || c.Added || c.Relay {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// Seeds returns the nodes of old through which the DHT may be entered while it
// knows nobody, beside the contacts, who are dialled anyway: none if the
// operator named nobody.
func (b *Book) Seeds() (seeds []peer.AddrInfo) {
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

func (b *Book) tickLocked() {
	select {
	case b.Changed <- struct{}{}:
	default:
	}
}
