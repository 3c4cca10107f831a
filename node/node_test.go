package node_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	dssync "github.com/ipfs/go-datastore/sync"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"anteroom/discovery"
	"anteroom/node/find"
	"anteroom/node/nodetest"
	"anteroom/node/polltest"
	"anteroom/node/practice"
	"anteroom/rendezvous"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// meet takes a guest from the link to admission through gateway, and checks
// what both sides heard.
func meet(t *testing.T, home, gateway *nodetest.Node) (host, guest *nodetest.Member) {
	t.Helper()
	a := home.Appointment("Patient")
	host = home.Attend(a.ID)
	guest = gateway.MustGuest(a.Links[0].Link)
	if guest.Welcome.State != wire.WindowOpen || guest.Welcome.Practitioner != home.Practitioner.Name {
		t.Errorf("welcome: %+v", guest.Welcome)
	}
	guest.Join("Ana", nil)
	nodetest.Expect[*wire.Seat](guest, func(s *wire.Seat) bool { return s.State == wire.SeatWaiting })
	guest.Say(&wire.Description{Peer: wire.HostID, Kind: "offer", SDP: "offer"})
	intro := nodetest.Expect[*wire.Introduce](host, nil)
	if !bytes.Equal(intro.Key, guest.Welcome.Confirm) || !bytes.Equal(intro.Hash, guest.Hash[:]) {
		t.Error("the practitioner was given other binding keys than the guest")
	}
	nodetest.Expect[*wire.Description](host, nil)
	host.Say(&wire.Admit{Member: intro.Member, SDP: "answer"})
	nodetest.Expect[*wire.Seat](guest, func(s *wire.Seat) bool { return s.State == wire.SeatAdmitted })
	if d := nodetest.Expect[*wire.Description](guest, nil); d.SDP != "answer" {
		t.Errorf("answer %q", d.SDP)
	}
	return host, guest
}

func TestGuestAtTheHomeNode(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	meet(t, home, home)
}

func TestGuestThroughAnotherNode(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	gateway := nodetest.Start(t, "B", nodetest.Options{Peers: []discovery.PeerInfo{home.Info()}})
	host, guest := meet(t, home, gateway)
	host.Say(&wire.End{})
	if bye := nodetest.Expect[*wire.Bye](guest, nil); bye.Code != wire.CodeEnded {
		t.Errorf("bye %s", bye.Code)
	}
}

// Who serves a page could change it, so a public page is for guests of
// practices on a list; whoever uses their own node's page may go anywhere.
func TestPublicPageIsForGuestsOfTheList(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	a := home.Appointment("Patient")
	through := nodetest.Options{Peers: []discovery.PeerInfo{home.Info()}, Public: true}
	if _, err := nodetest.Start(t, "B", through).Guest(a.Links[0].Link); err == nil {
		t.Error("a guest of another practice came in through a public page")
	}
	through.GuestsOf = []peer.ID{home.Info().ID}
	if _, err := nodetest.Start(t, "C", through).Guest(a.Links[0].Link); err != nil {
		t.Errorf("a guest of a practice on the list did not: %v", err)
	}
	own := nodetest.Start(t, "D", nodetest.Options{Public: true})
	if _, err := own.Guest(own.Appointment("Patient").Links[0].Link); err != nil {
		t.Errorf("a guest of this practice did not: %v", err)
	}
}

// A gateway that has just started has guests wait for the home nodes that have
// yet to call it, and then for none.
func TestGatewayThatHasJustStarted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	home := nodetest.Start(t, "A", nodetest.Options{Dir: dir})
	a, info := home.Appointment("Patient"), home.Info()
	home.Stop()
	gateway := nodetest.Start(t, "B", nodetest.Options{Public: true, GuestsOf: []peer.ID{info.ID}, Peers: []discovery.PeerInfo{info}})
	welcomed := make(chan error, 1)
	go func() {
		_, err := gateway.Guest(a.Links[0].Link)
		welcomed <- err
	}()
	nodetest.Start(t, "A", nodetest.Options{Dir: dir, Peers: []discovery.PeerInfo{gateway.Info()}, Gateways: ids(gateway)})
	if err := <-welcomed; err != nil {
		t.Errorf("a guest who came before the home node: %v", err)
	}
	stranger, err := invite.New()
	if err != nil {
		t.Fatal(err)
	}
	if gateway.Expecting() {
		t.Error("guests are to wait although nobody is missing")
	}
	if _, err := gateway.Guest(stranger.Link); err == nil {
		t.Error("an invite of nobody's was found")
	}
}

