package node_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery"
	"anteroom/node"
	"anteroom/node/nodetest"
	"anteroom/node/polltest"
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
	taken []string // calls and seats
}

func (g *grants) RevokeSeat(seat string) { g.take("seat " + seat) }
func (g *grants) RevokeCall(call string) { g.take("call " + call) }

func (g *grants) take(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken = append(g.taken, what)
}

// has reports whether what was taken last was that.
func (g *grants) has(what string) func() bool {
	return func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.taken) > 0 && g.taken[len(g.taken)-1] == what
	}
}

func (g *grants) Grant(call, seat string, until time.Time) []wire.ICEServer {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls, g.seats, g.until = append(g.calls, call), append(g.seats, seat), append(g.until, until)
	return []wire.ICEServer{{URLs: []string{g.url}, Username: fmt.Sprint(len(g.calls)), Credential: "secret"}}
}

// Each seat gets credentials of its own on the home node's relay, that outlast
// the window; the relay hears which seats are of one call, and not which call.
func TestSeatsGetPlacesOnTheRelay(t *testing.T) {
	relay := &grants{url: "turn:198.51.100.1:3478"}
	home := nodetest.Start(t, "A", nodetest.Options{Relay: relay})
	a := home.Appointment("Patient", "Carer")
	patient := home.MustGuest(a.Links[0].Link)
	carer := home.MustGuest(a.Links[1].Link)
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
		if !relay.until[i].Equal(a.Closes().Add(4 * time.Hour)) {
			t.Errorf("credentials end at %v, the window at %v", relay.until[i], a.Closes())
		}
	}
	home.MustGuest(a.Links[0].Link)
	if seats := relay.seats; seats[3] != seats[0] || seats[1] == seats[0] || seats[2] == seats[0] || seats[2] == seats[1] || len(seats[0]) != 32 {
		t.Errorf("the relay knows the seats of patient, carer, practitioner and patient as %q", seats)
	}
	other := home.Appointment("Patient")
	home.MustGuest(other.Links[0].Link)
	if relay.calls[4] == relay.calls[0] || relay.seats[4] == relay.seats[0] {
		t.Error("two calls have one name, or their seats")
	}
}

