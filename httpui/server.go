// Package httpui serves the two pages and everything that they ask for: the
// practitioner's JSON API, and the WebSockets that carry guests, practitioners
// and the diary. It knows HTTP and browsers; who sits there, and what a
// practice or a call is, it asks the node through Backend.
//
// Every request goes the same way: guard.go decides whether it may be heard,
// routes.go lists who answers it, errors.go says no, and headers.go sets what
// all answers have in common.
package httpui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Config is what a Server is made of.
type Config struct {
	// Listeners are for plain HTTP, each bound to a loopback address: see
	// Listen. They serve everything.
	Listeners []net.Listener
	// Public are TLS listeners (tls.NewListener); they serve PublicURL alone. It
	// is for the caller to see that nothing comes out of them unencrypted: what
	// tells HTTPS from something else on one port may hide that it is TLS. HTTP/2
	// is spoken on connections that are a *tls.Conn.
	Public []net.Listener
	// Proxied are for plain HTTP from TLS proxies at TrustedProxies, on loopback
	// or private addresses; they serve PublicURL alone. Whoever else connects is
	// hung up on. The proxies must say whom they ask for, and over what
	// (forwarded.go).
	Proxied        []net.Listener
	TrustedProxies []netip.Prefix
	// Redirect are for plain HTTP, on port 80: they send guests to PublicURL.
	Redirect []net.Listener
	// Challenge returns what the path of an ACME challenge is answered with on
	// Redirect; nil: there are none.
	Challenge func(path string) (answer string, ok bool)

	// PublicURL is an https origin that guests come to; empty if there is none.
	// Its host is answered on Listeners too, for a TLS proxy on this computer,
	// which must pass no other Host. Only guest routes are served for it.
	PublicURL string

	// InstallID is 1 to 32 lower-case letters and digits, the same for the life
	// of a data directory. It keeps two installations' cookies apart.
	InstallID string
	Version   string

	// Connections and Sockets bound what is open at once; zero means
	// DefaultConnections and DefaultSockets.
	Connections, Sockets Cap

	Log   *slog.Logger     // nil: nothing is logged
	Clock func() time.Time // nil: time.Now
}

// A Server serves the pages of one node.
type Server struct {
	backend Backend
	log     *slog.Logger
	now     func() time.Time
	version string

	listeners []*listener
	url       string
	http      *http.Server
	redirect  *redirect

	routes  []*route
	assets  *assets
	sockets *sockets
	conns   *connections

	strangers *tally // what they cause
}

// listener is a listener and whom it answers for.
type listener struct {
	net.Listener
	sites   sites
	proxies proxies // whom X-Forwarded headers are believed; nil: nobody
}

// New returns a Server that owns the listeners of cfg. Nothing is accepted
// before Run.
func New(cfg Config, backend Backend) (*Server, error) {
	static, err := fs.Sub(embedded, "static")
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	return newServer(cfg, backend, static)
}

func newServer(cfg Config, backend Backend, static fs.FS) (*Server, error) {
	if id := cfg.InstallID; id == "" || len(id) > 32 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return nil, errors.New("serve pages: the installation's id must be 1 to 32 lower-case letters and digits")
	}
	assets, err := newAssets(static)
	if err != nil {
		return nil, err
	}
	s := &Server{
		backend: backend,
		log:     cfg.Log,
		now:     cfg.Clock,
		version: cfg.Version,
		assets:  assets,
		sockets: newSockets(cfg.Sockets),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.strangers = newTally(s.log, s.now)
	if err := s.listen(cfg); err != nil {
		return nil, err
	}
	s.routes = s.newRoutes()
	if s.redirect, err = newRedirect(cfg, s.routes); err != nil {
		return nil, err
	}

	s.conns = newConnections(cfg.Connections)
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: readHeaderTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ConnState:         s.conns.watch,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		BaseContext: func(l net.Listener) context.Context {
			return context.WithValue(context.Background(), listenerKey{}, l)
		},
		DisableGeneralOptionsHandler: true,
		// What net/http has to say (a failed TLS handshake, a panic) quotes the
		// addresses of people. Panics are logged by ServeHTTP.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	s.http.RegisterOnShutdown(s.conns.closeSilent)
	return s, nil
}

