package node_test

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
	"anteroom/node/find"
	"anteroom/node/nodetest"
	"anteroom/node/polltest"
	"anteroom/node/practice"
	"anteroom/rendezvous"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// hospital is where the guests of these tests are, and now and then the flood.
var hospital = netip.MustParseAddr("203.0.113.7")

// A site is a practice whose home node is reached through its gateway alone.
type site struct {
	t             *testing.T
	home, gateway *nodetest.Node
	card          discovery.PeerInfo // home's
	dir           string             // gateway's
}

// newSite starts one. A home node of an older version does not tell.
func newSite(t *testing.T, tells bool, and ...func(*nodetest.Options)) *site {
	homeDir, home := stopped(t, "A")
	dir := filepath.Join(t.TempDir(), "data")
	s := &site{t: t, dir: dir}
	s.gateway = nodetest.Start(t, "G", nodetest.Options{Dir: dir, Public: true, GuestsOf: []peer.ID{home}, Partners: []peer.ID{home}})
	o := nodetest.Options{Dir: homeDir, Hidden: true, Peers: []discovery.PeerInfo{s.gateway.Info()}}
	if tells {
		o.Gateways, o.Partners = ids(s.gateway), ids(s.gateway)
	}
	for _, f := range and {
		f(&o)
	}
	s.home = nodetest.Start(t, "A", o)
	s.card = s.home.Info()
	polltest.Eventually(t, "the home node's call", func() bool { return s.gateway.Discovery.Connected(home) })
	return s
}

func ids(n *nodetest.Node) []peer.ID { return []peer.ID{n.Discovery.ID()} }

// restart starts the gateway again; it calls the home node, whose card it has.
func (s *site) restart() {
	s.t.Helper()
	s.gateway.Stop()
	home := ids(s.home)
	s.gateway = nodetest.Start(s.t, "G", nodetest.Options{Dir: s.dir, Public: true, GuestsOf: home, Partners: home, Peers: []discovery.PeerInfo{s.card}})
}

// appointments makes n that are open now.
func (s *site) appointments(n int) (links []invite.Link) {
	for range n {
		links = append(links, s.home.Appointment("Patient").Links[0].Link)
	}
	return links
}

// told waits until the gateway has been told of the invite that was made last.
func (s *site) told(link invite.Link) {
	s.t.Helper()
	polltest.Eventually(s.t, "the gateway is told", func() bool { return s.gateway.Told(link.Keys().Rendezvous.RID()) })
}

// flood has strangers of all networks, and of the guests' own, open random links
// at the gateway, each as soon as its last one was refused, until stop is called.
func (s *site) flood(strangers int) (stop func() (tries int64)) {
	var tries atomic.Int64
	over := make(chan struct{})
	var running sync.WaitGroup
	gateway := s.gateway
	for i := range strangers {
		running.Go(func() { // ends with over
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				default:
				}
				from := hospital
				if i%2 == 0 {
					from = netip.MustParseAddr(fmt.Sprintf("10.%d.%d.1", n/256%256, n%256))
				}
				var key [32]byte
				copy(key[:], fmt.Sprint("random ", i, " ", n))
				here, there := wire.Pipe()
				if err := rendezvous.SendKey(here, invite.NewRendezvousKey(&key)); err != nil {
					s.t.Error(err)
				}
				if gateway.Join(s.t.Context(), there, find.Arrival{From: from, Public: true}) == nil {
					s.t.Error("a random link leads somewhere")
				}
				here.Close(nil)
				tries.Add(1)
			}
		})
	}
	return sync.OnceValue(func() int64 {
		close(over)
		running.Wait()
		return tries.Load()
	})
}

// enter opens all links at the gateway and says how many of them failed.
func (s *site) enter(links []invite.Link) (failed int) {
	s.t.Helper()
	for _, link := range links {
		guest, err := s.gateway.GuestFrom(hospital, link)
		if err != nil {
			s.t.Logf("a guest does not come in: %v", err)
			failed++
			continue
		}
		if guest.Welcome.State != wire.WindowOpen {
			s.t.Errorf("welcome: %+v", guest.Welcome)
		}
		guest.Conn.Close(nil)
	}
	return failed
}

// However many random links strangers open at a gateway, guests of the practice
// come in.
func TestFloodOfRandomLinks(t *testing.T) {
	s := newSite(t, true)
	links := s.appointments(100)
	s.told(links[99])
	stop := s.flood(8)
	defer stop()
	if failed := s.enter(links); failed > 0 {
		t.Errorf("%d of %d guests fail", failed, len(links))
	}
	if tries := stop(); tries < 100 {
		t.Errorf("a flood of %d links", tries)
	}
}

// The same from the moment in which the gateway and the home node start again:
// guests wait until the home node has called and told.
func TestFloodAtAGatewayThatHasJustStarted(t *testing.T) {
	s := newSite(t, true)
	links := s.appointments(10)
	s.home.Stop()
	s.restart()
	stop := s.flood(8)
	defer stop()
	welcomed := make(chan error)
	for _, link := range links {
		go func() { // ends with what is read below
			_, err := s.gateway.GuestFrom(hospital, link)
			welcomed <- err
		}()
	}
	s.home = nodetest.Start(t, "A", nodetest.Options{Dir: s.home.Dir, Hidden: true, Peers: []discovery.PeerInfo{s.gateway.Info()}, Gateways: ids(s.gateway), Partners: ids(s.gateway)})
	for range links {
		if err := <-welcomed; err != nil {
			t.Errorf("a guest who came before the home node: %v", err)
		}
	}
	later := s.home.Appointment("Patient").Links[0].Link
	s.told(later)
	if failed := s.enter(append(links, later)); failed > 0 {
		t.Errorf("later, %d guests fail", failed)
	}
	if tries := stop(); tries == 0 {
		t.Error("there was no flood")
	}
}

