package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/rendezvous/wire"
)

// mineProtocol tells a gateway of the practice which invites are answered here,
// so that it need not ask. PROTOCOL.md, "Telling".
const mineProtocol = "/anteroom/mine/1"

// What a frame of it says of the rids in it.
const (
	mineVersion = 1
	mineAdded   = 1
	mineGone    = 2
	mineAll     = 3 // with none: those until here are all
)

const (
	// maxMine is how many invites one node tells of: twenty appointments a day
	// for a year. Of more, those that are nearest.
	maxMine = 8192

	// maxRIDs is how many are in one frame: 8 KiB.
	maxRIDs = 256

	// mineTime is what opening a stream, or telling all of it, may take: a
	// quarter of a MiB.
	mineTime = 30 * time.Second

	// A gateway that did not listen is told again after retellMin, then twice as
	// long each time up to retellMax, and whenever it connects.
	retellMin, retellMax = time.Second, time.Minute
)

// tellGateways keeps all gateways of the practice told until ctx ends.
func (n *Node) tellGateways(ctx context.Context) {
	var each sync.WaitGroup
	for _, id := range n.Gateways {
		each.Go(func() { n.keepTold(ctx, id) }) // ends with ctx
	}
	each.Wait()
}

// keepTold tells one gateway whenever it is connected: both may start again.
func (n *Node) keepTold(ctx context.Context, gateway peer.ID) {
	met, stop := n.Discovery.PeersConnected()
	defer stop()
	for wait := retellMin; ; wait = min(2*wait, retellMax) {
		if n.Discovery.Connected(gateway) {
			if err := n.tell(ctx, gateway); ctx.Err() == nil {
				n.Log.Debug("gateway hears no more of open invites", "node", shortID(gateway), "err", err)
			}
		}
		again := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-met:
			again.Stop()
			wait = retellMin
		case <-again.C:
		}
	}
}

// tell tells a gateway what is answered here, and then what changes, until the
// stream or ctx ends.
func (n *Node) tell(ctx context.Context, gateway peer.ID) error {
	changed, stop := n.Practice.Watch()
	defer stop()
	s, err := n.openMine(ctx, gateway)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() { // ends with the stream, on which nothing comes
		defer close(ended)
		s.Read(make([]byte, 1))
		cancel()
	}()
	defer func() { s.Reset(); <-ended }()
	defer context.AfterFunc(ctx, func() { s.Reset() })()

	clock := time.NewTicker(sweepEvery) // other invites get near
	defer clock.Stop()
	var told map[wire.MemberID][32]byte
	for {
		mine, err := n.Practice.RIDs(ctx, n.Practice.Now(), maxMine, told)
		if err != nil {
			return err
		}
		s.SetWriteDeadline(time.Now().Add(mineTime))
		if err := sendMine(s, told, mine); err != nil {
			return err
		}
		told = mine
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		case <-clock.C:
		}
	}
}

func (n *Node) openMine(ctx context.Context, gateway peer.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, mineTime)
	defer cancel()
	return n.Discovery.Open(ctx, peer.AddrInfo{ID: gateway}, mineProtocol)
}

// sendMine says what is in mine and was not in told, which is nil at first, and
// the other way round.
func sendMine(w io.Writer, told, mine map[wire.MemberID][32]byte) error {
	var out bytes.Buffer
	if told == nil {
		out.WriteByte(mineVersion)
	}
	writeMine(&out, mineGone, told, mine) // first, so that there are never too many
	writeMine(&out, mineAdded, mine, told)
	if told == nil {
		writeMineFrame(&out, mineAll, nil)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("tell of invites: %w", err)
	}
	return nil
}

// writeMine writes those of some that are not among others.
func writeMine(out *bytes.Buffer, kind byte, some, others map[wire.MemberID][32]byte) {
	var rids [][32]byte
	for m, rid := range some {
		if _, ok := others[m]; !ok {
			rids = append(rids, rid)
		}
	}
	for part := range slices.Chunk(rids, maxRIDs) {
		writeMineFrame(out, kind, part)
	}
}

func writeMineFrame(out *bytes.Buffer, kind byte, rids [][32]byte) {
	out.Write([]byte{kind, byte(len(rids) >> 8), byte(len(rids))})
	for _, rid := range rids {
		out.Write(rid[:])
	}
}

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

// hearMine serves a home node that tells which invites are its.
func (n *Node) hearMine(ctx context.Context, s network.Stream) {
	defer s.Reset()
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	home := s.Conn().RemotePeer()
	if !slices.Contains(n.GuestsOf, home) {
		return
	}
	if err := n.homes.listen(home, s); ctx.Err() == nil {
		n.Log.Debug("home node tells no more of its invites", "node", shortID(home), "err", err)
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
