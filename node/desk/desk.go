// Package desk is the application: what a practice's pages, its command line and
// every other door can do, and who may do it. Doors hold no rule of their own:
// they say who asks, and speak package api.
package desk

import (
	"context"
	"log/slog"
	"sync"

	"anteroom/node"
	"anteroom/node/doctor"
	"anteroom/node/practice"
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

// A Desk is a node as its doors see it. What concerns an appointment or a person
// goes through As.
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
