package contacts

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"anteroom/discovery/atomicfile"
)

// maxKnown is how many DHT servers are remembered.
const maxKnown = 16

// peersFile is the JSON in Config.File.
type peersFile struct {
	Version int    `json:"version"` // 1
	Added   []Info `json:"added"`   // by Add; the operator's, never dropped
	Seen    []Info `json:"seen"`    // last-known-good addresses, of contacts and DHT servers
}

// maxPeersFile is more than MaxPeers and maxKnown nodes take, bytes.
const maxPeersFile = 1 << 20

// A Damaged says which peers file is damaged, or was, and is kept aside.
type Damaged struct{ Path string }

func (d Damaged) Error() string {
	return fmt.Sprintf("the file of known nodes is damaged, and is kept as %s: nodes that were added by hand may be missing, so add them again with anteroom peer add, and then delete that file", d.Path)
}

// CheckFile fails if the peers file at path is damaged, or if a damaged one
// is still kept beside it, which its operator has not dealt with. It changes
// nothing.
func CheckFile(path string) error {
	kept, err := filepath.Glob(globbed(path) + damagedMark + "*")
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		return Damaged{kept[len(kept)-1]} // the newest
	}
	if _, whole := readPeersFile(path); !whole {
		return fmt.Errorf("the file of known nodes, %s, is damaged: put back a good copy, or start Anteroom, which goes on without what cannot be read", path)
	}
	return nil
}

// damagedMark and a time follow the name of a peers file that was put aside.
const damagedMark = ".damaged-"

// globbed quotes what means something in a pattern.
func globbed(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// readPeersFile returns what can be read of the peers file at path, and whether
// that is all of it. One that does not exist is whole.
func readPeersFile(path string) (f peersFile, whole bool) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, true
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxPeersFile { // to open a pipe is to wait for its writer
		return f, false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return f, false
	}
	var raw struct {
		Version int               `json:"version"`
		Added   []json.RawMessage `json:"added"`
		Seen    []json.RawMessage `json:"seen"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&raw)
	_, after := decoder.Token()
	whole = err == nil && errors.Is(after, io.EOF) && raw.Version == 1 && raw.Added != nil && raw.Seen != nil
	read := func(entries []json.RawMessage) (list []Info) {
		for _, entry := range entries {
			var p Info
			if err := decodeStrictly(entry, &p); err != nil || p.ID.Validate() != nil || !validName(p.Name) {
				whole = false
				continue
			}
			list = append(list, p)
		}
		return list
	}
	return peersFile{raw.Version, read(raw.Added), read(raw.Seen)}, whole
}

func decodeStrictly(data []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(v)
}

// load takes up what the peers file says. A node must start without it, and the
// file may be the only place that knows whom the operator added: a damaged one
// is put aside, and what could be read of it is written anew.
func (b *Book) load(log *slog.Logger) error {
	if b.file == "" {
		return nil
	}
	f, whole := readPeersFile(b.file)
	for _, p := range f.Added {
		if err := b.Add(p); err != nil {
			whole = false
		}
	}
	for _, p := range f.Seen {
		if c := b.contacts[p.ID]; c != nil {
			c.seen = p.Addrs
		} else if p.ID != b.self && len(b.known) < maxKnown {
			b.known = append(b.known, p)
		}
	}
	if whole {
		return nil
	}
	aside := b.file + damagedMark + time.Now().UTC().Format("20060102T150405.000")
	if err := os.Rename(b.file, aside); err != nil {
		return fmt.Errorf("put damaged peers file aside: %w", err)
	}
	log.Error("the file of known nodes is damaged and was kept aside: see anteroom doctor", "peers", len(f.Added))
	return b.Save(nil)
}

// Save writes the peers file if that changes it. A contact, and the DHT, keep
// their last-known-good addresses when seen has none.
func (b *Book) Save(seen []Info) error {
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
	if err := atomicfile.Write(b.file, data, os.Rename); err != nil {
		return fmt.Errorf("write peers file: %w", err)
	}
	b.saved = data
	return nil
}

// note takes up what was seen and returns what is worth keeping.
func (b *Book) note(seen []Info) peersFile {
	b.mu.Lock()
	defer b.mu.Unlock()
	var known []Info
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
	f := peersFile{Version: 1, Added: []Info{}, Seen: append([]Info{}, b.known...)}
	for id, c := range b.contacts {
		if c.Added {
			f.Added = append(f.Added, c.Info)
		}
		if len(c.seen) > 0 && !c.LAN {
			f.Seen = append(f.Seen, Info{ID: id, Addrs: c.seen})
		}
	}
	for _, list := range [][]Info{f.Added, f.Seen} {
		slices.SortFunc(list, func(x, y Info) int { return cmp.Compare(x.ID, y.ID) })
	}
	return f
}
