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
	"golang.org/x/time/rate"

	"anteroom/node/crowd"
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

	// idleTime ends a connection that carries nothing: a page's WebSocket is
	// pinged every 15 s.
	idleTime = 2 * time.Minute

	// DefaultSilent bounds the connections of which it is not known yet whom they
	// want, DefaultSilentOf those of one /24 or /56. For one more, one that has
	// been silent for long is hung up on.
	DefaultSilent, DefaultSilentOf = 512, 32

	// What one hidden node gets, whatever names it has: connections at once, and
	// new ones a second.
	maxConns     = 80 // fewer than it takes from one of its relays
	connsPerSec  = 20
	connsAtStart = 60

	// What of that is for one /24 or /56. A browser needs one for the page and
	// one for its WebSocket.
	maxConnsOf    = 20
	connsPerSecOf = 5
)

// A Front passes connections on by name. Its zero value is not usable.
type Front struct {
	opener Opener
	log    *slog.Logger
	routes map[string]*hidden // by server name, in lower case
	silent *crowd.Lobby       // whose wish is not known yet
}

// A hidden node is one that has the certificates of one name or more.
type hidden struct {
	id    peer.ID
	conns *crowd.Crowd
	pace  *crowd.Pace   // of new ones, of each network
	rate  *rate.Limiter // and in all
}

// NewFront returns a Front that passes the connections for each name in routes
// on to its node, and nothing else to anybody. Those who have not said yet which
// name they want are in silent.
func NewFront(opener Opener, routes map[string]peer.ID, silent *crowd.Lobby, log *slog.Logger) *Front {
	f := &Front{opener: opener, log: log, routes: make(map[string]*hidden), silent: silent}
	nodes := make(map[peer.ID]*hidden)
	for name, to := range routes {
		if nodes[to] == nil {
			nodes[to] = &hidden{
				id:    to,
				conns: crowd.New(maxConns, maxConnsOf),
				pace:  crowd.NewPace(connsPerSecOf, maxConnsOf),
				rate:  rate.NewLimiter(connsPerSec, connsAtStart),
			}
		}
		f.routes[strings.ToLower(name)] = nodes[to]
	}
	return f
}

// Listen takes connections from l until l is closed, and returns a listener
// for those that no route is for: the node's own. Closing it closes l and
// waits for the connections that are being passed on, which it ends.
func (f *Front) Listen(l net.Listener) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	own := &ownListener{Listener: l, conns: make(chan net.Conn), done: ctx.Done(), end: cancel}
	own.running.Go(func() { // ends when l is closed
		defer cancel()
		for {
			conn, err := l.Accept()
			switch {
			case err == nil:
			case temporary(err):
				time.Sleep(pause)
				continue
			default:
				own.fail(err)
				return
			}
			heard := f.silent.Enter(crowd.Addr(conn.RemoteAddr()), func() { conn.Close() })
			own.running.Go(func() { // ends with conn, or with ctx
				f.route(ctx, conn, own, heard)
			})
		}
	})
	return own
}

// pause is how long to wait after a temporary error.
const pause = 20 * time.Millisecond

// temporary reports whether Accept may work again, such as after too many
// open files.
func temporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// route passes conn on, or gives it to own. It calls heard once it is known
// which.
func (f *Front) route(ctx context.Context, conn net.Conn, own *ownListener, heard func()) {
	conn.SetDeadline(time.Now().Add(helloTime))
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	name, whole, err := peek(conn)
	heard()
	if err != nil {
		stop()
		conn.Close()
		return
	}
	conn.SetDeadline(time.Time{})
	to, ok := f.routes[strings.ToLower(name)]
	if !ok {
		if !stop() || !own.give(whole) {
			conn.Close()
		}
		return
	}
	defer stop()
	defer conn.Close()
	if err := f.pass(ctx, whole.(*rewound), to); err != nil && ctx.Err() == nil {
		f.log.Debug("connection not passed on", "err", err)
	}
}

var errBusy = errors.New("too many connections for this practice")

// pass carries conn to a hidden node and back until both directions are done.
func (f *Front) pass(ctx context.Context, conn *rewound, to *hidden) error {
	who := crowd.Addr(conn.RemoteAddr())
	if ok, _ := to.conns.Enter(who); !ok {
		return errBusy
	}
	defer to.conns.Leave(who)
	if !to.pace.Take(who) || !to.rate.Allow() { // in this order: one network's haste costs others nothing
		return errBusy
	}
	s, err := f.call(ctx, to.id, conn.RemoteAddr())
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	return splice(conn, s)
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

// splice carries bytes both ways until both are done, one fails, or nothing
// has moved for idleTime.
func splice(conn *rewound, s network.Stream) error {
	alive := func() {
		deadline := time.Now().Add(idleTime)
		conn.SetDeadline(deadline)
		s.SetDeadline(deadline)
	}
	up := make(chan error, 1)
	go func() { // ends with s or conn
		err := pump(s, conn, alive)
		if err == nil {
			err = s.CloseWrite()
		}
		if err != nil {
			s.Reset()
			conn.Close()
		}
		up <- err
	}()
	err := pump(conn, s, alive)
	if err == nil {
		err = conn.CloseWrite()
	}
	if err != nil {
		s.Reset()
		conn.Close()
	}
	err = errors.Join(err, <-up)
	s.Close()
	return err
}

// pump copies from src to dst until src ends, and calls alive before each read.
func pump(dst io.Writer, src io.Reader, alive func()) error {
	buf := make([]byte, 16<<10)
	for {
		alive()
		n, err := src.Read(buf)
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// An ownListener accepts what is for the node itself.
type ownListener struct {
	net.Listener
	conns chan net.Conn
	done  <-chan struct{}
	end   context.CancelFunc

	running sync.WaitGroup // what accepts from Listener, and what that has accepted

	mu  sync.Mutex
	err error
}

// give hands conn to whoever accepts, and reports whether anybody did.
func (l *ownListener) give(conn net.Conn) bool {
	select {
	case l.conns <- conn:
		return true
	case <-l.done:
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
	case <-l.done:
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
	err := l.Listener.Close()
	l.end()
	l.running.Wait()
	return err
}
