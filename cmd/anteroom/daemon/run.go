// Package daemon puts the parts of a node together, runs them, and ends them in
// their order. What can be said of a node that does not run is here, too.
package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/control"
	"anteroom/discovery"
	"anteroom/discovery/contacts"
	"anteroom/discovery/identity"
	"anteroom/httpui"
	"anteroom/node"
	"anteroom/node/desk"
	"anteroom/node/desk/api"
	"anteroom/node/doctor"
	"anteroom/node/people"
	"anteroom/node/practice"
)

// A Daemon is one node with its pages and its control socket.
type Daemon struct {
	reload    func() (config.Plan, error) // reads plan again; nil: it cannot change
	again     <-chan struct{}             // tells when to renew; nil: never
	level     *slog.LevelVar              // of log; nil: it cannot change
	log       *slog.Logger
	practice  *practice.Practice
	discovery *discovery.Discovery
	node      *node.Node
	desk      *desk.Desk
	signIns   *people.SignIns
	links     string         // what links begin with; see linkBase
	listeners []net.Listener // of ui, which closes them once it runs
	entrance  entrance       // its listeners are ui's, too
	relay     *relayPart     // nil: none
	ui        *httpui.Server
	control   *socket
	rounds    *doctor.Rounds

	mu   sync.Mutex
	plan config.Plan // as it is in force: renew takes up some of a new one
}

// New opens and binds everything that plan names, and starts nothing. The
// caller ends it with Run or Close. It owns the sockets that were passed.
func New(ctx context.Context, plan config.Plan, passed sockets, log *slog.Logger, echo EchoFunc) (_ *Daemon, err error) {
	d := &Daemon{plan: plan, log: log}
	defer func() {
		if err != nil {
			passed.close()
			err = errors.Join(err, d.Close())
		}
	}()
	if err := Prepare(plan); err != nil {
		return nil, err
	}
	// Before the database, which says that there was an identity once.
	if err := os.MkdirAll(string(plan.Dir), 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if _, err := identity.LoadOrCreate(plan.Dir.Identity()); err != nil {
		return nil, err
	}
	// It locks the data directory.
	d.practice, err = practice.Open(ctx, practice.Config{Dir: string(plan.Dir), KeyFile: plan.KeyFile, Log: log})
	if err != nil {
		return nil, err
	}
	if d.discovery, err = newDiscovery(plan, log); err != nil {
		return nil, inUse(err, "choose another with discovery.listen")
	}
	if d.listeners, err = httpui.Listen(ctx, plan.Pages.Listen); err != nil {
		return nil, inUse(err, "start with --listen localhost:0 to take a free one, or set http.listen")
	}
	if d.entrance, err = newEntrance(ctx, plan, passed, d.discovery, log); err != nil {
		return nil, err
	}
	if d.relay, err = newRelay(ctx, plan, d.entrance.turn, log); err != nil {
		return nil, err
	}
	d.node = newNode(plan, d)
	d.discovery.Handle(doctor.Protocol, doctor.NewWitness(d.discovery).Serve)
	d.rounds = doctor.NewRounds(d.subject, d.node.InCall, d.node.Changed, log)
	d.desk = newDesk(d, echo)
	if d.signIns, err = d.practice.People.SignIns(); err != nil {
		return nil, err
	}
	d.ui, err = httpui.New(httpui.Config{
		Listeners:      d.listeners,
		Public:         d.entrance.tls,
		Proxied:        d.entrance.proxied,
		TrustedProxies: d.entrance.proxies,
		Redirect:       d.entrance.redirect,
		Challenge:      d.entrance.challenge,
		PublicURL:      origin(plan.Public),
		InstallID:      installID(d.discovery),
		Version:        Version,
		Sockets:        plan.Pages.Sockets,
		Connections:    plan.Pages.Connections,
		Log:            log,
	}, d.backend())
	if err != nil {
		return nil, err
	}
	var local bool
	d.links, local = linkBase(plan, d.ui.URL())
	d.desk.At(d.ui.URL(), d.links, local)
	if d.control, err = newSocket(plan.Dir.Socket(), d); err != nil {
		return nil, err
	}
	return d, nil
}

// newDiscovery makes the node's part in the network.
func newDiscovery(plan config.Plan, log *slog.Logger) (*discovery.Discovery, error) {
	key, err := identity.LoadOrCreate(plan.Dir.Identity())
	if err != nil {
		return nil, err
	}
	c := plan.Discovery
	c.Identity, c.PeersFile, c.Log = key, plan.Dir.Peers(), log
	return discovery.New(c)
}

// newNode puts the parts of d together.
func newNode(plan config.Plan, d *Daemon) *node.Node {
	c := plan.Node
	c.Practice, c.Discovery, c.Log = d.practice, d.discovery, d.log
	if d.relay != nil {
		c.Relay = d.relay
	}
	return node.New(c)
}

// newDesk puts what the doors of d ask together.
func newDesk(d *Daemon, echo EchoFunc) *desk.Desk {
	c := desk.Config{Node: d.node, Practice: d.practice, Rounds: d.rounds, Log: d.log, Echo: echo}
	if m := d.entrance.certs; m != nil {
		c.Certificate = func() doctor.Certificate { return forDoctor(m.Status()) }
	}
	return desk.New(c)
}

// backend is the desk for pages, which ask for practitioners and for nobody else.
func (d *Daemon) backend() httpui.Backend {
	return httpui.Backend{As: func(id string) api.Access { return d.desk.As(desk.Practitioner(id)) }, Accounts: d.signIns}
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

// Run serves until ctx ends. Whoever is in a call leaves through the pages, so
// the node outlives them.
func (d *Daemon) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	nodeCtx, stopNode := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { return d.node.Run(nodeCtx) })
	g.Go(func() error { d.desk.Run(nodeCtx); return nil })
	g.Go(func() error { d.entrance.run(nodeCtx); return nil }) // the pages close its listeners
	g.Go(func() error { return d.control.run(ctx) })
	g.Go(func() error { d.rounds.Run(ctx); return nil })
	g.Go(func() error { d.renewWhenTold(ctx); return nil })
	if d.entrance.certs != nil {
		g.Go(func() error { return d.entrance.certs.Run(ctx) })
	}
	if d.relay != nil {
		g.Go(func() error { return d.relay.Run(ctx) })
	}
	g.Go(func() error {
		defer stopNode()
		return d.ui.Run(ctx)
	})
	return errors.Join(g.Wait(), d.practice.Close())
}