// Home and gateway know each other only through a third node, and neither asks
// the other directly: the DHT alone brings them together.
func TestGuestThroughTheDHTAlone(t *testing.T) {
	third := nodetest.Start(t, "C", nodetest.Options{})
	via := nodetest.Options{Bootstrap: []discovery.PeerInfo{third.Info()}, DHTOnly: true}
	home := nodetest.Start(t, "A", via)
	gateway := nodetest.Start(t, "B", via)
	a := home.Appointment("Patient")
	polltest.Eventually(t, "three records held", func() bool { return home.Status().Published >= invite.Replicas })
	guest := gateway.MustGuest(a.Links[0].Link)
	guest.Join("Ana", nil)
	nodetest.Expect[*wire.Seat](guest, nil)
}

func TestUnknownInviteIsNotFound(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	gateway := nodetest.Start(t, "B", nodetest.Options{Peers: []discovery.PeerInfo{home.Info()}})
	stranger, err := invite.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.Guest(stranger.Link); !errors.Is(err, wire.ErrNotFound) {
		t.Errorf("got %v, want not-found", err)
	}
}

func TestHomeNodeComesBackInMidCall(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	a := home.Appointment("Patient")
	host := home.Attend(a.ID)
	guest := home.MustGuest(a.Links[0].Link)
	guest.Join("Ana", nil)
	member := nodetest.Expect[*wire.Seat](guest, nil).Member
	nodetest.Expect[*wire.Introduce](host, nil)
	host.Say(&wire.Admit{Member: member})
	nodetest.Expect[*wire.Seat](guest, func(s *wire.Seat) bool { return s.State == wire.SeatAdmitted })
	home.Stop()
	if bye := nodetest.Expect[*wire.Bye](guest, nil); bye.Code != wire.CodeGoingAway {
		t.Errorf("bye %s, want going-away", bye.Code)
	}

	again := nodetest.Start(t, "A", nodetest.Options{Dir: home.Dir})
	thief := again.MustGuest(a.Links[0].Link)
	thief.Join("Mallory", nil)
	if bye := nodetest.Expect[*wire.Bye](thief, nil); bye.Code != wire.CodeSeatTaken {
		t.Errorf("another device: %s, want seat-taken", bye.Code)
	}
	back := again.MustGuest(a.Links[0].Link)
	back.Join("Ana", guest.Welcome.Resume)
	if s := nodetest.Expect[*wire.Seat](back, nil); s.State != wire.SeatAdmitted || s.Member != member {
		t.Errorf("back in seat %+v", s)
	}
	host = again.Attend(a.ID)
	nodetest.Expect[*wire.Introduce](host, func(i *wire.Introduce) bool { return i.Member == member })
	nodetest.Expect[*wire.Introduce](back, func(i *wire.Introduce) bool { return i.Member == wire.HostID })
}

// Whoever was put aside so that others can speak among themselves is not let
// back by a restart.
func TestHeldGuestStaysHeldOverARestart(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	a := home.Appointment("Patient")
	host := home.Attend(a.ID)
	guest := home.MustGuest(a.Links[0].Link)
	guest.Join("Ana", nil)
	member := nodetest.Expect[*wire.Seat](guest, nil).Member
	nodetest.Expect[*wire.Introduce](host, nil)
	host.Say(&wire.Admit{Member: member})
	expectSeat := func(m *nodetest.Member, want wire.SeatState) {
		t.Helper()
		nodetest.Expect[*wire.Seat](m, func(s *wire.Seat) bool { return s.State == want })
	}
	expectSeat(guest, wire.SeatAdmitted)
	for _, c := range []struct {
		on   bool
		want wire.SeatState
	}{{true, wire.SeatHeld}, {false, wire.SeatAdmitted}} {
		host.Say(&wire.Hold{Member: member, On: c.on})
		expectSeat(guest, c.want)
		home.Stop()
		home = nodetest.Start(t, "A", nodetest.Options{Dir: home.Dir})
		resume := guest.Welcome.Resume
		guest = home.MustGuest(a.Links[0].Link)
		guest.Join("Ana", resume)
		if s := nodetest.Expect[*wire.Seat](guest, nil); s.State != c.want {
			t.Fatalf("held %t, and after a restart %s, want %s", c.on, s.State, c.want)
		}
		guest.Welcome.Resume = resume
		host = home.Attend(a.ID)
	}
}

