package doctor

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"anteroom/discovery"
)

const (
	asksPerMinute = 6

	// probeTime bounds one probe: long enough for two lost packets.
	probeTime = 3 * time.Second
)

// A Witness looks at its peers from outside when they ask it to. It connects
// to the address from which it sees the peer that asks and to nothing else, so
// nobody can scan others through it, and only for nodes that its operator
// named, a few times a minute.
type Witness struct {
	prober
	discovery *discovery.Discovery
	clock     func() time.Time

	mu    sync.Mutex
	asked map[peer.ID]*rate.Limiter // of nodes that are named, so it stays small
}

// NewWitness returns a Witness for the peers of d. Its Serve handles Protocol.
func NewWitness(d *discovery.Discovery) *Witness {
	return &Witness{
		prober: prober{dial: new(net.Dialer).DialContext}, discovery: d, clock: time.Now, asked: make(map[peer.ID]*rate.Limiter),
	}
}

// Serve answers one question.
func (w *Witness) Serve(ctx context.Context, s network.Stream) {
	from := s.Conn().RemotePeer()
	if !w.discovery.Trusts(from) {
		s.Reset()
		return
	}
	s.SetDeadline(time.Now().Add(askTime))
	b, err := io.ReadAll(io.LimitReader(s, maxRequest+1))
	if err != nil {
		s.Reset()
		return
	}
	probes, err := decodeRequest(b)
	if err != nil {
		s.Reset()
		return
	}
	if _, err := s.Write(encodeAnswer(w.answer(ctx, from, s.Conn(), probes))); err != nil {
		s.Reset()
		return
	}
	s.Close()
}

func (w *Witness) answer(ctx context.Context, from peer.ID, c network.Conn, probes []Probe) Answer {
	var a Answer
	var err error
	a.Address, err = w.discovery.ObservedAddr(c)
	switch {
	case errors.Is(err, discovery.ErrRelayed):
		a.Outcome = Relayed
	case err != nil:
		a.Outcome = Private
	case !w.mayAsk(from):
		a.Outcome = TooOften
	default:
		a.Results = w.look(ctx, a.Address, probes, from)
	}
	a.Time = w.clock() // last: probes take seconds
	return a
}

func (w *Witness) mayAsk(p peer.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	bucket, ok := w.asked[p]
	if !ok {
		bucket = rate.NewLimiter(rate.Every(time.Minute/asksPerMinute), asksPerMinute)
		w.asked[p] = bucket
	}
	return bucket.Allow()
}

// look makes all probes at once, of ports at one address, which is that of node.
func (w *Witness) look(ctx context.Context, at netip.Addr, probes []Probe, node peer.ID) []Result {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	results := make([]Result, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() { results[i] = resultOf(w.probe(ctx, at, p, node)) }) // ends with ctx at the latest
	}
	wg.Wait()
	return results
}