// Close undoes New, or what it got done.
func (d *Daemon) Close() error {
	var errs []error
	if d.control != nil {
		errs = append(errs, d.control.close())
	}
	for _, l := range append(d.entrance.listeners(), d.listeners...) {
		errs = append(errs, l.Close())
	}
	if d.relay != nil {
		errs = append(errs, d.relay.close())
	}
	if d.discovery != nil {
		errs = append(errs, d.discovery.Close())
	}
	if d.practice != nil {
		errs = append(errs, d.practice.Close())
	}
	return errors.Join(errs...)
}

// RenewFrom lets d take up what has changed each time that again says so: reload
// reads its plan again, and level is that of its log. It is for before
// Run.
func (d *Daemon) RenewFrom(reload func() (config.Plan, error), again <-chan struct{}, level *slog.LevelVar) {
	d.reload, d.again, d.level = reload, again, level
}

// URL returns the address of the page on this computer.
func (d *Daemon) URL() string { return d.ui.URL() }

// IsSetUp reports whether anybody practises here yet.
func (d *Daemon) IsSetUp(ctx context.Context) (bool, error) {
	info, err := d.practice.People.Info(ctx)
	return info.Practitioners > 0, err
}

// LaunchURL returns an address that signs a practitioner in once, the one with
// that name or the only one there is, or that lets somebody set the practice up
// if there is none yet.
func (d *Daemon) LaunchURL(ctx context.Context, name string) (string, error) {
	operator := d.desk.As(desk.Operator)
	info, err := operator.Info(ctx)
	if err != nil {
		return "", err
	}
	if info.Practitioners == 0 {
		return d.ui.LaunchURL(""), nil
	}
	id, err := operator.Practitioner(ctx, name)
	if err != nil {
		return "", err
	}
	return d.ui.LaunchURL(id), nil
}

func (d *Daemon) status(ctx context.Context) (control.Status, error) {
	info, err := d.practice.People.Info(ctx)
	if err != nil {
		return control.Status{}, err
	}
	reply := control.Status{
		Version:   Version,
		URL:       d.ui.URL(),
		Practice:  info.Name,
		Links:     d.links,
		Node:      d.node.Status(),
		Readiness: d.readiness(),
		Limits:    []control.Limit{},
	}
	for _, l := range d.ui.Limits() {
		reply.Limits = append(reply.Limits, control.Limit(l))
	}
	for _, l := range d.discovery.Fill() {
		reply.Limits = append(reply.Limits, control.Limit(l))
	}
	reply.Limits = append(reply.Limits, d.limits()...)
	if leap, leapt := d.practice.Leapt(); leapt {
		const form = "2006-01-02 15:04"
		reply.Clock = fmt.Sprintf("gone from %s to %s: nothing that is over is deleted until that is confirmed, see \"anteroom doctor\"",
			leap.Lived.Local().Format(form), leap.Clock.Local().Format(form))
	}
	if d.entrance.certs != nil {
		s := d.entrance.certs.Status()
		reply.Certificate = &s
	}
	if err := contacts.CheckFile(d.current().Dir.Peers()); err != nil {
		reply.Problems = append(reply.Problems, err.Error())
	}
	return reply, nil
}

// Version is of the program, not of its protocols.
const Version = "0.1.0"

// An EchoFunc is what desk.Config.Echo says.
type EchoFunc func(ctx context.Context, gateway, link string) error
