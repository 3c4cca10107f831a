package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery"
)

const (
	maxAsked = 6               // of the peers; a few see what all see
	udpTime  = 3 * time.Second // for a peer to answer; a long round trip is a fifth of it

	skewed    = time.Minute     // more than this is worth mending,
	farSkewed = 5 * time.Minute // and with more than this links open and end at the wrong time
)

// An answer is a peer's.
type answer struct {
	Answer
	err   error
	ahead time.Duration // of the peer's clock, before this computer's
	quic  bool          // the peer says that it can be reached over QUIC
	udp   bool          // it was
}

// known returns the nodes that the operator named.
func (r *run) known() []discovery.Peer {
	return slices.DeleteFunc(r.Discovery.ListPeers(), func(p discovery.Peer) bool { return p.LAN })
}

// probes returns what peers are asked to connect to: at most maxProbes.
func (r *run) probes() (list []Probe) {
	if r.host != "" && len(r.Fronts) == 0 {
		list = append(list, Probe{TCPTLS, r.port, r.host})
	}
	if r.Relay != nil && len(r.Relay.Plain) > 0 {
		port := r.Relay.Plain[0].Port()
		list = append(list, Probe{STUNUDP, port, ""}, Probe{STUNTCP, port, ""})
	}
	if r.Relay != nil && len(r.Relay.TLS) > 0 {
		list = append(list, Probe{STUNTLS, r.port, r.RelayHost})
	}
	return slices.DeleteFunc(list, func(p Probe) bool { return !p.valid() }) // one bad one would spoil the rest
}

// ask asks peers at once, those first that are connected.
func (r *run) ask(ctx context.Context) []answer {
	if !r.Running || r.Discovery == nil {
		return nil
	}
	known := r.known()
	slices.SortStableFunc(known, func(a, b discovery.Peer) int {
		switch {
		case a.Connected == b.Connected:
			return 0
		case a.Connected:
			return -1
		}
		return 1
	})
	known = known[:min(len(known), maxAsked)]
	probes := r.probes()
	answers := make([]answer, len(known))
	var wg sync.WaitGroup
	for i, p := range known {
		wg.Go(func() { // ends with ask
			a, to := &answers[i], peer.AddrInfo{ID: p.ID, Addrs: p.Addrs}
			a.Answer, a.err = ask(ctx, r.Discovery, to, probes)
			a.ahead = a.Time.Sub(r.Clock())
			a.quic = slices.ContainsFunc(p.Addrs, func(m ma.Multiaddr) bool {
				_, err := m.ValueForProtocol(ma.P_QUIC_V1)
				return err == nil
			})
			a.udp = a.QUIC || a.err == nil && a.quic && r.answersUDP(ctx, to)
		})
	}
	wg.Wait()
	return answers
}

// answersUDP reports whether a peer that answered over TCP does so over UDP.
func (r *run) answersUDP(ctx context.Context, p peer.AddrInfo) bool {
	ctx, cancel := context.WithTimeout(ctx, udpTime)
	defer cancel()
	return r.Discovery.AnswersUDP(ctx, p)
}

// heard returns the answers of peers that gave one.
func (r *run) heard() []answer {
	return slices.DeleteFunc(slices.Clone(r.answers()), func(a answer) bool { return a.err != nil })
}