// listen checks cfg's listeners and works out whom each of them answers for.
func (s *Server) listen(cfg Config) error {
	if len(cfg.Listeners)+len(cfg.Public)+len(cfg.Proxied) == 0 {
		return errors.New("serve pages: no listener")
	}
	var ports []uint16
	for _, l := range cfg.Listeners {
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok || !addr.IP.IsLoopback() {
			return fmt.Errorf("serve pages: %v is not a loopback address, and plain HTTP is for this computer only; use localhost", l.Addr())
		}
		ports = append(ports, addr.AddrPort().Port())
	}
	local, public := localSites(ports, cfg.InstallID), sites{}
	if cfg.PublicURL != "" {
		site, err := publicSite(cfg.PublicURL)
		if err != nil {
			return err
		}
		local[site.host], public[site.host] = site, site
		s.url = site.origin
	} else if len(cfg.Public)+len(cfg.Proxied)+len(cfg.Redirect) > 0 {
		return errors.New("serve pages: public listeners need a public URL")
	}
	if len(ports) > 0 {
		s.url = fmt.Sprintf("http://localhost:%d", ports[0])
	}
	for _, l := range cfg.Listeners {
		s.listeners = append(s.listeners, &listener{l, local, nil})
	}
	for _, l := range cfg.Public {
		s.listeners = append(s.listeners, &listener{l, public, nil})
	}
	for _, l := range cfg.Proxied {
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok || !addr.IP.IsLoopback() && !addr.IP.IsPrivate() {
			return fmt.Errorf("serve pages: %v is neither a loopback nor a private address, and what a proxy sends here is not encrypted; use 127.0.0.1", l.Addr())
		}
		if len(cfg.TrustedProxies) == 0 {
			return errors.New("serve pages: a listener for proxies needs to know their addresses")
		}
		l = &proxyListener{Listener: l, proxies: cfg.TrustedProxies, strangers: s.strangers}
		s.listeners = append(s.listeners, &listener{l, public, cfg.TrustedProxies})
	}
	return nil
}

// URL returns the origin of the practitioner's page, such as
// http://localhost:7443; the public one if there is no other.
func (s *Server) URL() string { return s.url }

// LaunchURL returns an address that signs practitioner in, once, within ten
// minutes; with an empty id, one that may set this node up. It is as good as a
// password until then: show it only to whoever started the program.
func (s *Server) LaunchURL(practitioner string) string {
	return s.url + "/#launch=" + s.backend.Accounts.Launch(practitioner)
}

// Limits says how full the Server is.
func (s *Server) Limits() []Fill {
	return append(s.sockets.fill("http.limits.sockets"), s.conns.fill("http.limits.connections")...)
}

// Run serves until ctx ends, then says going-away on every socket and returns
// once all is still, after at most five seconds. It returns nil if ctx was the
// reason. Run is called once.
func (s *Server) Run(ctx context.Context) error {
	serving, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	var wg sync.WaitGroup
	for _, l := range s.listeners {
		wg.Go(func() { stop(s.http.Serve(l)) }) // ends with Shutdown
	}
	for _, l := range s.redirect.listeners {
		wg.Go(func() { stop(s.redirect.http.Serve(l)) }) // ends with Close
	}
	wg.Go(func() {
		s.backend.Accounts.Watch(serving, func(err error) {
			s.strangers.add(event{slog.LevelError, "sessions not checked", ""}, slog.Any("err", err))
		})
	})
	wg.Go(func() { s.strangers.watch(serving) })
	s.log.Info("pages served", "version", s.version, "n", len(s.listeners))

	<-serving.Done()
	err := s.shutdown()
	wg.Wait()
	if ctx.Err() == nil {
		err = errors.Join(context.Cause(serving), err)
	}
	if err != nil {
		return fmt.Errorf("serve pages: %w", err)
	}
	return nil
}

// shutdown ends everything that listeners brought in, within drainTime.
func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	s.redirect.http.Close() // nothing there takes time
	s.sockets.closeAll()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close() // who still asks after five seconds is cut off
	}
	return s.sockets.wait(ctx)
}
