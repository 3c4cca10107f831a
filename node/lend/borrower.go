// Package lend has relays that one node lends to another. A Lender gives
// credentials for its own to nodes that it is told of, a Borrower asks those who
// may lend, and Relays are what the seats of a node's calls get of both.
package lend

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"golang.org/x/sync/errgroup"

	"anteroom/discovery/identity"
	"anteroom/rendezvous/wire"
)

// Protocol asks a node for credentials for its relay. PROTOCOL.md, "Relays".
const Protocol = "/anteroom/relay/1"

const (
	// nameSize is the length of what a relay knows a call or a seat by, bytes.
	nameSize = 16

	// lendTime is how long a welcome waits for a lender. One that is not
	// connected and did not lend when it was last tried, every tryEvery, is not
	// waited for.
	lendTime = time.Second
	tryEvery = 5 * time.Second
	firstTry = 250 * time.Millisecond

	// tellAtOnce is how many of those who wait for a relay ask for credentials at
	// the same time: a relay comes back to all guests of a node at once.
	tellAtOnce = 8

	// trialTime is how long credentials are good for that nobody is to have.
	trialTime = time.Minute
	nobodys   = "nobody's"

	// outlastTime is how long credentials outlast the window, or the moment in
	// which they are given if that is later: no call that runs on loses its relay.
	// Who may be in the call is the room's to decide.
	outlastTime = 4 * time.Hour

	// longestLoan bounds how far ahead a lender gives credentials: a day is
	// longer than any appointment with its window.
	longestLoan = 24 * time.Hour

	// maxLoan is more than a list of wire.MaxICEServers relays takes.
	maxLoan = 8 << 10
)

// A Relay gives credentials to the seats of calls. What it knows a call and a seat by
// tells nobody anything.
type Relay interface {
	// Grant gives a seat of a call credentials until a time. A seat that asks again
	// has no more room than it had.
	Grant(call, seat string, until time.Time) []wire.ICEServer
	// RevokeSeat and RevokeCall take back at once what was granted before.
	RevokeSeat(seat string)
	RevokeCall(call string)
}

// An Opener reaches lenders: a *discovery.Discovery.
type Opener interface {
	Open(ctx context.Context, to peer.AddrInfo, proto protocol.ID) (network.Stream, error)
	Connected(peer.ID) bool
}

// A Borrower asks lenders for credentials, and remembers how each answered last.
type Borrower struct {
	opener  Opener
	lenders []peer.ID
	changed func() // a lender begins or ends to lend
	log     *slog.Logger

	mu      sync.Mutex
	lent    map[peer.ID]bool
	waiting map[*waiter]bool
}

// A waiter has been told of no relay.
type waiter struct {
	tell func(context.Context) (told bool)
}

// NewBorrower returns a Borrower from lenders, who calls changed when one of them
// begins to lend, or ends.
func NewBorrower(opener Opener, lenders []peer.ID, changed func(), log *slog.Logger) *Borrower {
	return &Borrower{
		opener: opener, lenders: lenders, changed: changed, log: log,
		lent: make(map[peer.ID]bool), waiting: make(map[*waiter]bool),
	}
}

// Count returns how many of the lenders lent when last asked, and how many there are.
func (b *Borrower) Count() (lending, all int) { return len(b.willing()), len(b.lenders) }

// Likely returns those who are expected to lend now: a lender that has
// just started again is back before it is next tried, and its guests with it.
func (b *Borrower) Likely() []peer.ID {
	willing := b.willing()
	return slices.DeleteFunc(slices.Clone(b.lenders), func(id peer.ID) bool {
		return !slices.Contains(willing, id) && !b.opener.Connected(id)
	})
}

// borrow asks lenders at once and returns what those gave that answered in time.
// A lender who has no answer because the asker has gone is not to blame.
func (b *Borrower) borrow(ctx context.Context, lenders []peer.ID, call, seat relayName, until time.Time) (servers []wire.ICEServer) {
	asking, cancel := context.WithTimeout(ctx, lendTime)
	defer cancel()
	loans := make(chan []wire.ICEServer, len(lenders)) // all fit: nobody waits for a reader
	for _, id := range lenders {
		go func() { // ends with asking
			loan, err := b.ask(asking, id, call, seat, until)
			if ctx.Err() == nil && b.answered(id, err == nil) {
				if err == nil {
					b.log.Info("relay lent", "node", identity.Short(id))
				} else {
					b.log.Warn("relay not lent", "node", identity.Short(id), "err", err)
				}
				b.changed()
			}
			loans <- loan
		}()
	}
	for range lenders {
		servers = append(servers, <-loans...)
	}
	return servers
}

func (b *Borrower) ask(ctx context.Context, id peer.ID, call, seat relayName, until time.Time) ([]wire.ICEServer, error) {
	s, err := b.opener.Open(ctx, peer.AddrInfo{ID: id}, Protocol)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	if _, err := s.Write(binary.BigEndian.AppendUint64(append(call[:], seat[:]...), uint64(until.Unix()))); err != nil {
		return nil, fmt.Errorf("ask for credentials: %w", err)
	}
	if err := s.CloseWrite(); err != nil {
		return nil, fmt.Errorf("ask for credentials: %w", err)
	}
	var loan []wire.ICEServer
	if err := json.NewDecoder(io.LimitReader(s, maxLoan)).Decode(&loan); err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	if len(loan) == 0 {
		return nil, errors.New("the lender has no relay")
	}
	for _, server := range loan {
		if !server.Valid() || slices.ContainsFunc(server.URLs, notRelayURL) {
			return nil, fmt.Errorf("read credentials: %w", wire.ErrBadMessage)
		}
	}
	return loan, nil
}

// notRelayURL reports whether url is none of RFC 7064 and RFC 7065.
func notRelayURL(url string) bool {
	scheme, _, _ := strings.Cut(url, ":")
	return scheme != "turn" && scheme != "turns" && scheme != "stun"
}

// willing returns those who lent when last asked.
func (b *Borrower) willing() (ids []peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range b.lenders {
		if b.lent[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// answered notes whether id lent, and reports whether that is news.
func (b *Borrower) answered(id peer.ID, lent bool) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, asked := b.lent[id]
	b.lent[id] = lent
	return !asked || before != lent
}

// Await has tell called, in rounds, for as long as somebody lends, until it
// reports that whoever waits has been told. stop calls it off.
func (b *Borrower) Await(tell func(context.Context) (told bool)) (stop func()) {
	w := &waiter{tell}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting[w] = true
	return func() { b.forget(w) }
}

func (b *Borrower) forget(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiting, w)
}

// tellWaiters returns when everybody has been told, or could not be.
func (b *Borrower) tellWaiters(ctx context.Context) {
	if !b.lending() {
		return
	}
	b.mu.Lock()
	waiting := slices.Collect(maps.Keys(b.waiting))
	b.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(tellAtOnce)
	for _, w := range waiting {
		g.Go(func() error { // ends with ctx
			if w.tell(ctx) {
				b.forget(w)
			}
			return nil
		})
	}
	g.Wait()
}

// lending reports whether anybody lent when last asked.
func (b *Borrower) lending() bool { return len(b.willing()) > 0 }
