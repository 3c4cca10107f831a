// Package nodetest runs whole nodes in one process: real libp2p hosts on
// loopback, real stores in temporary directories, real rooms.
package nodetest

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
	"anteroom/discovery/contacts"
	"anteroom/discovery/identity"
	"anteroom/node"
	"anteroom/node/find"
	"anteroom/node/lend"
	"anteroom/node/people"
	"anteroom/node/practice"
	"anteroom/rendezvous"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/seal"
	"anteroom/rendezvous/wire"
)

// wait is how long a test waits for what must happen. It is long because
// tests share their machine.
const wait = 20 * time.Second

// Options say how a node differs from the usual one.
type Options struct {
	Peers     []discovery.PeerInfo // asked directly
	Bootstrap []discovery.PeerInfo // ways into the DHT
	DHTOnly   bool
	Log       *slog.Logger
	Clock     func() time.Time
	Dir       string // where it was before; empty: a new one

	Public   bool // guests come in through the public page
	GuestsOf []peer.ID
	Gateways []peer.ID
	Partners []peer.ID
	Hidden   bool // no server of the DHT: asked directly, or told, or not found
	Searches find.Searches

	Relay   lend.Relay
	LendTo  []peer.ID
	Lenders []peer.ID
}

// A Node runs until its test ends, or Stop.
type Node struct {
	*node.Node
	Practice     *practice.Practice
	Discovery    *discovery.Discovery
	Practitioner people.Practitioner
	Dir          string

	t    testing.TB
	o    Options
	stop context.CancelFunc
	done chan struct{}
	once sync.Once
}