// Nothing would close a room that is opened when all others have been closed.
func TestNobodyEntersANodeThatHasEnded(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	a := home.Appointment("Patient")
	late := home.MustGuest(a.Links[0].Link)
	home.End()
	late.Join("Ana", nil)
	if bye := nodetest.Expect[*wire.Bye](late, nil); bye.Code != wire.CodeGoingAway {
		t.Errorf("a guest heard %s", bye.Code)
	}
	if bye := nodetest.Expect[*wire.Bye](home.Attend(a.ID), nil); bye.Code != wire.CodeGoingAway {
		t.Errorf("the practitioner heard %s", bye.Code)
	}
	if seats := home.Seats(a.ID); len(seats) > 0 {
		t.Errorf("the room has %v", seats)
	}
}

// A dead link says what became of it, before, in and after its time, to whoever
// holds it and to nobody else.
func TestDeadLinksSayWhatBecameOfThem(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	for _, c := range []struct {
		state wire.WindowState
		heard wire.Code // by who was here
		kill  func(a practice.Made) error
	}{
		{wire.WindowRevoked, wire.CodeRevoked, func(a practice.Made) error { return home.Revoke(t.Context(), a.Invites[0].Member) }},
		{wire.WindowRotated, wire.CodeRotated, func(a practice.Made) error {
			_, err := home.Rotate(t.Context(), a.Invites[0].Member)
			return err
		}},
		{wire.WindowRotated, wire.CodeRevoked, func(a practice.Made) error { // also one that was taken back before
			if err := home.Revoke(t.Context(), a.Invites[0].Member); err != nil {
				return err
			}
			_, err := home.Rotate(t.Context(), a.Invites[0].Member)
			return err
		}},
		{wire.WindowCancelled, wire.CodeCancelled, func(a practice.Made) error { return home.Cancel(t.Context(), a.ID) }},
		{wire.WindowCancelled, wire.CodeRotated, func(a practice.Made) error { // there is no newer link to look for
			if _, err := home.Rotate(t.Context(), a.Invites[0].Member); err != nil {
				return err
			}
			return home.Cancel(t.Context(), a.ID)
		}},
	} {
		a := home.Appointment("Patient")
		link := a.Links[0].Link
		here := home.MustGuest(link)
		here.Join("Ana", nil)
		nodetest.Expect[*wire.Seat](here, nil)
		if err := c.kill(a); err != nil {
			t.Fatal(err)
		}
		if bye := nodetest.Expect[*wire.Bye](here, nil); bye.Code != c.heard {
			t.Errorf("%s: who was here heard %s", c.state, bye.Code)
		}
		later := home.MustGuest(link)
		if later.Welcome.State != c.state {
			t.Errorf("%s: whoever opens the link hears %s", c.state, later.Welcome.State)
		}
		later.Join("Ana", nil)
		nodetest.Expect[*wire.Bye](later, func(b *wire.Bye) bool { return b.Code == wire.Code(c.state) })

		if err := knockWithoutSecret(t, home, link); !errors.Is(err, wire.ErrNotInvited) {
			t.Errorf("%s: whoever has the link's name alone hears %v", c.state, err)
		}
	}
}

// knockWithoutSecret knocks as a gateway could, and returns what it hears.
func knockWithoutSecret(t *testing.T, home *nodetest.Node, link invite.Link) error {
	t.Helper()
	here, there := wire.Pipe()
	go home.Join(t.Context(), there, find.Arrival{}) // ends with the refusal
	key := link.Keys().Rendezvous
	rid := key.RID()
	if err := rendezvous.SendKey(here, key); err != nil {
		t.Fatal(err)
	}
	if err := here.Send(append([]byte{1}, rid[:]...)); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Recv(); err != nil {
		t.Fatal(err)
	}
	if err := here.Send(make([]byte, 16+81)); err != nil {
		t.Fatal(err)
	}
	_, err := here.Recv()
	return err
}

func TestALinkThatWasReplacedSaysSoBeforeItsTime(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	a, err := home.Practice.Create(t.Context(), home.Practitioner.ID, practice.New{Starts: time.Now().Add(24 * time.Hour), Minutes: 15, Guests: []string{"Patient"}})
	if err != nil {
		t.Fatal(err)
	}
	inv, err := home.Rotate(t.Context(), a.Invites[0].Member)
	if err != nil {
		t.Fatal(err)
	}
	if old := home.MustGuest(a.Links[0].Link).Welcome.State; old != wire.WindowRotated {
		t.Errorf("the old link: %s", old)
	}
	if newer := home.MustGuest(inv.Link).Welcome.State; newer != wire.WindowEarly {
		t.Errorf("the newer link: %s", newer)
	}
}