func (r *run) clock(context.Context) finding {
	heard := r.heard()
	if f, ok := r.leap(); ok && len(heard) == 0 {
		return f
	}
	if len(heard) == 0 {
		return skip("No peer answered that could tell the time.", "Ask a friendly practice to be your peer, or compare the clock yourself.")
	}
	// The one in the middle: a single peer with a wrong clock decides nothing
	// among three.
	slices.SortFunc(heard, func(a, b answer) int { return int(max(min(a.ahead-b.ahead, 1), -1)) })
	ahead := heard[len(heard)/2].ahead
	off, which := ahead.Abs(), "behind"
	if ahead < 0 {
		which = "ahead of"
	}
	found := fmt.Sprintf("The clock of this computer is %s %s %s.", span(off), which, count(len(heard), "that of a peer", "those of %d peers"))
	const todo = `Have the clock set by the network (on Linux: "timedatectl set-ntp true").`
	switch {
	case off > farSkewed:
		return fail(found, todo)
	case off > skewed:
		return warn(found, todo)
	}
	if r.BelieveClock != nil {
		r.BelieveClock()
	}
	return pass(fmt.Sprintf("The clock agrees with %s.", count(len(heard), "that of a peer", "those of %d peers")))
}

// leap says that the clock is not believed, which nobody has confirmed.
func (r *run) leap() (finding, bool) {
	if r.Leapt == nil {
		return finding{}, false
	}
	from, to, wait, leapt := r.Leapt()
	if !leapt {
		return finding{}, false
	}
	const form = "2006-01-02 15:04"
	return warn(fmt.Sprintf("The clock of this computer has gone from %s to %s without that time having passed while Anteroom ran, so nothing that is over is deleted for now.", from.Local().Format(form), to.Local().Format(form)),
		fmt.Sprintf("Compare the clock with another, and set it if it is wrong; if it is right, Anteroom believes it after it has run for another %s.", span(wait.Round(time.Hour)+time.Minute))), true
}

func span(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	}
	if d < 2*time.Hour {
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	}
	return fmt.Sprintf("%d hours", int(d.Hours()))
}

func count(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}

// A sight is how a probe went.
type sight struct {
	Result
	at     netip.Addr // where the peer looked
	looked bool       // false: none did, and why says why not
	why    finding
}

// from says where the peer was that looked.
func (s sight) from() string {
	if s.at.IsPrivate() || s.at.IsLoopback() || s.at.IsLinkLocalUnicast() {
		return "from the same network"
	}
	return "from outside"
}

// outside returns how a probe went: well, if it did for one peer. What a peer
// outside sees counts for more than what one in the same network does.
func (r *run) outside(p Probe) (best sight) {
	i := slices.Index(r.probes(), p)
	heard := r.heard()
	for _, a := range heard {
		if a.Outcome != Looked || i < 0 {
			continue
		}
		s := sight{Result: a.Results[i], at: a.Address, looked: true}
		nearer := best.looked && best.from() == "from outside" && s.from() != best.from()
		farther := best.looked && s.from() == "from outside" && s.from() != best.from()
		if !best.looked || farther || !nearer && s.Result == OK {
			best = s
		}
	}
	if !best.looked {
		best.why = r.unseen(heard)
	}
	return best
}

// unseen says why nobody looked from outside.
func (r *run) unseen(heard []answer) finding {
	const friend = "Ask a friendly practice to be your peer, and exchange peer cards with it."
	switch {
	case len(r.known()) == 0:
		return warn("No other node is known that could look from outside.", friend)
	case len(heard) == 0:
		return warn("No peer answered, so nobody looked from outside.", "Ask the peers whether they run, and have this node's peer card.")
	}
	switch heard[0].Outcome {
	case TooOften:
		return warn("Peers were asked too often, so nobody looked from outside.", "Check again in a minute.")
	case Private:
		return warn("All peers are in the same building, so nobody looked from outside.", friend)
	case Looked: // but not at this
		return warn("Peers could not be asked to look at this.", "Write names in the configuration as browsers send them, in small letters and in their xn-- form.")
	default:
		return warn("Peers see this node through a relay only, so nobody looked from outside.", "Open the port of discovery.listen as well, or try from a phone without Wi-Fi.")
	}
}

// meaning says what a bad result means at a port.
func (s sight) meaning(port uint16, over string) string {
	where := fmt.Sprintf("port %d (%s) of %s", port, over, s.at)
	switch s.Result {
	case Refused:
		return "Nothing answers " + s.from() + " at " + where + "."
	case Timeout, Unreachable:
		return "Nothing gets through " + s.from() + " to " + where + "."
	case BadCertificate:
		return "Browsers refuse the certificate at " + where + "."
	}
	return "Something else than Anteroom answers at " + where + "."
}

