package discovery

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// maxKnown is how many DHT servers are remembered.
const maxKnown = 16

// peersFile is the JSON in Config.PeersFile.
type peersFile struct {
	Version int        `json:"version"` // 1
	Added   []PeerInfo `json:"added"`   // by AddPeer; the operator's, never dropped
	Seen    []PeerInfo `json:"seen"`    // last-known-good addresses, of contacts and DHT servers
}

// load takes up what the peers file says. A damaged file is an error: it may
// be the only place that knows whom the operator added.
func (b *book) load() error {
	if b.file == "" {
		return nil
	}
	data, err := os.ReadFile(b.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read peers file: %w", err)
	}
	var f peersFile
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil || f.Version != 1 || decoder.More() {
		return fmt.Errorf("read peers file: %s is damaged; restore it, or move it away and add peers again", b.file)
	}
	for _, p := range f.Added {
		if err := b.put(p, func(c *contact) { c.added, c.bootstrap = true, false }); err != nil {
			return fmt.Errorf("read peers file %s: %w", b.file, err)
		}
	}
	b.saved = data // nobody else knows b yet
	for _, p := range f.Seen {
		if c := b.contacts[p.ID]; c != nil {
			c.seen = p.Addrs
		} else if p.ID != b.self && len(b.known) < maxKnown {
			b.known = append(b.known, p)
		}
	}
	return nil
}

// remember notes where connected contacts are and who makes up the DHT, and
// brings the peers file up to date.
func (d *Discovery) remember() error {
	where := func(p peer.ID) PeerInfo {
		return PeerInfo{ID: p, Addrs: pickAddrs(d.host.Peerstore().Addrs(p), d.allowPrivate, maxAddrs)}
	}
	var seen []PeerInfo
	for _, c := range d.book.all() {
		if d.Connected(c.ID) {
			seen = append(seen, where(c.ID))
		}
	}
	for _, p := range d.dht.RoutingTable().ListPeers() {
		seen = append(seen, where(p))
	}
	return d.book.save(seen)
}

// save writes the peers file if that changes it. A contact, and the DHT, keep
// their last-known-good addresses when seen has none.
func (b *book) save(seen []PeerInfo) error {
	if b.file == "" {
		return nil
	}
	b.filing.Lock()
	defer b.filing.Unlock()
	data, err := json.MarshalIndent(b.note(seen), "", "  ")
	if err != nil {
		return fmt.Errorf("write peers file: %w", err)
	}
	if bytes.Equal(data, b.saved) {
		return nil
	}
	if err := writeFile(b.file, data, os.Rename); err != nil {
		return fmt.Errorf("write peers file: %w", err)
	}
	b.saved = data
	return nil
}

// note takes up what was seen and returns what is worth keeping.
func (b *book) note(seen []PeerInfo) peersFile {
	b.mu.Lock()
	defer b.mu.Unlock()
	var known []PeerInfo
	for _, p := range seen {
		switch c := b.contacts[p.ID]; {
		case len(p.Addrs) == 0:
		case c != nil:
			c.seen = p.Addrs
		case len(known) < maxKnown:
			known = append(known, p)
		}
	}
	if len(known) > 0 {
		b.known = known
	}
	f := peersFile{Version: 1, Added: []PeerInfo{}, Seen: append([]PeerInfo{}, b.known...)}
	for id, c := range b.contacts {
		if c.added {
			f.Added = append(f.Added, c.PeerInfo)
		}
		if len(c.seen) > 0 && !c.lan {
			f.Seen = append(f.Seen, PeerInfo{ID: id, Addrs: c.seen})
		}
	}
	for _, list := range [][]PeerInfo{f.Added, f.Seen} {
		slices.SortFunc(list, func(x, y PeerInfo) int { return cmp.Compare(x.ID, y.ID) })
	}
	return f
}
