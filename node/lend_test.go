package node_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
	"anteroom/node/nodetest"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// A grants is a relay that only counts: credentials of one seat are numbered.
type grants struct {
	url string

	mu    sync.Mutex
	calls []string
	seats []string
	until []time.Time
}

func (g *grants) Grant(call, seat string, until time.Time) []wire.ICEServer {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls, g.seats, g.until = append(g.calls, call), append(g.seats, seat), append(g.until, until)
	return []wire.ICEServer{{URLs: []string{g.url}, Username: fmt.Sprint(len(g.calls)), Credential: "secret"}}
}

// Each seat gets credentials of its own on the home node's relay, that end with
// the window; the relay hears which seats are of one call, and not which call.
func TestSeatsGetPlacesOnTheRelay(t *testing.T) {
	relay := &grants{url: "turn:198.51.100.1:3478"}
	home := nodetest.Start(t, "A", nodetest.Options{Relay: relay})
	a := home.Appointment("Patient", "Carer")
	patient := home.MustGuest(*a.Invites[0].Link)
	carer := home.MustGuest(*a.Invites[1].Link)
	host := nodetest.Expect[*wire.Welcome](home.Attend(a.ID), nil)
	seen := map[string]bool{}
	for _, w := range []*wire.Welcome{patient.Welcome, carer.Welcome, host} {
		if len(w.ICEServers) != 1 || w.ICEServers[0].URLs[0] != relay.url || w.ICEServers[0].Credential != "secret" {
			t.Fatalf("relays of a seat: %+v", w.ICEServers)
		}
		seen[w.ICEServers[0].Username] = true
	}
	if len(seen) != 3 {
		t.Errorf("seats share credentials: %v", seen)
	}
	for i, call := range relay.calls {
		if call != relay.calls[0] || call == a.ID || len(call) != 32 {
			t.Errorf("the relay knows the call as %q, of %q", call, a.ID)
		}
		if !relay.until[i].Equal(a.Closes()) {
			t.Errorf("credentials end at %v, the window at %v", relay.until[i], a.Closes())
		}
	}
	home.MustGuest(*a.Invites[0].Link)
	if seats := relay.seats; seats[3] != seats[0] || seats[1] == seats[0] || seats[2] == seats[0] || seats[2] == seats[1] || len(seats[0]) != 32 {
		t.Errorf("the relay knows the seats of patient, carer, practitioner and patient as %q", seats)
	}
	other := home.Appointment("Patient")
	home.MustGuest(*other.Invites[0].Link)
	if relay.calls[4] == relay.calls[0] || relay.seats[4] == relay.seats[0] {
		t.Error("two calls have one name, or their seats")
	}
}

func TestRelayIsLentToThoseOnTheList(t *testing.T) {
	relay := &grants{url: "turns:relay.example:443?transport=tcp"}
	dir := filepath.Join(t.TempDir(), "data")
	first := nodetest.Start(t, "F", nodetest.Options{Dir: dir})
	id := first.Info().ID
	first.Stop()
	lender := nodetest.Start(t, "L", nodetest.Options{Relay: relay, LendTo: []peer.ID{id}})
	info := lender.Info()
	borrow := nodetest.Options{Peers: []discovery.PeerInfo{info}, Lenders: []peer.ID{info.ID}}
	stranger := nodetest.Start(t, "S", borrow)
	borrow.Dir = dir
	friend := nodetest.Start(t, "F", borrow)
	nodetest.Until(t, "a lender known", friend.HasRelay)

	welcome := func(n *nodetest.Node) *wire.Welcome {
		return n.MustGuest(*n.Appointment("Patient").Invites[0].Link).Welcome
	}
	if got := welcome(friend).ICEServers; len(got) != 1 || got[0].URLs[0] != relay.url {
		t.Errorf("a friend was lent %+v", got)
	}
	if seats := relay.seats; seats[len(seats)-1] == seats[0] || len(seats[0]) != 32 {
		t.Errorf("the lender knows two seats as %q", seats)
	}
	if got := welcome(stranger).ICEServers; len(got) != 0 {
		t.Errorf("a stranger was lent %+v", got)
	}
	if stranger.HasRelay() {
		t.Error("a stranger believes that it has a relay")
	}
}

// A lender that is gone holds up no welcome.
func TestLenderThatIsGone(t *testing.T) {
	lender := nodetest.Start(t, "L", nodetest.Options{})
	info := lender.Info()
	home := nodetest.Start(t, "A", nodetest.Options{Peers: []discovery.PeerInfo{info}, Lenders: []peer.ID{info.ID}})
	lender.Stop()
	a := home.Appointment("Patient", "Carer")
	start := time.Now()
	if w := home.MustGuest(*a.Invites[0].Link).Welcome; w.ICEServers == nil || len(w.ICEServers) != 0 {
		t.Errorf("relays: %+v", w.ICEServers)
	}
	if took := time.Since(start); took > 900*time.Millisecond {
		t.Errorf("the welcome waited %v for a lender that lends nothing", took)
	}
}

// What a guest's browser finds out before they join is there for the
// practitioner, also while it is too early; the seat stays free.
func TestGuestTestsTheConnectionBeforeJoining(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	a, err := home.Practice.Create(t.Context(), home.Practitioner.ID, practice.New{
		Starts: home.Practice.Now().Add(24 * time.Hour), Minutes: 30, Guests: []string{"Patient"},
	})
	if err != nil {
		t.Fatal(err)
	}
	member := a.Invites[0].Member
	changed, stop := home.Watch()
	defer stop()
	guest := home.MustGuest(*a.Invites[0].Link)
	for _, path := range []wire.PathResult{wire.PathBlocked, wire.PathSlow} {
		guest.Say(&wire.Tested{Path: path})
		nodetest.Until(t, string(path), func() bool { last, _ := home.Tested(member); return last.Path == path })
	}
	<-changed
	if len(home.Seats(a.ID)) != 0 {
		t.Error("a test took the seat")
	}
	for range 20 {
		guest.Say(&wire.Tested{Path: wire.PathGood})
	}
	if bye := nodetest.Expect[*wire.Bye](guest, nil); bye.Code != wire.CodeTooMany {
		t.Errorf("bye %s", bye.Code)
	}
}

func TestRelayOnlyIsThePolicyOfTheAppointment(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{Relay: &grants{url: "turn:198.51.100.1"}})
	a, err := home.Practice.Create(t.Context(), home.Practitioner.ID, practice.New{
		Starts: home.Practice.Now(), Minutes: 30, Guests: []string{"Patient"}, RelayOnly: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if w := home.MustGuest(*a.Invites[0].Link).Welcome; !w.RelayOnly {
		t.Error("the guest is not told to hide")
	}
	if w := nodetest.Expect[*wire.Welcome](home.Attend(a.ID), nil); !w.RelayOnly {
		t.Error("the practitioner is not told to hide")
	}
	again, err := home.Practice.Appointment(t.Context(), a.ID)
	if err != nil || !again.RelayOnly {
		t.Errorf("stored as %+v, %v", again, err)
	}
}
