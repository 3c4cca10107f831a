package passthrough

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/node/admit"
)

const (
	// helloTime is how long a client may take to say whom it wants.
	helloTime = 5 * time.Second

	// openTime is how long it may take in all to find a hidden node that
	// answers, and answerTime how long one stream waits for that: discovery knows
	// by then that the connection is dead. Another is tried retryPause later.
	openTime   = 10 * time.Second
	answerTime = 4 * time.Second
	retryPause = 500 * time.Millisecond

	// DefaultSilent bounds the connections of which it is not known yet whom they
	// want, DefaultSilentOf those of one /24 or /56. For one more, one that has
	// been silent for long is hung up on.
	DefaultSilent, DefaultSilentOf = 512, 32

	// What one hidden node gets in a second, whatever names it has, and what of
	// that one /24 or /56 may have. Of the handshakes at once, half may come at
	// once: so those that are under way have time.
	connsPerSec   = 20
	connsPerSecOf = 5
)

// Limits bound what one hidden node gets, whatever names it has.
type Limits struct {
	// Passed is how many connections may go on with it at once, and PassedOf how
	// many of one /24 or /56. A browser needs one for the page and one for its
	// WebSocket.
	Passed, PassedOf int

	// Handshakes is how many connections may go to it of which it is not known
	// yet whether they go on. For one more, one of them is hung up on.
	Handshakes, HandshakesOf int
}

// DefaultLimits are fewer connections than a node takes from one of its relays.
var DefaultLimits = Limits{Passed: 56, PassedOf: 20, Handshakes: 24, HandshakesOf: 6}

// MaxConns is how many connections may go to one hidden node: it takes little
// more from one of its relays, discovery.Handle says.
const MaxConns = 80

// A Front passes connections on by name. Its zero value is not usable.
type Front struct {
	opener Opener
	log    *slog.Logger
	routes map[string]*hidden // by server name, in lower case
	silent *admit.Backlog     // whose wish is not known yet, or whose turn has not come
	own    []*ownListener
}

// A hidden node is one that has the certificates of one name or more.
type hidden struct {
	id         peer.ID
	turns      *admit.Queue // of new ones
	handshakes *admit.Backlog
	passed     *admit.Quota
}

// NewFront returns a Front that passes the connections for each name in routes
// on to its node, and nothing else to anybody. Those who have not said yet which
// name they want, or have to wait for their turn, are in silent.
func NewFront(opener Opener, routes map[string]peer.ID, silent *admit.Backlog, limits Limits, log *slog.Logger) *Front {
	f := &Front{opener: opener, log: log, routes: make(map[string]*hidden), silent: silent}
	nodes := make(map[peer.ID]*hidden)
	for name, to := range routes {
		if nodes[to] == nil {
			nodes[to] = &hidden{
				id:         to,
				turns:      admit.NewQueue(connsPerSec, limits.Handshakes/2, connsPerSecOf, limits.HandshakesOf),
				handshakes: admit.NewBacklog(limits.Handshakes, limits.HandshakesOf),
				passed:     admit.NewQuota(limits.Passed, limits.PassedOf),
			}
		}
		f.routes[strings.ToLower(name)] = nodes[to]
	}
	return f
}

// Listen returns a listener for those who come to l and whom no route is for: the
// node's own. Closing it closes l and ends the connections from there that are
// being passed on. It is for before Run.
func (f *Front) Listen(l net.Listener) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	own := &ownListener{Listener: l, conns: make(chan net.Conn), ctx: ctx, end: cancel}
	f.own = append(f.own, own)
	return own
}

// Run passes connections on until every listener is closed. When ctx ends, it
// closes them.
func (f *Front) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, own := range f.own {
		running.Go(func() { f.serve(ctx, own) }) // ends when own is closed, or with ctx
	}
	running.Wait()
}

// serve takes what comes to one listener.
func (f *Front) serve(ctx context.Context, own *ownListener) {
	var running sync.WaitGroup
	defer running.Wait()
	defer own.end()
	defer context.AfterFunc(ctx, func() { own.Close() })()
	own.fail(admit.Accept(own.Listener, func(conn net.Conn) {
		ctx, cancel := context.WithCancel(own.ctx)
		heard := f.silent.Enter(admit.Addr(conn.RemoteAddr()), cancel)
		running.Go(func() { // ends with conn, or with own
			defer cancel()
			f.route(ctx, conn, own, heard)
		})
	}))
}

