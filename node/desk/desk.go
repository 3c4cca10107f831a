// Package desk is the application: what a practice's pages, its command line and
// every other door can do, and who may do it. Doors hold no rule of their own;
// they speak package api.
package desk

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"

	"anteroom/discovery"
	"anteroom/node"
	"anteroom/node/desk/api"
	"anteroom/node/doctor"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// Config is what a Desk is made of.
type Config struct {
	Node     *node.Node
	Practice *practice.Practice
	Rounds   *doctor.Rounds
	Log      *slog.Logger

	// Certificate tells of the public page's. Nil: nothing is encrypted here.
	Certificate func() doctor.Certificate

	// Echo runs a guest without a person, which opens link through the page
	// at gateway and sends back what it hears and sees, until it is sent away
	// or ctx ends. Nil: there are no test calls.
	Echo func(ctx context.Context, gateway, link string) error
}

// A Desk is a node as its doors see it. It also sees to it that practitioners
// touch only their own appointments, which package practice leaves to its
// callers.
type Desk struct {
	node        *node.Node
	practice    *practice.Practice
	rounds      *doctor.Rounds
	log         *slog.Logger
	certificate func() doctor.Certificate
	echo        func(ctx context.Context, gateway, link string) error

	here  string // origin of the page on this computer
	links string // what links begin with
	local bool   // they work on this computer only

	echoes   sync.WaitGroup
	lifetime context.Context // of test calls: ends with Run
	stop     context.CancelFunc
}

// New returns a Desk that knows no page yet: see At.
func New(cfg Config) *Desk {
	d := &Desk{node: cfg.Node, practice: cfg.Practice, rounds: cfg.Rounds, log: cfg.Log, certificate: cfg.Certificate, echo: cfg.Echo}
	d.lifetime, d.stop = context.WithCancel(context.Background())
	return d
}

// At says where the page on this computer is, what the links that are handed
// out begin with, and whether these work on this computer only. It comes before
// anything is asked.
func (d *Desk) At(here, links string, local bool) { d.here, d.links, d.local = here, links, local }

// Run lets test calls go on until ctx ends, and returns when all have ended.
func (d *Desk) Run(ctx context.Context) {
	<-ctx.Done()
	d.stop()
	d.echoes.Wait()
}

func (d *Desk) Info(ctx context.Context, practitioner string) (api.Info, error) {
	info, err := d.practice.Info(ctx)
	if err != nil {
		return api.Info{}, err
	}
	answer := api.Info{Practice: info.Name, Practitioners: info.Practitioners}
	if practitioner != "" {
		who, err := d.practitioner(ctx, practitioner)
		if err != nil {
			return api.Info{}, err
		}
		answer.Name = who.Name
	}
	return answer, nil
}

// practitioner returns who signed in, if they are still one.
func (d *Desk) practitioner(ctx context.Context, id string) (practice.Practitioner, error) {
	who, err := d.practice.Practitioner(ctx, id)
	if errors.Is(err, practice.ErrNotFound) {
		return who, wire.ErrUnauthorized
	}
	return who, err
}

func (d *Desk) SetUp(ctx context.Context, s api.SetUp) (string, error) {
	who, err := d.practice.SetUp(ctx, practice.SetUp{Practice: s.Practice, Name: s.Name, Password: s.Password})
	return who.ID, Readable(err)
}

func (d *Desk) Account(ctx context.Context, name string) (string, error) {
	account, err := d.practice.Account(ctx, name)
	return account, Readable(err)
}

func (d *Desk) SignIn(ctx context.Context, name, password string) (string, error) {
	who, err := d.practice.Authenticate(ctx, name, password)
	if errors.Is(err, practice.ErrWrongPassword) {
		return "", wire.ErrUnauthorized
	}
	return who.ID, Readable(err)
}

func (d *Desk) Watch() (<-chan struct{}, func()) { return d.node.Watch() }

func (d *Desk) Join(ctx context.Context, conn wire.Conn, from netip.Addr, public bool) error {
	return d.node.Join(ctx, conn, from, public)
}

func (d *Desk) Attend(ctx context.Context, conn wire.Conn, practitioner string, a *wire.Attend) error {
	return d.node.Attend(ctx, conn, practitioner, a)
}

func (d *Desk) Expects(appointment string) bool { return d.node.Expects(appointment) }

// Card returns the node's peer card under the practice's name.
func (d *Desk) Card(ctx context.Context) (string, error) {
	info, err := d.practice.Info(ctx)
	if err != nil {
		return "", err
	}
	card, err := d.node.Discovery.Card(info.Name)
	if errors.Is(err, discovery.ErrBadCard) { // a name that pages can show and terminals cannot
		return d.node.Discovery.Card("")
	}
	return card, err
}
