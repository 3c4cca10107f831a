package find

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"anteroom/discovery/identity"
	"anteroom/rendezvous/wire"
)

// MineProtocol tells a gateway of the practice which invites are answered here,
// so that it need not ask. PROTOCOL.md, "Telling".
const MineProtocol = "/anteroom/mine/1"

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

	// lookAgain is how often the list is read though nothing has changed: other
	// invites get near.
	lookAgain = time.Minute

	// A gateway that did not listen is told again after retellMin, then twice as
	// long each time up to retellMax, and whenever it connects.
	retellMin, retellMax = time.Second, time.Minute
)

// Invites are what a home node answers: a *practice.Practice.
type Invites interface {
	Now() time.Time
	RIDs(ctx context.Context, now time.Time, limit int, known map[wire.MemberID][32]byte) (map[wire.MemberID][32]byte, error)
	Watch() (changed <-chan struct{}, stop func())
}

// Gateways is how a Teller reaches them: a *discovery.Discovery.
type Gateways interface {
	Connected(peer.ID) bool
	PeersConnected() (met <-chan struct{}, stop func())
	Open(ctx context.Context, to peer.AddrInfo, proto protocol.ID) (network.Stream, error)
}

// A Teller tells the gateways of a practice which invites are answered here.
type Teller struct {
	gateways Gateways
	invites  Invites
	log      *slog.Logger
}

// NewTeller returns a Teller of invites.
func NewTeller(gateways Gateways, invites Invites, log *slog.Logger) *Teller {
	return &Teller{gateways, invites, log}
}

// Run keeps all gateways told until ctx ends.
func (t *Teller) Run(ctx context.Context, gateways []peer.ID) {
	var each sync.WaitGroup
	for _, id := range gateways {
		each.Go(func() { t.keepTold(ctx, id) }) // ends with ctx
	}
	each.Wait()
}

// keepTold tells one gateway whenever it is connected: both may start again.
func (t *Teller) keepTold(ctx context.Context, gateway peer.ID) {
	met, stop := t.gateways.PeersConnected()
	defer stop()
	for wait := retellMin; ; wait = min(2*wait, retellMax) {
		if t.gateways.Connected(gateway) {
			if err := t.tell(ctx, gateway); ctx.Err() == nil {
				t.log.Debug("gateway hears no more of open invites", "node", identity.Short(gateway), "err", err)
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
func (t *Teller) tell(ctx context.Context, gateway peer.ID) error {
	changed, stop := t.invites.Watch()
	defer stop()
	s, err := t.openMine(ctx, gateway)
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

	clock := time.NewTicker(lookAgain)
	defer clock.Stop()
	var told map[wire.MemberID][32]byte
	for {
		mine, err := t.invites.RIDs(ctx, t.invites.Now(), maxMine, told)
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

func (t *Teller) openMine(ctx context.Context, gateway peer.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, mineTime)
	defer cancel()
	return t.gateways.Open(ctx, peer.AddrInfo{ID: gateway}, MineProtocol)
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
