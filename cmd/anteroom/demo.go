package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"anteroom/discovery/contacts"
	"anteroom/node/desk/api"
	"anteroom/node/practice"
)

// The demo's people.
const (
	demoPractice     = "Riverside Practice"
	demoPractitioner = "Dr Lee"
)

// demoNodes are the three nodes, by what guests come through. The first is the
// home node.
var demoNodes = []struct{ via, label, text string }{
	{"home", "Patient", "through the practice's own node"},
	{"gateway", "Carer", "through the practice's front node, which cannot read along"},
	{"practice-b", "Specialist", "through another practice's node"},
}

// demoReply is what "demo --output json" prints, on one line.
type demoReply struct {
	PractitionerURL string     `json:"practitioner_url"`
	GuestLinks      []demoLink `json:"guest_links"`
	Nodes           []demoNode `json:"nodes"`

	password string // for whoever reads the text
}

type demoLink struct {
	Via string `json:"via"`
	URL string `json:"url"`
}

type demoNode struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	PeerID string `json:"peer_id"`
}

func (p *program) demoCommand() *cobra.Command {
	var output outputFlag
	level := "error"
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try a call between three nodes on this computer; keeps nothing",
		Long: `Start three separate nodes on this computer: a practice's home node, its front
node, and the node of another practice that knows the first by its card only.
There is one appointment, open now, with a guest's link through each of them.
All of it is deleted when the demo is interrupted.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"config", "data-dir"} {
				if cmd.Flags().Changed(name) {
					return usage("demo is always the same and keeps nothing: leave --%s out", name)
				}
			}
			cfg := Log{Level: level, Format: "auto"}
			whole := Default()
			whole.DataDir, whole.Log = os.TempDir(), cfg // there need be no home
			if err := whole.Validate(); err != nil {
				return failure{exitUsage, err}
			}
			return p.demo(cmd.Context(), p.logger(cfg, cfg.level()), output)
		},
	}
	cmd.Flags().StringVar(&level, "log-level", level, "debug, info, warn or error")
	output.add(cmd)
	return cmd
}

// demo runs until ctx ends.
func (p *program) demo(ctx context.Context, log *slog.Logger, output outputFlag) (err error) {
	defer outliveReaders()()
	ctx, _, stop := p.untilClosed(ctx)
	defer stop()
	exe, err := p.executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	dir, err := os.MkdirTemp("", "anteroom-demo-")
	if err != nil {
		return fmt.Errorf("make temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	daemons, err := newDemo(ctx, dir, log, newEcho(exe, log))
	if err != nil {
		return err
	}
	reply, err := introduceDemo(ctx, daemons)
	if err == nil {
		err = output.print(p.stdout, reply, reply.text)
	}
	if err != nil {
		return errors.Join(err, closeAll(daemons))
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range daemons {
		g.Go(func() error { return d.run(ctx) })
	}
	return g.Wait()
}

// newDemo makes the nodes, each in its own directory below dir, on free ports
// of the loopback interface.
func newDemo(ctx context.Context, dir string, log *slog.Logger, echo echoFunc) (daemons []*daemon, err error) {
	for _, n := range demoNodes {
		cfg := Default()
		cfg.DataDir = filepath.Join(dir, n.via)
		cfg.HTTP.Listen = []string{"localhost:0"}
		cfg.Discovery = Discovery{
			Listen:                []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"},
			Server:                true,
			AllowPrivateAddresses: true,
		}
		d, err := newDaemon(ctx, cfg, nil, log, echo)
		if err != nil {
			return nil, errors.Join(err, closeAll(daemons))
		}
		daemons = append(daemons, d)
	}
	return daemons, nil
}

func closeAll(daemons []*daemon) error {
	var errs []error
	for _, d := range slices.Backward(daemons) {
		errs = append(errs, d.close())
	}
	return errors.Join(errs...)
}

// introduceDemo lets the nodes know each other as practices would: the home
// node and its public node each other, the other practice only the home node.
// Then it makes the appointment.
func introduceDemo(ctx context.Context, daemons []*daemon) (demoReply, error) {
	home, front, other := daemons[0], daemons[1], daemons[2]
	for _, meet := range []struct{ who, whom *daemon }{{front, home}, {home, front}, {other, home}} {
		card, err := meet.whom.discovery.Card(demoPractice)
		if err != nil {
			return demoReply{}, err
		}
		info, err := contacts.ParseCard(card)
		if err != nil {
			return demoReply{}, err
		}
		if err := meet.who.discovery.AddPeer(info); err != nil {
			return demoReply{}, err
		}
	}
	reply := demoReply{password: rand.Text()}
	who, err := home.desk.SetUp(ctx, api.SetUp{Practice: demoPractice, Name: demoPractitioner, Password: reply.password})
	if err != nil {
		return demoReply{}, err
	}
	n := practice.New{Starts: home.practice.Now(), Minutes: 60, Label: "Demonstration"}
	for _, d := range demoNodes {
		n.Guests = append(n.Guests, d.label)
	}
	a, err := home.practice.Create(ctx, who, n)
	if err != nil {
		return demoReply{}, err
	}
	reply.PractitionerURL = home.ui.LaunchURL(who)
	for i, d := range daemons {
		via := demoNodes[i].via
		reply.GuestLinks = append(reply.GuestLinks, demoLink{via, a.Links[i].Link.URL(d.ui.URL())})
		reply.Nodes = append(reply.Nodes, demoNode{via, d.ui.URL(), d.discovery.ID().String()})
	}
	return reply, nil
}

// text writes r for a person.
func (r demoReply) text(w io.Writer) error {
	fmt.Fprintf(w, `Three nodes are running on this computer, and an appointment is open now.

%s of %s opens this page (works once, for ten minutes):

  %s

  Later, sign in there with the password %s

Guests open one link each, in another browser, a private window or another
profile, so that each person has a window of their own:
`, demoPractitioner, demoPractice, r.PractitionerURL, r.password)
	for i, link := range r.GuestLinks {
		fmt.Fprintf(w, "\n  %s, %s:\n  %s\n", demoNodes[i].label, demoNodes[i].text, link.URL)
	}
	_, err := fmt.Fprint(w, "\nPress Ctrl-C to end. Nothing is kept.\n")
	return err
}
