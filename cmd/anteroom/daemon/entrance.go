package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/cmd/anteroom/config"
	"anteroom/discovery"
	"anteroom/httpui/certs"
	"anteroom/node/admit"
	"anteroom/node/passthrough"
	"anteroom/node/quiet"
	"anteroom/node/relay"
)

// entrance is how patients come in. The zero value is that of a node to which
// none can.
type entrance struct {
	certs    *certs.Manager // nil if there is no certificate here
	tls      []net.Listener
	turn     []net.Listener // of the same ports: what is for the relay
	proxied  []net.Listener
	proxies  []netip.Prefix
	redirect []net.Listener

	// Those who have not said what they want, where names are passed on and
	// where the page and the relay share a port; nil if there is no such place.
	unnamed, unsorted *admit.Backlog

	front     *passthrough.Front // nil if nothing is passed on
	splitters []*relay.Splitter  // one for each port that the page and the relay share
}

// newEntrance binds what plan names, or takes the sockets that were passed, and
// reads the certificate. It contacts nobody.
func newEntrance(ctx context.Context, plan config.Plan, passed sockets, d *discovery.Discovery, log *slog.Logger) (_ entrance, err error) {
	mode := plan.Entrance.Mode
	if mode == config.TLSOff {
		if len(passed) > 0 {
			return entrance{}, errors.New("sockets for patients were passed, but http.tls.mode is off: set it to files, acme or behind_proxy, or remove the socket unit")
		}
		return entrance{}, nil
	}
	var e entrance
	defer func() {
		if err != nil {
			for _, l := range e.listeners() {
				l.Close()
			}
		}
	}()
	public, err := passed.orListen(ctx, SocketHTTPS, "http.public_listen", plan.Entrance.Listen)
	if err != nil {
		return entrance{}, err
	}
	if mode == config.TLSBehindProxy {
		e.proxied = public
		if len(passed[SocketHTTP]) > 0 {
			return entrance{}, fmt.Errorf("socket %q was passed, but the proxy is where plain HTTP comes in: remove it from the unit", SocketHTTP)
		}
		e.proxies = plan.Entrance.Proxies
		return e, nil
	}
	var reached func(context.Context) error // nil: connections come in here
	if len(public) == 0 {
		reached = connectedToFront(plan.Passing.From, d)
	}
	withRelay := plan.HasRelay && plan.Relay.TLS
	if withRelay {
		for i, l := range public {
			public[i] = quiet.Listen(l)
		}
	}
	e.tls = public // not yet, but to be closed
	public = e.pass(plan.Passing, public, d, log)
	e.tls = public
	var plain []string
	if plan.Entrance.Redirect != "" {
		plain = []string{plan.Entrance.Redirect}
	}
	if e.redirect, err = passed.orListen(ctx, SocketHTTP, "http.redirect_listen", plain); err != nil {
		return entrance{}, err
	}
	certificate := plan.Entrance.Certificate
	certificate.HTTP, certificate.Reached, certificate.Log = len(e.redirect) > 0, reached, log
	e.certs, err = certs.New(certificate)
	if err != nil {
		return entrance{}, err
	}
	e.tls = encrypt(public, e.certs.TLSConfig())
	if withRelay {
		e.unsorted = admit.NewBacklog(plan.Relay.Silent.All, plan.Relay.Silent.PerNetwork)
		for i, l := range e.tls {
			s := relay.NewSplitter(l, e.unsorted)
			e.splitters = append(e.splitters, s)
			e.tls[i], e.turn = s.Web(), append(e.turn, s.Turn())
		}
	}
	return e, nil
}

// pass puts into public what passes connections on by name, and adds what
// other nodes pass to this one.
func (e *entrance) pass(plan config.Passing, public []net.Listener, d *discovery.Discovery, log *slog.Logger) []net.Listener {
	if len(plan.To) > 0 {
		e.unnamed = admit.NewBacklog(plan.Silent.All, plan.Silent.PerNetwork)
		e.front = passthrough.NewFront(d, plan.To, e.unnamed, plan.Limits, log)
		for i, l := range public {
			public[i] = e.front.Listen(l)
		}
	}
	if len(plan.From) > 0 {
		back := passthrough.NewBack(plan.From, passthrough.Clients(plan.Addresses))
		d.Handle(passthrough.Protocol, back.Serve)
		public = append(public, back)
	}
	return public
}