// A call that runs on after the window has a relay, also for who comes back.
func TestPlacesOutlastTheWindow(t *testing.T) {
	var ahead atomic.Int64
	relay := &grants{url: "turn:198.51.100.1:3478"}
	home := nodetest.Start(t, "A", nodetest.Options{Relay: relay, Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	a := home.Appointment("Patient")
	ahead.Store(int64(time.Until(a.Closes()) + 3*time.Hour))
	nodetest.Expect[*wire.Welcome](home.Attend(a.ID), nil)
	if left := relay.until[0].Sub(home.Practice.Now()); left < 4*time.Hour-time.Minute || left > 4*time.Hour {
		t.Errorf("credentials end %v from now", left)
	}
}

// Who is sent away loses their place on the relay, and so does who has lost
// their link; who comes again has another.
func TestPlacesAreTakenBack(t *testing.T) {
	relay := &grants{url: "turn:198.51.100.1:3478"}
	home := nodetest.Start(t, "A", nodetest.Options{Relay: relay})
	guest := func() (host *nodetest.Member, m wire.MemberID, appointment, seat string) {
		a := home.Appointment("Patient")
		host = home.Attend(a.ID)
		nodetest.Expect[*wire.Welcome](host, nil)
		g := home.MustGuest(a.Links[0].Link)
		g.Join("Ana", nil)
		m = nodetest.Expect[*wire.Seat](g, nil).Member
		nodetest.Expect[*wire.Introduce](host, nil)
		relay.mu.Lock()
		defer relay.mu.Unlock()
		return host, m, a.ID, "seat " + relay.seats[len(relay.seats)-1]
	}
	admitted := func() (host *nodetest.Member, m wire.MemberID, appointment, seat string) {
		host, m, appointment, seat = guest()
		host.Say(&wire.Admit{Member: m})
		return host, m, appointment, seat
	}

	host, m, _, seat := guest()
	host.Say(&wire.Deny{Member: m})
	polltest.Eventually(t, "denied", relay.has(seat))

	host, m, _, seat = admitted()
	host.Say(&wire.Remove{Member: m})
	polltest.Eventually(t, "removed", relay.has(seat))

	host, _, _, seat = admitted()
	host.Say(&wire.End{})
	polltest.Eventually(t, "ended", relay.has(seat))

	_, m, _, seat = admitted()
	if err := home.Revoke(t.Context(), m); err != nil || !relay.has(seat)() {
		t.Errorf("revoked: %v, %q", err, relay.taken)
	}
	_, m, _, seat = admitted()
	if _, err := home.Rotate(t.Context(), m); err != nil || !relay.has(seat)() {
		t.Errorf("replaced: %v, %q", err, relay.taken)
	}
	_, _, appointment, _ := admitted()
	call := "call " + relay.calls[len(relay.calls)-1]
	if err := home.Cancel(t.Context(), appointment); err != nil || !relay.has(call)() {
		t.Errorf("cancelled: %v, %q", err, relay.taken)
	}

	taken := len(relay.taken)
	host, m, _, _ = admitted()
	expect := func(state wire.SeatState) {
		nodetest.Expect[*wire.Roster](host, func(r *wire.Roster) bool {
			return slices.ContainsFunc(r.Members, func(e wire.RosterEntry) bool { return e.Member == m && e.State == state })
		})
	}
	expect(wire.SeatAdmitted)
	host.Say(&wire.Leave{}) // the guest waits, with the place that they have
	expect(wire.SeatWaiting)
	if len(relay.taken) != taken {
		t.Errorf("stepping out took %q", relay.taken[taken:])
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
	polltest.Eventually(t, "a lender known", friend.HasRelay)

	welcome := func(n *nodetest.Node) *wire.Welcome {
		return n.MustGuest(n.Appointment("Patient").Links[0].Link).Welcome
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
	polltest.Eventually(t, "the end of the connection", func() bool { return !home.Discovery.Connected(info.ID) })
	if likely := home.LikelyLenders(); len(likely) != 0 {
		t.Errorf("a welcome waits for %v", likely)
	}
	if w := home.MustGuest(a.Links[0].Link).Welcome; w.ICEServers == nil || len(w.ICEServers) != 0 {
		t.Errorf("relays: %+v", w.ICEServers)
	}
}

// stopped is a node that ran once: its directory, and its peer id.
func stopped(t *testing.T, name string) (dir string, id peer.ID) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	n := nodetest.Start(t, name, nodetest.Options{Dir: dir})
	n.Stop()
	return dir, n.Discovery.ID()
}

// Whoever was welcomed while no lender was there hears of the relay when one is,
// before and after they joined, and so does the practitioner. Nobody's connection
// ends for it.
func TestLenderThatComesLater(t *testing.T) {
	dir, lender := stopped(t, "L")
	home := nodetest.Start(t, "A", nodetest.Options{Lenders: []peer.ID{lender}})
	a := home.Appointment("Patient", "Carer")
	host := home.Attend(a.ID)
	if w := nodetest.Expect[*wire.Welcome](host, nil); len(w.ICEServers) != 0 {
		t.Fatalf("relays: %+v", w.ICEServers)
	}
	waits, reads := home.MustGuest(a.Links[0].Link), home.MustGuest(a.Links[1].Link)
	waits.Join("Ana", nil)
	seat := nodetest.Expect[*wire.Seat](waits, nil)

	relay := &grants{url: "turns:relay.example:443?transport=tcp"}
	nodetest.Start(t, "L", nodetest.Options{Dir: dir, Relay: relay, LendTo: []peer.ID{home.Discovery.ID()}, Peers: []discovery.PeerInfo{home.Info()}})
	credentials := make(map[string]bool)
	for who, m := range map[string]*nodetest.Member{"the practitioner": host, "a guest who waits": waits, "a guest who has not joined": reads} {
		servers := nodetest.Expect[*wire.Relays](m, nil).ICEServers
		if len(servers) != 1 || servers[0].URLs[0] != relay.url {
			t.Fatalf("%s hears of %+v", who, servers)
		}
		credentials[servers[0].Username] = true
	}
	if len(credentials) != 3 {
		t.Errorf("seats share credentials: %v", credentials)
	}
	for _, m := range []*nodetest.Member{host, waits} {
		m.Say(&wire.Ping{})
		nodetest.Expect[*wire.Pong](m, nil)
	}
	reads.Join("Ben", nil)
	if s := nodetest.Expect[*wire.Seat](reads, nil); s.State != wire.SeatWaiting || s.Member == seat.Member {
		t.Errorf("seated in %+v", s)
	}
	if w := home.MustGuest(a.Links[0].Link).Welcome; len(w.ICEServers) != 1 {
		t.Errorf("relays of whoever comes now: %+v", w.ICEServers)
	}
}

// A lender that has started again and called lends to whoever comes next,
// however long ago it was last asked.
func TestLenderThatIsBack(t *testing.T) {
	dir, id := stopped(t, "L")
	home := nodetest.Start(t, "A", nodetest.Options{Lenders: []peer.ID{id}})
	a := home.Appointment("Patient")
	relay := &grants{url: "turns:relay.example:443?transport=tcp"}
	for range 3 {
		lender := nodetest.Start(t, "L", nodetest.Options{Dir: dir, Relay: relay, LendTo: []peer.ID{home.Discovery.ID()}, Peers: []discovery.PeerInfo{home.Info()}})
		polltest.Eventually(t, "the lender's call", func() bool { return home.Discovery.Connected(id) })
		if w := home.MustGuest(a.Links[0].Link).Welcome; len(w.ICEServers) != 1 {
			t.Errorf("relays: %+v", w.ICEServers)
		}
		lender.Stop()
		polltest.Eventually(t, "no lender", func() bool { return !home.HasRelay() })
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
	guest := home.MustGuest(a.Links[0].Link)
	for _, path := range []wire.PathResult{wire.PathBlocked, wire.PathSlow} {
		guest.Say(&wire.Tested{Path: path})
		polltest.Eventually(t, string(path), func() bool { last, _ := home.Tested(member); return last.Path == path })
	}
	<-changed
	if len(home.Seats(a.ID)) != 0 {
		t.Error("a test took the seat")
	}
	for range node.MaxTests - 2 { // no more: the node hangs up on who says more
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
	if w := home.MustGuest(a.Links[0].Link).Welcome; !w.RelayOnly {
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