// Start starts a node whose practice is set up.
func Start(t testing.TB, name string, o Options) *Node {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "data")
	}
	p, err := practice.Open(t.Context(), practice.Config{Dir: o.Dir, Clock: o.Clock, Log: o.Log})
	check(t, err)
	info, err := p.People.Info(t.Context())
	check(t, err)
	if info.Practitioners == 0 {
		_, err := p.People.SetUp(t.Context(), people.SetUp{Practice: name, Name: "Dr " + name, Password: "correct horse " + name})
		check(t, err)
	}
	who, err := p.People.Practitioners(t.Context())
	check(t, err)
	key, err := identity.LoadOrCreate(filepath.Join(o.Dir, "identity.key"))
	check(t, err)
	d, err := discovery.New(discovery.Config{
		Identity: key, Listen: []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"},
		Peers: o.Peers, Bootstrap: o.Bootstrap, Partners: o.Partners, AllowPrivate: true, Server: !o.Hidden, Log: o.Log,
	})
	check(t, err)

	n := &Node{
		Node: node.New(node.Config{
			Practice: p, Discovery: d, Log: o.Log, DHTOnly: o.DHTOnly,
			Relay: o.Relay, LendTo: o.LendTo, Lenders: o.Lenders, GuestsOf: o.GuestsOf,
			Gateways: o.Gateways, Searches: o.Searches,
		}),
		Practice: p, Discovery: d, Practitioner: who[0], Dir: o.Dir, t: t, o: o, done: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	go func() { // ends with Stop
		defer close(n.done)
		if err := n.Run(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}()
	t.Cleanup(n.Stop)
	return n
}

// Stop stops the node and waits for it.
func (n *Node) Stop() {
	n.once.Do(func() {
		n.stop()
		<-n.done
	})
}

// Info is how others reach the node.
func (n *Node) Info() discovery.PeerInfo {
	n.t.Helper()
	card, err := n.Discovery.Card("")
	check(n.t, err)
	info, err := contacts.ParseCard(card)
	check(n.t, err)
	return info
}

// Appointment makes one that is open now.
func (n *Node) Appointment(guests ...string) practice.Made {
	n.t.Helper()
	a, err := n.Practice.Create(n.t.Context(), n.Practitioner.ID, practice.New{Starts: n.Practice.Now(), Minutes: 30, Label: "Follow-up", Guests: guests})
	check(n.t, err)
	return a
}

// Cancel ends an appointment as its practitioner does.
func (n *Node) Cancel(ctx context.Context, appointment string) error {
	return n.Node.Cancel(ctx, n.Practitioner.ID, appointment)
}

// Revoke takes a link back as the practitioner does.
func (n *Node) Revoke(ctx context.Context, m wire.MemberID) error {
	return n.Node.Revoke(ctx, n.Practitioner.ID, m)
}

// Rotate gives a guest a new link as the practitioner does.
func (n *Node) Rotate(ctx context.Context, m wire.MemberID) (practice.Issued, error) {
	return n.Node.Rotate(ctx, n.Practitioner.ID, m)
}

// Expects reports whether the practitioner expects anybody.
func (n *Node) Expects(appointment string) bool {
	practitioner, expected := n.Node.Expects(appointment)
	return expected && practitioner == n.Practitioner.ID
}

// A Member is someone in a room, driven by the test.
type Member struct {
	t    testing.TB
	Conn wire.Conn
	// Welcome is what the home node said first, to a guest.
	Welcome *wire.Welcome
	// Hash is the handshake's, of a guest.
	Hash [32]byte
	// Done is what the node's method returned.
	Done chan error
}

// Guest opens link through n and does the handshake.
func (n *Node) Guest(link invite.Link) (*Member, error) {
	return n.GuestFrom(netip.Addr{}, link)
}

// GuestFrom is Guest from an address.
func (n *Node) GuestFrom(from netip.Addr, link invite.Link) (*Member, error) {
	here, there := wire.Pipe()
	m := &Member{t: n.t, Done: make(chan error, 1)}
	go func() { m.Done <- n.Join(n.t.Context(), there, find.Arrival{From: from, Public: n.o.Public}) }() // ends with the guest
	if err := rendezvous.SendKey(here, link.Keys().Rendezvous); err != nil {
		return nil, err
	}
	channel, payload, err := seal.Dial(here, link)
	if err != nil {
		here.Close(nil)
		return nil, err
	}
	body, err := wire.Decode(payload)
	check(n.t, err)
	m.Conn, m.Welcome, m.Hash = channel, body.(*wire.Welcome), channel.Hash()
	n.t.Cleanup(func() { m.Conn.Close(nil) })
	return m, nil
}

// MustGuest is Guest for a link that must work.
func (n *Node) MustGuest(link invite.Link) *Member {
	n.t.Helper()
	m, err := n.Guest(link)
	check(n.t, err)
	return m
}

// Attend is the practitioner's page in the room of an appointment.
func (n *Node) Attend(appointment string) *Member {
	here, there := wire.Pipe()
	m := &Member{t: n.t, Conn: here, Done: make(chan error, 1)}
	go func() { // ends with the page
		m.Done <- n.Node.Attend(n.t.Context(), there, &wire.Attend{
			Appointment: appointment, Tab: make([]byte, 16), Token: "t", Fingerprint: make([]byte, 32),
		})
	}()
	n.t.Cleanup(func() { here.Close(nil) })
	return m
}

// Join presses the button. The fingerprint is made of the name.
func (m *Member) Join(name string, resume []byte) {
	m.t.Helper()
	fp := make([]byte, 32)
	copy(fp, name)
	m.Say(&wire.Join{Name: name, Fingerprint: fp, Resume: resume})
}

// Say sends body.
func (m *Member) Say(body wire.Body) {
	m.t.Helper()
	frame, err := wire.Encode(body)
	check(m.t, err)
	check(m.t, m.Conn.Send(frame))
}

// Expect returns the next message of type B that ok accepts, passing over others.
func Expect[B wire.Body](m *Member, ok func(B) bool) B {
	m.t.Helper()
	late := time.AfterFunc(wait, func() { m.Conn.Close(wire.ErrTimeout) })
	defer late.Stop()
	for {
		frame, err := m.Conn.Recv()
		if err != nil {
			m.t.Fatalf("waiting for %T: %v", *new(B), err)
		}
		body, err := wire.Decode(frame)
		check(m.t, err)
		if want, is := body.(B); is && (ok == nil || ok(want)) {
			return want
		}
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