// A canary is in every name, label and message of a call. It may be in no log
// line, in no byte of the store and in no record that the DHT was given, in no
// spelling. The records do not tell either whose they are.
func TestCanaryStaysInside(t *testing.T) {
	var log lockedBuffer
	options := func(o nodetest.Options) nodetest.Options {
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		return o
	}
	const canary = "CANARY-Pereira"
	eye, records := eavesdrop(t)
	home := nodetest.Start(t, canary+"A", options(nodetest.Options{Bootstrap: []discovery.PeerInfo{eye}}))
	gateway := nodetest.Start(t, canary+"B", options(nodetest.Options{Peers: []discovery.PeerInfo{home.Info()}}))
	a := home.Appointment(canary + " label")
	host := home.Attend(a.ID)
	guest := gateway.MustGuest(a.Links[0].Link)
	guest.Join(canary+" name", nil)
	member := nodetest.Expect[*wire.Seat](guest, nil).Member
	guest.Say(&wire.Description{Peer: wire.HostID, Kind: "offer", SDP: canary + " sdp"})
	guest.Say(&wire.Candidate{Peer: wire.HostID, Candidate: canary + " 192.0.2.77"})
	nodetest.Expect[*wire.Description](host, nil)
	host.Say(&wire.Admit{Member: member, SDP: canary + " answer"})
	nodetest.Expect[*wire.Description](guest, nil)
	guest.Say(&wire.Description{Peer: "0000000000000000", Kind: "offer", SDP: canary}) // nobody: an error
	nodetest.Expect[*wire.ErrorBody](guest, nil)
	host.Say(&wire.End{})
	nodetest.Expect[*wire.Bye](guest, nil)
	polltest.Eventually(t, "three records held", func() bool { return home.Status().Published >= invite.Replicas })
	payload := a.Links[0].Link.Payload()
	dirs := []string{home.Dir, gateway.Dir}

	secrets := []string{canary, "192.0.2.77", payload[2:40], payload[30:60]}
	search := func(where string, data []byte) {
		for _, s := range secrets {
			for _, spelled := range []string{s, strings.ToLower(s), hex.EncodeToString([]byte(s)), base64.StdEncoding.EncodeToString([]byte(s))[:8]} {
				if bytes.Contains(data, []byte(spelled)) {
					t.Errorf("%s holds %q", where, spelled)
				}
			}
		}
	}
	files := func() {
		for _, dir := range dirs {
			filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					data, err := os.ReadFile(path)
					if err != nil {
						t.Error(err)
					}
					search(filepath.Base(path), data)
				}
				return err
			})
		}
	}
	files() // while it is open, with its write-ahead log
	home.Stop()
	gateway.Stop()
	files()
	if log.Len() == 0 {
		t.Error("nothing was logged")
	}
	search("the log", log.Bytes())
	held := records()
	if len(held) < invite.Replicas {
		t.Errorf("the DHT was given %d records", len(held))
	}
	id := home.Info().ID
	secrets = append(secrets, string(id), id.String(), "127.0.0.1")
	for _, record := range held {
		search("a record in the DHT", record)
	}
}

// eavesdrop starts a member of the DHT that is not ours: it takes every record
// and keeps it as it came. records returns all of them, with their keys.
func eavesdrop(t *testing.T) (info discovery.PeerInfo, records func() [][]byte) {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		t.Fatal(err)
	}
	held := dssync.MutexWrap(datastore.NewMapDatastore())
	d, err := dht.New(h, dht.ProtocolPrefix("/anteroom"), dht.Mode(dht.ModeServer), dht.Datastore(held),
		dht.Validator(record.NamespacedValidator{"ipns": gullible{}}), dht.DisableProviders())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Close()
		h.Close()
	})
	return discovery.PeerInfo{ID: h.ID(), Addrs: h.Addrs()}, func() (all [][]byte) {
		got, err := held.Query(context.Background(), query.Query{})
		if err != nil {
			t.Fatal(err)
		}
		entries, err := got.Rest()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, append([]byte(e.Key), e.Value...))
		}
		return all
	}
}

// gullible takes any record.
type gullible struct{}

func (gullible) Validate(string, []byte) error        { return nil }
func (gullible) Select(string, [][]byte) (int, error) { return 0, nil }

func TestJoinNeedsAKeyFrame(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	for _, frame := range [][]byte{nil, {1}, make([]byte, 33), append([]byte{2}, make([]byte, 32)...), make([]byte, 1000)} {
		here, there := wire.Pipe()
		done := make(chan error, 1)
		go func() { done <- home.Join(context.Background(), there, find.Arrival{}) }()
		here.Send(frame)
		if _, err := here.Recv(); !errors.Is(err, wire.ErrBadMessage) && !errors.Is(err, io.EOF) && !errors.Is(err, wire.ErrNotFound) {
			t.Errorf("frame of %d bytes: %v", len(frame), err)
		}
		<-done
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}