func (s sight) mend(port uint16, over string) string {
	switch s.Result {
	case BadCertificate:
		return "Use a certificate that is signed for the name in http.public_url by an authority that browsers know."
	case WrongAnswer:
		return fmt.Sprintf("See what else has port %d (%s), in this computer, the router or a proxy.", port, over)
	}
	return fmt.Sprintf("Open port %d (%s) in the firewall, and forward it to this computer in the router.", port, over)
}

// page is about the way by which patients come in. What a peer outside sees
// counts; a page that is elsewhere this computer visits itself.
func (r *run) page(ctx context.Context) finding {
	switch {
	case r.FrontURL != "" || r.host != "" && len(r.Fronts) > 0:
		f, _ := r.visit(ctx, r.place()) // the public node is outside
		r.reached = f.status != Fail
		return f
	case r.host == "":
		return skip("Links work on this computer only, so nothing has to be open to the outside.", "")
	}
	s := r.outside(Probe{TCPTLS, r.port, r.host})
	switch {
	case s.looked && s.Result == OK:
		r.reached = true
		return pass(fmt.Sprintf("A peer reached the page %s, at %s.", s.from(), s.at))
	case r.Proxied:
		return r.proxied(ctx, s)
	case !s.looked:
		return s.why
	default:
		return fail(s.meaning(r.port, "TCP"), s.mend(r.port, "TCP"))
	}
}

// proxied is about a page behind a web server of which no peer has seen it: the
// web server may be at another address than this node.
func (r *run) proxied(ctx context.Context, s sight) finding {
	f, addrs := r.visit(ctx, r.place())
	switch {
	case f.status != Pass:
		return f
	case !s.looked:
		return warn("This computer reaches the page at "+r.PublicURL+", and nobody looked from outside.", s.why.todo)
	case slices.Contains(addrs, s.at): // so patients come to what the peer has seen
		return fail(s.meaning(r.port, "TCP"), s.mend(r.port, "TCP"))
	}
	r.reached = true // at another address than this node's
	return f
}

// addresses is what libp2p's own probes found.
func (r *run) addresses(context.Context) finding {
	if len(r.known()) == 0 {
		return skip("No other node is known that would come to this one.", "")
	}
	return judgeReach(r.Discovery.Reachability())
}

func judgeReach(found discovery.Reachability) finding {
	for _, relay := range found.Relays {
		if relay.Reserved && relay.Connected {
			return pass("Other nodes reach this one through another, which takes calls for it.")
		}
	}
	switch {
	case len(found.Reached) > 0:
		return pass(fmt.Sprintf("Other nodes reach this one at %s.", found.Reached[0]))
	case len(found.Unreached) > 0:
		return warn(fmt.Sprintf("Other nodes do not reach this one at %s.", found.Unreached[0]),
			"Open the ports of discovery.listen in the firewall and the router, or name a node in discovery.relays.")
	case len(found.Untried) > 0:
		return skip("No peer has tried this node's addresses yet.", "Check again in some minutes.")
	}
	return skip("This node has no address on the internet for other nodes to come to, so it calls them.", "")
}

func (r *run) udp(context.Context) finding {
	heard := r.heard()
	offered := false
	for _, a := range heard {
		if a.udp {
			return pass("Peers are reached over UDP.")
		}
		offered = offered || a.quic
	}
	if !offered {
		return skip("No peer answered that could tell whether UDP gets through.", strings.TrimSpace(r.unseen(nil).todo))
	}
	return warn("Peers are reached over TCP only, although they offer UDP.",
		"Allow outgoing UDP in this network's firewall; until then calls from here go through a relay, with more delay.")
}