// And when only the gateway starts again.
func TestGatewayThatIsBackIsTold(t *testing.T) {
	s := newSite(t, true)
	links := s.appointments(3)
	for range 3 {
		s.restart()
		s.told(links[2])
		if failed := s.enter(links); failed > 0 {
			t.Errorf("%d of %d guests fail", failed, len(links))
		}
	}
}

// A home node of an older version does not tell. Its guests come in as long as
// those of their own network open few links that nobody knows.
func TestHomeNodeThatDoesNotTell(t *testing.T) {
	s := newSite(t, false)
	links := s.appointments(3)
	if failed := s.enter(links); failed > 0 {
		t.Errorf("%d of %d guests fail", failed, len(links))
	}
	s.restart()
	if failed := s.enter(links); failed > 0 {
		t.Errorf("after a restart of the gateway, %d of %d guests fail", failed, len(links))
	}
}

// Each network may have few links that nobody knows looked for at once, and
// strangers of other networks have no part in that. What is known costs nothing.
func TestUnknownLinksHaveABudget(t *testing.T) {
	s := newSite(t, true)
	known := s.appointments(2)
	s.told(known[1])
	unknown := func(from netip.Addr) error {
		made, err := invite.New()
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.gateway.GuestFrom(from, made.Link)
		return err
	}
	looked := 0
	for !errors.Is(unknown(hospital), wire.ErrTooMany) {
		if looked++; looked > 1000 {
			t.Fatal("there is no end to them")
		}
	}
	if looked == 0 {
		t.Error("none is looked for")
	}
	if err := unknown(netip.MustParseAddr("198.51.100.1")); !errors.Is(err, wire.ErrNotFound) {
		t.Errorf("from another network: %v, want not-found", err)
	}
	if failed := s.enter(known); failed > 0 {
		t.Errorf("%d guests of a network that opens unknown links fail", failed)
	}
}

// Every link that is answered with a sentence is known, and its window need not
// be open; one that was forgotten is known no more.
func TestLinksThatAreNotOpenAreKnown(t *testing.T) {
	clock := &hands{now: time.Now()}
	s := newSite(t, true, func(o *nodetest.Options) { o.Clock = clock.Now })
	at := func(in time.Duration) practice.Made {
		t.Helper()
		a, err := s.home.Practice.Create(t.Context(), s.home.Practitioner.ID, practice.New{Starts: clock.Now().Add(in), Minutes: 5, Guests: []string{"Patient"}})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ended, revoked, cancelled, early := at(0), at(time.Hour), at(time.Hour), at(300*24*time.Hour)
	links := make(map[string]invite.Link)
	for what, a := range map[string]practice.Made{"ended": ended, "revoked": revoked, "cancelled": cancelled, "early": early} {
		links[what] = a.Links[0].Link
		s.told(links[what])
	}
	if err := s.home.Revoke(t.Context(), revoked.Invites[0].Member); err != nil {
		t.Fatal(err)
	}
	if err := s.home.Cancel(t.Context(), cancelled.ID); err != nil {
		t.Fatal(err)
	}
	clock.pass(time.Hour + 10*time.Minute)
	s.restart() // so that nothing is known from before
	for what, link := range links {
		s.told(link)
		guest, err := s.gateway.GuestFrom(hospital, link)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if state := guest.Welcome.State; state == wire.WindowOpen || (state == wire.WindowEarly) != (what == "early") {
			t.Errorf("%s: the guest is told %q", what, guest.Welcome.State)
		}
	}
	for range 2 { // a day at once would not be believed
		clock.pass(13 * time.Hour)
		s.home.Clear()
	}
	polltest.Eventually(t, "the gateway is told what was forgotten", func() bool {
		return !s.gateway.Told(links["ended"].Keys().Rendezvous.RID())
	})
	s.told(links["early"])
}

// hands are those of a clock that the test moves.
type hands struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// Who is not one of those whose guests come in here tells nothing.
func TestStrangersTellNothing(t *testing.T) {
	gateway := nodetest.Start(t, "G", nodetest.Options{Public: true})
	stranger := nodetest.Start(t, "S", nodetest.Options{Peers: []discovery.PeerInfo{gateway.Info()}})
	stream, err := stranger.Discovery.Open(t.Context(), peer.AddrInfo{ID: gateway.Discovery.ID(), Addrs: gateway.Info().Addrs}, "/anteroom/mine/1")
	if err != nil {
		t.Fatal(err)
	}
	rid := [32]byte{7}
	stream.SetDeadline(time.Now().Add(20 * time.Second))
	stream.Write(append(append([]byte{1, 1, 0, 1}, rid[:]...), 3, 0, 0)) // refused or not
	if _, err := stream.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
		t.Errorf("the stranger hears %v", err)
	}
	if gateway.Told(rid) {
		t.Error("a stranger is believed")
	}
}
