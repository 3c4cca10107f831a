package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"anteroom/cmd/anteroom/config"
	"anteroom/discovery/contacts"
	"anteroom/node/people"
	"anteroom/node/practice"
)

// The demo's people.
const (
	DemoPractice     = "Riverside Practice"
	DemoPractitioner = "Dr Lee"
)

// demoNodes are the three nodes, by what guests come through. The first is the
// home node.
var demoNodes = []struct{ via, label, text string }{
	{"home", "Patient", "through the practice's own node"},
	{"gateway", "Carer", "through the practice's front node, which cannot read along"},
	{"practice-b", "Specialist", "through another practice's node"},
}

// DemoReply is what "demo --output json" prints, on one line.
type DemoReply struct {
	PractitionerURL string     `json:"practitioner_url"`
	GuestLinks      []DemoLink `json:"guest_links"`
	Nodes           []demoNode `json:"nodes"`

	Password string `json:"-"` // for whoever reads the text
}

type DemoLink struct {
	Via string `json:"via"`
	URL string `json:"url"`
}

type demoNode struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	PeerID string `json:"peer_id"`
}

// A Demo is three nodes that know each other, with an appointment that is open.
type demo struct {
	Reply   DemoReply
	daemons []*Daemon
}

// NewDemo makes the nodes, each in its own directory below dir, on free ports
// of the loopback interface.
func NewDemo(ctx context.Context, dir, level string, log *slog.Logger, echo EchoFunc) (_ *demo, err error) {
	demo := new(demo)
	defer func() {
		if err != nil {
			err = errors.Join(err, demo.Close())
		}
	}()
	for _, n := range demoNodes {
		plan, err := config.Loopback(filepath.Join(dir, n.via), level)
		if err != nil {
			return nil, err
		}
		d, err := New(ctx, plan, nil, log, echo)
		if err != nil {
			return nil, err
		}
		demo.daemons = append(demo.daemons, d)
	}
	demo.Reply, err = introduceDemo(ctx, demo.daemons)
	return demo, err
}

// Run runs the nodes until ctx ends.
func (d *demo) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range d.daemons {
		g.Go(func() error { return d.Run(ctx) })
	}
	return g.Wait()
}

// Close is for a Demo that does not run.
func (d *demo) Close() error {
	var errs []error
	for _, d := range slices.Backward(d.daemons) {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}

// introduceDemo lets the nodes know each other as practices would: the home
// node and its public node each other, the other practice only the home node.
// Then it makes the appointment.
func introduceDemo(ctx context.Context, daemons []*Daemon) (DemoReply, error) {
	home, front, other := daemons[0], daemons[1], daemons[2]
	for _, meet := range []struct{ who, whom *Daemon }{{front, home}, {home, front}, {other, home}} {
		card, err := meet.whom.discovery.Card(DemoPractice)
		if err != nil {
			return DemoReply{}, err
		}
		info, err := contacts.ParseCard(card)
		if err != nil {
			return DemoReply{}, err
		}
		if err := meet.who.discovery.AddPeer(info); err != nil {
			return DemoReply{}, err
		}
	}
	reply := DemoReply{Password: rand.Text()}
	who, err := home.practice.People.SetUp(ctx, people.SetUp{Practice: DemoPractice, Name: DemoPractitioner, Password: reply.Password})
	if err != nil {
		return DemoReply{}, err
	}
	n := practice.New{Starts: home.practice.Now(), Minutes: 60, Label: "Demonstration"}
	for _, d := range demoNodes {
		n.Guests = append(n.Guests, d.label)
	}
	a, err := home.practice.Create(ctx, who.ID, n)
	if err != nil {
		return DemoReply{}, err
	}
	reply.PractitionerURL = home.ui.LaunchURL(who.ID)
	for i, d := range daemons {
		via := demoNodes[i].via
		reply.GuestLinks = append(reply.GuestLinks, DemoLink{via, a.Links[i].Link.URL(d.ui.URL())})
		reply.Nodes = append(reply.Nodes, demoNode{via, d.ui.URL(), d.discovery.ID().String()})
	}
	return reply, nil
}

// Text writes r for a person.
func (r DemoReply) Text(w io.Writer) error {
	fmt.Fprintf(w, `Three nodes are running on this computer, and an appointment is open now.

%s of %s opens this page (works once, for ten minutes):

  %s

  Later, sign in there with the password %s

Guests open one link each, in another browser, a private window or another
profile, so that each person has a window of their own:
`, DemoPractitioner, DemoPractice, r.PractitionerURL, r.Password)
	for i, link := range r.GuestLinks {
		fmt.Fprintf(w, "\n  %s, %s:\n  %s\n", demoNodes[i].label, demoNodes[i].text, link.URL)
	}
	_, err := fmt.Fprint(w, "\nPress Ctrl-C to end. Nothing is kept.\n")
	return err
}