var errNoFront = errors.New("no node that passes connections on to this one is connected")

// connectedToFront returns what waits until a node that passes connections on
// to this one is connected, so that they arrive.
func connectedToFront(fronts []peer.ID, d *discovery.Discovery) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(200 * time.Millisecond) // nothing tells
		defer tick.Stop()
		for {
			for _, r := range d.Reachability().Relays {
				if r.Connected && slices.Contains(fronts, r.ID) {
					return nil
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return errNoFront
			}
		}
	}
}

// encrypt returns listeners that speak TLS on those of plain. Whatever shares
// the port with the page is told apart from it behind this.
func encrypt(plain []net.Listener, cfg *tls.Config) []net.Listener {
	encrypted := make([]net.Listener, len(plain))
	for i, l := range plain {
		encrypted[i] = tls.NewListener(l, cfg)
	}
	return encrypted
}

// run brings those who come to whom they want, until the listeners are closed or
// ctx ends.
func (e entrance) run(ctx context.Context) {
	var running sync.WaitGroup
	if e.front != nil {
		running.Go(func() { e.front.Run(ctx) }) // ends with its listeners, or ctx
	}
	for _, s := range e.splitters {
		running.Go(func() { s.Run(ctx) }) // ends with its listener, or ctx
	}
	running.Wait()
}

// challenge answers on the redirect listeners.
func (e entrance) challenge(path string) (string, bool) {
	if e.certs == nil {
		return "", false
	}
	return e.certs.Challenge(path)
}

// listeners returns all of them, for whoever closes them.
func (e entrance) listeners() []net.Listener {
	return append(append(append([]net.Listener{}, e.tls...), e.proxied...), e.redirect...)
}

// listen binds the addresses that key names.
func listen(ctx context.Context, key string, addrs []string) (bound []net.Listener, err error) {
	for _, addr := range addrs {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			for _, l := range bound {
				l.Close()
			}
			return nil, cannotListen(key, addr, err)
		}
		bound = append(bound, l)
	}
	return bound, nil
}

func cannotListen(key, addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: another program uses this port: \"ss -lntup\" shows which; stop it or change %s: %w", addr, key, syscall.EADDRINUSE)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listen on %s: this port is not for every program: let systemd pass it as a socket, "+
			"allow it with setcap cap_net_bind_service=+ep, or change %s: %w", addr, key, syscall.EACCES)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: this computer does not have the address: change %s: %w", addr, key, syscall.EADDRNOTAVAIL)
	}
	return fmt.Errorf("%s: %w", key, err)
}

// Sockets are listeners that the service manager bound for us, by their names.
type sockets map[string][]net.Listener

// The names (FileDescriptorName= in a systemd socket unit).
const (
	SocketHTTPS = "https"
	SocketHTTP  = "http"
)

// PassedSockets returns what systemd passed: it may bind ports that we may not.
// It also takes it out of the environment, which our children get, so a second
// call returns nothing.
func PassedSockets() (_ sockets, err error) {
	passed := sockets{}
	defer func() {
		if err != nil {
			passed.close()
		}
	}()
	for _, f := range activation.Files(true) {
		name := f.Name()
		l, failed := net.FileListener(f)
		f.Close()
		switch {
		case failed != nil:
			err = errors.Join(err, fmt.Errorf("socket %q was passed, but does not listen for TCP: %w", name, failed))
		case name != SocketHTTPS && name != SocketHTTP:
			l.Close()
			err = errors.Join(err, fmt.Errorf("socket %q was passed: write FileDescriptorName=%s or %s into its unit", name, SocketHTTPS, SocketHTTP))
		default:
			passed[name] = append(passed[name], l)
		}
	}
	return passed, err
}

// orListen returns the sockets of a name, or if none were passed, new ones at
// the addresses of key.
func (s sockets) orListen(ctx context.Context, name, key string, addrs []string) ([]net.Listener, error) {
	if passed := s[name]; len(passed) > 0 {
		return passed, nil
	}
	return listen(ctx, key, addrs)
}

func (s sockets) close() {
	for _, ls := range s {
		for _, l := range ls {
			l.Close()
		}
	}
}
