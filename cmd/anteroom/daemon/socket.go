package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"anteroom/cmd/anteroom/control"
	"anteroom/discovery"
	"anteroom/discovery/contacts"
	"anteroom/node/desk"
	"anteroom/node/desk/api"
)

// A socket is the daemon's end of the socket.
type socket struct {
	listener net.Listener
	server   http.Server
}

// newSocket binds the socket. The caller holds the data directory's lock, so
// a socket that is there already was left behind.
func newSocket(path string, d *Daemon) (*socket, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open control socket: %w", err), l.Close())
	}
	c := &socket{listener: l}
	c.server = http.Server{
		Handler:           controlRoutes(d),
		ReadHeaderTimeout: control.Timeout,
		ReadTimeout:       control.Timeout,
		WriteTimeout:      2 * control.Timeout,
		IdleTimeout:       control.Timeout,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
	}
	return c, nil
}

// run serves until ctx ends.
func (c *socket) run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- c.server.Serve(c.listener) }() // ends with Shutdown or Close
	select {
	case err := <-served:
		return fmt.Errorf("serve control socket: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if c.server.Shutdown(drain) != nil {
		c.server.Close()
	}
	<-served
	return nil
}

func (c *socket) close() error { return c.listener.Close() }

// controlRoutes returns what the daemon does for its owner.
func controlRoutes(d *Daemon) http.Handler {
	mux := http.NewServeMux()
	control.Route(mux, "status", func(ctx context.Context, _ control.Nothing) (control.Status, error) { return d.status(ctx) })
	control.Route(mux, "launch", func(ctx context.Context, q control.LaunchRequest) (control.Launch, error) {
		url, err := d.LaunchURL(ctx, q.Practitioner)
		return control.Launch{URL: url}, err
	})
	operator := d.desk.As(desk.Operator)
	control.Route(mux, "doctor", func(ctx context.Context, _ control.Nothing) (control.Report, error) {
		report, err := operator.Look(ctx)
		return control.NewReport(report), err
	})
	control.Route(mux, "appointment/list", func(ctx context.Context, q control.ListRequest) ([]api.Appointment, error) {
		return operator.List(ctx, q.All)
	})
	control.Route(mux, "appointment/show", func(ctx context.Context, q control.IdRequest) (api.Appointment, error) {
		return operator.Show(ctx, q.ID)
	})
	control.Route(mux, "appointment/create", operator.CreateAppointment)
	control.Route(mux, "appointment/cancel", func(ctx context.Context, q control.IdRequest) (control.Nothing, error) {
		return control.Nothing{}, operator.Cancel(ctx, q.ID)
	})
	control.Route(mux, "link/rotate", func(ctx context.Context, q control.MemberRequest) (api.Link, error) {
		return operator.Rotate(ctx, q.Member)
	})
	control.Route(mux, "link/revoke", func(ctx context.Context, q control.MemberRequest) (control.Nothing, error) {
		return control.Nothing{}, operator.Revoke(ctx, q.Member)
	})
	control.Route(mux, "peer/card", func(ctx context.Context, q control.CardRequest) (control.Card, error) {
		if q.Name != "" {
			card, err := d.discovery.Card(q.Name)
			return control.Card{Card: card}, err
		}
		card, err := operator.Card(ctx)
		return control.Card{Card: card}, err
	})
	control.Route(mux, "peer/add", func(_ context.Context, q control.AddRequest) (control.Peer, error) {
		return addPeer(d.discovery, q.Card)
	})
	control.Route(mux, "peer/list", func(context.Context, control.Nothing) ([]control.Peer, error) { return listPeers(d.discovery), nil })
	return mux
}

func addPeer(d *discovery.Discovery, text string) (control.Peer, error) {
	info, err := contacts.ParsePeer(text)
	if err != nil {
		return control.Peer{}, err
	}
	if err := d.AddPeer(info); err != nil {
		return control.Peer{}, err
	}
	for _, p := range listPeers(d) {
		if p.PeerID == info.ID.String() {
			return p, nil
		}
	}
	return control.Peer{}, errors.New("the peer was added, and removed at the same time")
}

func listPeers(d *discovery.Discovery) []control.Peer {
	list := []control.Peer{}
	for _, p := range d.ListPeers() {
		r := control.Peer{PeerID: p.ID.String(), Name: p.Name, Addresses: []string{}, Source: "config", Connected: p.Connected}
		for _, a := range p.Addrs {
			r.Addresses = append(r.Addresses, a.String())
		}
		switch {
		case p.Added:
			r.Source = "added"
		case p.Bootstrap:
			r.Source = "bootstrap"
		}
		list = append(list, r)
	}
	return list
}
