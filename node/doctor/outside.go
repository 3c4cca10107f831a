package doctor

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery"
	"anteroom/node/message"
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
		return skip(say("doctor.clock.unseen"), say("doctor.clock.unseen.todo"))
	}
	// The one in the middle: a single peer with a wrong clock decides nothing
	// among three.
	slices.SortFunc(heard, func(a, b answer) int { return int(max(min(a.ahead-b.ahead, 1), -1)) })
	ahead := heard[len(heard)/2].ahead
	off, code := ahead.Abs(), "doctor.clock.behind"
	if ahead < 0 {
		code = "doctor.clock.ahead"
	}
	found := say(code, args{"span": span(off), "n": len(heard)})
	todo := say("doctor.clock.todo")
	switch {
	case off > farSkewed:
		return fail(found, todo)
	case off > skewed:
		return warn(found, todo)
	}
	if r.BelieveClock != nil {
		r.BelieveClock()
	}
	return pass(say("doctor.clock.good", args{"n": len(heard)}))
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
	return warn(say("doctor.clock.leapt", args{"from": from.Local().Format(form), "to": to.Local().Format(form)}),
		say("doctor.clock.leapt.todo", args{"span": span(wait.Round(time.Hour) + time.Minute)})), true
}

// span is a length of time in words.
func span(d time.Duration) message.Message {
	if d < 2*time.Minute {
		return say("doctor.span.seconds", args{"n": int(d.Seconds())})
	}
	if d < 2*time.Hour {
		return say("doctor.span.minutes", args{"n": int(d.Minutes())})
	}
	return say("doctor.span.hours", args{"n": int(d.Hours())})
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
		return near
	}
	return far
}

// Where a peer was that looked: in the same network, or outside.
const (
	near = "near"
	far  = "far"
)

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
		nearer := best.looked && best.from() == far && s.from() != best.from()
		farther := best.looked && s.from() == far && s.from() != best.from()
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
	friend := say("doctor.outside.friend")
	switch {
	case len(r.known()) == 0:
		return warn(say("doctor.outside.nobody"), friend)
	case len(heard) == 0:
		return warn(say("doctor.outside.silent"), say("doctor.outside.silent.todo"))
	}
	switch heard[0].Outcome {
	case TooOften:
		return warn(say("doctor.outside.too-often"), say("doctor.again-in-a-minute"))
	case Private:
		return warn(say("doctor.outside.private"), friend)
	case Looked: // but not at this
		return warn(say("doctor.outside.unasked"), say("doctor.outside.unasked.todo"))
	default:
		return warn(say("doctor.outside.relayed"), say("doctor.outside.relayed.todo"))
	}
}

// What a sight is of.
const (
	ofPage  = "page"
	ofRelay = "relay"
)

// meaning says what a bad result means at a port of the page or of the relay.
func (s sight) meaning(of string, port uint16, over string) message.Message {
	is := args{"of": of, "from": s.from(), "port": portText(port), "over": over, "address": s.at.String()}
	switch s.Result {
	case Refused:
		return say("doctor.sight.refused", is)
	case Timeout, Unreachable:
		return say("doctor.sight.lost", is)
	case BadCertificate:
		return say("doctor.sight.certificate", is)
	}
	return say("doctor.sight.stranger", is)
}

func (s sight) mend(port uint16, over string) message.Message {
	is := args{"port": portText(port), "over": over}
	switch s.Result {
	case BadCertificate:
		return say("doctor.sight.certificate.todo")
	case WrongAnswer:
		return say("doctor.sight.stranger.todo", is)
	}
	return say("doctor.sight.open", is)
}

// portText is a port as people write it, without a mark for thousands.
func portText(port uint16) string { return strconv.Itoa(int(port)) }

// page is about the way by which patients come in. What a peer outside sees
// counts; a page that is elsewhere this computer visits itself.
func (r *run) page(ctx context.Context) finding {
	switch {
	case r.FrontURL != "" || r.host != "" && len(r.Fronts) > 0:
		f, _ := r.visit(ctx, r.entrance()) // the public node is outside
		r.reached = f.status != Fail
		return f
	case r.host == "":
		return skip(say("doctor.page.local"), none)
	}
	s := r.outside(Probe{TCPTLS, r.port, r.host})
	switch {
	case s.looked && s.Result == OK:
		r.reached = true
		return pass(say("doctor.page.reached", args{"from": s.from(), "address": s.at.String()}))
	case r.Proxied:
		return r.proxied(ctx, s)
	case !s.looked:
		return s.why
	default:
		return fail(s.meaning(ofPage, r.port, "TCP"), s.mend(r.port, "TCP"))
	}
}

// proxied is about a page behind a web server of which no peer has seen it: the
// web server may be at another address than this node.
func (r *run) proxied(ctx context.Context, s sight) finding {
	f, addrs := r.visit(ctx, r.entrance())
	switch {
	case f.status != Pass:
		return f
	case !s.looked:
		return warn(say("doctor.page.unconfirmed", args{"url": r.PublicURL}), s.why.todo)
	case slices.Contains(addrs, s.at): // so patients come to what the peer has seen
		return fail(s.meaning(ofPage, r.port, "TCP"), s.mend(r.port, "TCP"))
	}
	r.reached = true // at another address than this node's
	return f
}

// addresses is what libp2p's own probes found.
func (r *run) addresses(context.Context) finding {
	if len(r.known()) == 0 {
		return skip(say("doctor.addresses.none"), none)
	}
	return judgeReach(r.Discovery.Reachability())
}

func judgeReach(found discovery.Reachability) finding {
	for _, relay := range found.Relays {
		if relay.Reserved && relay.Connected {
			return pass(say("doctor.addresses.relayed"))
		}
	}
	switch {
	case len(found.Reached) > 0:
		return pass(say("doctor.addresses.good", args{"address": found.Reached[0].String()}))
	case len(found.Unreached) > 0:
		return warn(say("doctor.addresses.bad", args{"address": found.Unreached[0].String()}),
			say("doctor.addresses.bad.todo"))
	case len(found.Untried) > 0:
		return skip(say("doctor.addresses.untried"), say("doctor.addresses.untried.todo"))
	}
	return skip(say("doctor.addresses.private"), none)
}

func (r *run) udp(context.Context) finding {
	heard := r.heard()
	offered := false
	for _, a := range heard {
		if a.udp {
			return pass(say("doctor.udp.good"))
		}
		offered = offered || a.quic
	}
	if !offered {
		return skip(say("doctor.udp.unseen"), r.unseen(nil).todo)
	}
	return warn(say("doctor.udp.blocked"),
		say("doctor.udp.blocked.todo"))
}