// route passes conn on, or gives it to own. It calls heard once it is known
// which, and conn has its turn.
func (f *Front) route(ctx context.Context, conn net.Conn, own *ownListener, heard func()) {
	defer heard()
	conn.SetDeadline(time.Now().Add(helloTime))
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	name, whole, err := peek(conn)
	if err != nil {
		stop()
		conn.Close()
		return
	}
	conn.SetDeadline(time.Time{})
	to, ok := f.routes[strings.ToLower(name)]
	if !ok {
		heard()
		if !stop() || !own.give(whole) {
			conn.Close()
		}
		return
	}
	defer stop()
	defer conn.Close()
	if err := to.wait(ctx, conn.RemoteAddr()); err != nil {
		return
	}
	heard()
	if err := f.pass(ctx, whole.(*rewound), to); err != nil && ctx.Err() == nil {
		f.log.Debug("connection not passed on", "err", err)
	}
}

// wait waits for the turn of one more connection, no longer than somebody would
// wait for a page.
func (h *hidden) wait(ctx context.Context, client net.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	return h.turns.Wait(ctx, admit.Addr(client))
}

// pass carries conn to a hidden node and back until both directions are done,
// or until it has to give way because the handshake does not go on.
func (f *Front) pass(ctx context.Context, conn *rewound, to *hidden) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	who := admit.Addr(conn.RemoteAddr())
	leave := to.handshakes.Enter(who, cancel)
	defer leave()
	s, err := f.call(ctx, to.id, conn.RemoteAddr())
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	settled := false
	err = splice(conn, s, func() {
		if settled {
			return
		}
		if settled, _ = to.passed.Enter(who); settled { // or it stays until somebody comes
			leave()
		}
	})
	if settled {
		to.passed.Leave(who)
	}
	return err
}

// call opens a stream to a hidden node that answers. A node that has moved may
// be thought to be connected where it was: it does not answer there, and is
// called again. One that cannot be called at all is not there.
func (f *Front) call(ctx context.Context, to peer.ID, client net.Addr) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	for called := false; ; {
		s, err := f.opener.Open(ctx, peer.AddrInfo{ID: to}, Protocol)
		if err == nil {
			called = true
			stop := context.AfterFunc(ctx, func() { s.Reset() })
			if err = greet(s, client); err == nil && stop() {
				return s, nil
			}
			s.Reset()
		}
		if !called {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(retryPause):
		}
	}
}

// greet does what the hidden node asks for before the first byte of TLS.
func greet(s network.Stream, client net.Addr) error {
	s.SetDeadline(time.Now().Add(answerTime))
	defer s.SetDeadline(time.Time{})
	var wish [1]byte
	if _, err := io.ReadFull(s, wish[:]); err != nil {
		return fmt.Errorf("hear from the hidden node: %w", err)
	}
	if wish[0] != wantsAddress {
		return nil
	}
	_, err := s.Write(encodeAddress(client))
	return err
}

func encodeAddress(a net.Addr) []byte {
	at, _ := netip.ParseAddrPort(a.String()) // what is no address is all zeros
	ip := at.Addr().As16()
	return append(ip[:], byte(at.Port()>>8), byte(at.Port()))
}

func decodeAddress(b [addressSize]byte) *net.TCPAddr {
	ip := netip.AddrFrom16([16]byte(b[:16])).Unmap()
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(b[16])<<8|uint16(b[17])))
}

// Handshakes returns how many connections there are whose handshake is under
// way, and how many of the network that has most; at the hidden node that has
// most of both.
func (f *Front) Handshakes() (all, most int) {
	for _, h := range f.routes {
		a, m := h.handshakes.Size()
		all, most = max(all, a), max(most, m)
	}
	return all, most
}

// Passed returns the same of those that go on.
func (f *Front) Passed() (all, most int) {
	for _, h := range f.routes {
		all, most = max(all, h.passed.Size()), max(most, h.passed.Most())
	}
	return all, most
}

// An ownListener accepts what is for the node itself.
type ownListener struct {
	net.Listener
	conns chan net.Conn
	ctx   context.Context // ends with the listener
	end   context.CancelFunc

	mu  sync.Mutex
	err error
}

// give hands conn to whoever accepts, and reports whether anybody did.
func (l *ownListener) give(conn net.Conn) bool {
	select {
	case l.conns <- conn:
		return true
	case <-l.ctx.Done():
		return false
	}
}

func (l *ownListener) fail(err error) {
	l.mu.Lock()
	l.err = err
	l.mu.Unlock()
}

// Accept implements net.Listener.
func (l *ownListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.err != nil {
			return nil, l.err
		}
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *ownListener) Close() error {
	defer l.end()
	return l.Listener.Close()
}
