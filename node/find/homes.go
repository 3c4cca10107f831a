package find

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery/identity"
	"anteroom/rendezvous/wire"
)

func readMineFrame(in io.Reader) (kind byte, rids [][32]byte, err error) {
	var head [3]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, nil, err
	}
	count := int(head[1])<<8 | int(head[2])
	if head[0] < mineAdded || head[0] > mineAll || count > maxRIDs || head[0] == mineAll && count > 0 {
		return 0, nil, wire.ErrBadMessage
	}
	rids = make([][32]byte, count)
	for i := range rids {
		if _, err := io.ReadFull(in, rids[i][:]); err != nil {
			return 0, nil, err
		}
	}
	return head[0], rids, nil
}

// homes is what the nodes whose guests come in here have told. What one told
// stays until it tells anew: while it is away its guests are no strangers.
type homes struct {
	mu    sync.Mutex
	told  map[peer.ID]map[[32]byte]bool
	turns map[peer.ID]int // of the stream that counts, a home's newest
	news  chan struct{}   // closed and made anew when something is told
}

func newHomes() *homes {
	return &homes{told: make(map[peer.ID]map[[32]byte]bool), turns: make(map[peer.ID]int), news: make(chan struct{})}
}

// of returns whose rid is. news is closed when there is more to know.
func (h *homes) of(rid [32]byte) (home peer.ID, ok bool, news <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, told := range h.told {
		if told[rid] {
			return id, true, h.news
		}
	}
	return "", false, h.news
}

// heard reports whether a home has told all since this node's start.
func (h *homes) heard(home peer.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.told[home] != nil
}

// begin makes the caller's stream the one that counts.
func (h *homes) begin(home peer.ID) (turn int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turns[home]++
	return h.turns[home]
}

// note takes a frame of the home's stream of that turn, into told: what that
// stream has told, which counts once it is all.
func (h *homes) note(home peer.ID, turn int, told map[[32]byte]bool, kind byte, rids [][32]byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if turn != h.turns[home] {
		return errors.New("the home node tells on a newer stream")
	}
	switch kind {
	case mineAdded:
		if len(told)+len(rids) > maxMine {
			return errors.New("the home node tells of too many invites")
		}
		for _, rid := range rids {
			told[rid] = true
		}
	case mineGone:
		for _, rid := range rids {
			delete(told, rid)
		}
	case mineAll:
		h.told[home] = told
	}
	close(h.news)
	h.news = make(chan struct{})
	return nil
}

// Hear serves a home node that tells which invites are its.
func (f *Finder) Hear(ctx context.Context, s network.Stream) {
	defer s.Reset()
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	home := s.Conn().RemotePeer()
	if !slices.Contains(f.cfg.GuestsOf, home) {
		return
	}
	if err := f.homes.listen(home, s); ctx.Err() == nil {
		f.cfg.Log.Debug("home node tells no more of its invites", "node", identity.Short(home), "err", err)
	}
}

// listen takes what a home tells until in ends.
func (h *homes) listen(home peer.ID, in io.Reader) error {
	turn := h.begin(home)
	var version [1]byte
	if _, err := io.ReadFull(in, version[:]); err != nil {
		return err
	}
	if version[0] != mineVersion {
		return wire.ErrBadMessage
	}
	told := make(map[[32]byte]bool)
	for {
		kind, rids, err := readMineFrame(in)
		if err != nil {
			return err
		}
		if err := h.note(home, turn, told, kind, rids); err != nil {
			return err
		}
	}
}

// Told reports whether a home node has told that rid is one of its.
func (f *Finder) Told(rid [32]byte) bool {
	_, ok, _ := f.homes.of(rid)
	return ok
}
