package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"

	"golang.org/x/sync/errgroup"

	"anteroom/discovery"
	"anteroom/httpui"
	"anteroom/node"
	"anteroom/node/practice"
)

// A daemon is one node with its pages and its control socket.
type daemon struct {
	log       *slog.Logger
	practice  *practice.Practice
	discovery *discovery.Discovery
	node      *node.Node
	pages     *pages
	listeners []net.Listener // of ui, which closes them once it runs
	ui        *httpui.Server
	control   *control
}

// newDaemon opens and binds everything that cfg names, and starts nothing. The
// caller ends it with run or close.
func newDaemon(ctx context.Context, cfg Config, log *slog.Logger, echo echoFunc) (_ *daemon, err error) {
	d := &daemon{log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	// First, as it locks the data directory.
	d.practice, err = practice.Open(ctx, practice.Config{Dir: cfg.dataDir(), KeyFile: cfg.Store.KeyFile, Log: log})
	if err != nil {
		return nil, err
	}
	if d.discovery, err = newDiscovery(cfg, log); err != nil {
		return nil, inUse(err, "choose another with discovery.listen")
	}
	d.node = node.New(node.Config{Practice: d.practice, Discovery: d.discovery, Log: log, Echo: echo})
	if d.listeners, err = httpui.Listen(ctx, cfg.HTTP.Listen); err != nil {
		return nil, inUse(err, "start with --listen localhost:0 to take a free one, or set http.listen")
	}
	d.pages = &pages{node: d.node, practice: d.practice, discovery: d.discovery}
	d.ui, err = httpui.New(httpui.Config{
		Listeners: d.listeners,
		PublicURL: cfg.HTTP.PublicURL,
		InstallID: installID(d.discovery),
		Sessions:  d.practice.Sessions(),
		Version:   version,
		Log:       log,
	}, d.pages)
	if err != nil {
		return nil, err
	}
	d.pages.here = d.ui.URL()
	d.pages.links = linkBase(cfg, d.pages.here)
	if d.control, err = newControl(cfg.dataDir(), d); err != nil {
		return nil, err
	}
	return d, nil
}

// newDiscovery makes the node's part in the network. The other nodes of the
// practice are peers like others: whom to ask is known from the cards alone.
func newDiscovery(cfg Config, log *slog.Logger) (*discovery.Discovery, error) {
	identity, err := discovery.LoadOrCreateIdentity(filepath.Join(cfg.dataDir(), "identity.key"))
	if err != nil {
		return nil, err
	}
	peers, err := parsePeers(cfg.Practice.Nodes, cfg.Discovery.Peers)
	if err != nil {
		return nil, err
	}
	bootstrap, err := parsePeers(cfg.Discovery.Bootstrap)
	if err != nil {
		return nil, err
	}
	return discovery.New(discovery.Config{
		Identity:     identity,
		Listen:       cfg.Discovery.Listen,
		Announce:     cfg.Discovery.Announce,
		Peers:        peers,
		Bootstrap:    bootstrap,
		AllowPrivate: cfg.Discovery.AllowPrivateAddresses,
		Server:       cfg.Discovery.Server,
		PeersFile:    filepath.Join(cfg.dataDir(), "peers.json"),
		Log:          log,
	})
}

func parsePeers(lists ...[]string) (peers []discovery.PeerInfo, err error) {
	for _, list := range lists {
		for _, text := range list {
			info, err := discovery.ParsePeer(text)
			if err != nil {
				return nil, err
			}
			peers = append(peers, info)
		}
	}
	return peers, nil
}

// installID names this installation in its cookies, so that two daemons on one
// computer do not overwrite each other's.
func installID(d *discovery.Discovery) string {
	sum := sha256.Sum256([]byte("anteroom install " + d.ID().String()))
	return hex.EncodeToString(sum[:6])
}

// inUse says what to do about a port that another program has; other errors it
// returns as they are.
func inUse(err error, instead string) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	return fmt.Errorf("%w: \"ss -lntup\" shows by which program; %s", err, instead)
}

// run serves until ctx ends. Whoever is in a call leaves through the pages, so
// the node outlives them.
func (d *daemon) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	nodeCtx, stopNode := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { return d.node.Run(nodeCtx) })
	g.Go(func() error { return d.control.run(ctx) })
	g.Go(func() error {
		defer stopNode()
		return d.ui.Run(ctx)
	})
	return errors.Join(g.Wait(), d.practice.Close())
}

// close undoes newDaemon, or what it got done.
func (d *daemon) close() error {
	var errs []error
	if d.control != nil {
		errs = append(errs, d.control.close())
	}
	for _, l := range d.listeners {
		errs = append(errs, l.Close())
	}
	if d.discovery != nil {
		errs = append(errs, d.discovery.Close())
	}
	if d.practice != nil {
		errs = append(errs, d.practice.Close())
	}
	return errors.Join(errs...)
}

// launchURL returns an address that signs the practitioner in once, or that
// lets somebody set the practice up if there is none yet.
func (d *daemon) launchURL(ctx context.Context) (string, error) {
	list, err := d.practice.Practitioners(ctx)
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return d.ui.LaunchURL(""), nil
	}
	return d.ui.LaunchURL(list[0].ID), nil
}

func (d *daemon) status(ctx context.Context) (statusReply, error) {
	info, err := d.practice.Info(ctx)
	if err != nil {
		return statusReply{}, err
	}
	return statusReply{
		Version:  version,
		URL:      d.ui.URL(),
		Practice: info.Name,
		Links:    d.pages.links,
		Node:     d.node.Status(),
	}, nil
}
