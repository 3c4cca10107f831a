package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
)

func (r *run) relayUDP(ctx context.Context) finding {
	return r.relay(ctx, "UDP", STUNUDP)
}

func (r *run) relayTCP(ctx context.Context) finding {
	return r.relay(ctx, "TCP", STUNTCP)
}

func (r *run) relayTLS(ctx context.Context) finding {
	return r.relay(ctx, "TLS", STUNTLS)
}

// relay takes a place on the node's own relay, at its own sockets, and sees
// what peers see of it.
func (r *run) relay(ctx context.Context, over string, kind Kind) finding {
	switch {
	case r.Relay != nil:
	case len(r.loans()) > 0:
		return r.borrowedRelay(over, kind)
	default:
		return r.noRelay(over)
	}
	network, cfg, local, probe := "tcp", (*tls.Config)(nil), r.Relay.Plain, Probe{Kind: kind}
	switch kind {
	case STUNUDP:
		network = "udp"
	case STUNTLS:
		local, probe = r.Relay.TLS, Probe{STUNTLS, r.port, r.RelayHost}
		// Whether the certificate is good is asked elsewhere.
		cfg = &tls.Config{ServerName: r.RelayHost, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	}
	if len(local) == 0 {
		return skip("The relay does not listen for "+over+".", "")
	}
	if kind != STUNTLS {
		probe.Port = local[0].Port()
	}
	trying, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if err := r.Relay.Try(trying, network, here(local[0]).String(), cfg); late(err) {
		return fail("The relay does not answer over "+over+" on this computer.", "Restart Anteroom; if that does not help, see whether a firewall on this computer stops it.")
	} else if err != nil {
		return fail(fmt.Sprintf("The relay gives out no place over %s: %s", over, sentence(err.Error())), "Restart Anteroom; if that does not help, see its log.")
	}
	s := r.outside(probe)
	switch {
	case !s.looked:
		return pass("The relay works over " + over + " on this computer; nobody looked from outside.")
	case s.Result == OK:
		return pass("The relay works over " + over + ", also " + s.from() + ".")
	}
	say := warn
	if !r.relayedFromOutside() { // then calls fail that need a relay, not only take another way
		say = fail
	}
	transport := "TCP"
	if kind == STUNUDP {
		transport = "UDP"
	}
	f := say(s.meaning(probe.Port, transport), s.mend(probe.Port, transport))
	f.found = "Of the relay: " + inner(f.found)
	return f
}

// relayedFromOutside reports whether a peer got an answer from the relay over
// any transport.
func (r *run) relayedFromOutside() bool {
	for _, p := range r.probes() {
		if p.Kind == TCPTLS {
			continue
		}
		if s := r.outside(p); s.looked && s.Result == OK {
			return true
		}
	}
	return false
}

// noRelay is said once, over UDP: the best way to have one.
func (r *run) noRelay(over string) finding {
	if over != "UDP" || r.PublicURL == "" && r.FrontURL == "" {
		return skip("This node has no relay of its own.", "")
	}
	return warn("There is no relay, so calls fail where networks keep browsers from reaching each other.",
		"Set relay.host, or borrow a relay with relay.borrow_from.")
}

// here returns where this computer finds what listens at an address.
func here(a netip.AddrPort) netip.AddrPort {
	switch {
	case !a.Addr().IsUnspecified():
		return a
	case a.Addr().Is4():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port())
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), a.Port())
}

func (r *run) lenders(context.Context) finding {
	if r.Lenders == nil {
		return skip("This node borrows no relay.", "")
	}
	switch lending, all := r.Lenders(); {
	case all == 0:
		return skip("This node borrows no relay.", "")
	case lending == 0:
		return warn("No node lends its relay to this one now.", "Ask those in relay.borrow_from to run, and to have this node in relay.lend_to.")
	default:
		if r.Relay != nil { // or else the checks of the relay are about what is lent
			for _, f := range []finding{r.borrowedRelay("UDP", STUNUDP), r.borrowedRelay("TCP", STUNTCP), r.borrowedRelay("TLS", STUNTLS)} {
				if f.status == Fail {
					return warn(f.found, f.todo)
				}
			}
		}
		return pass(fmt.Sprintf("%d of %d nodes lend their relay to this one.", lending, all))
	}
}
