package doctor

import (
	"context"
	"crypto/tls"
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

// relay makes an allocation on the node's own relay, at its own sockets, and sees
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
		return skip(say("doctor.relay.off", args{"over": over}), none)
	}
	if kind != STUNTLS {
		probe.Port = local[0].Port()
	}
	trying, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if err := r.Relay.Try(trying, network, here(local[0]).String(), cfg); late(err) {
		return fail(say("doctor.relay.silent", args{"over": over}),
			say("doctor.relay.silent.todo"))
	} else if err != nil {
		return fail(say("doctor.relay.refuses", args{"over": over, "problem": clause(err.Error())}), say("doctor.relay.refuses.todo"))
	}
	s := r.outside(probe)
	switch {
	case !s.looked:
		return pass(say("doctor.relay.here", args{"over": over}))
	case s.Result == OK:
		return pass(say("doctor.relay.good", args{"over": over, "from": s.from()}))
	}
	is := warn
	if !r.relayedFromOutside() { // then calls fail that need a relay, not only take another way
		is = fail
	}
	transport := "TCP"
	if kind == STUNUDP {
		transport = "UDP"
	}
	return is(s.meaning(ofRelay, probe.Port, transport), s.mend(probe.Port, transport))
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
		return skip(say("doctor.relay.none"), none)
	}
	return warn(say("doctor.relay.missing"),
		say("doctor.relay.missing.todo"))
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
		return skip(say("doctor.lenders.none"), none)
	}
	switch lending, all := r.Lenders(); {
	case all == 0:
		return skip(say("doctor.lenders.none"), none)
	case lending == 0:
		return warn(say("doctor.lenders.silent"), say("doctor.lenders.silent.todo"))
	default:
		if r.Relay != nil { // or else the checks of the relay are about what is lent
			for _, f := range []finding{r.borrowedRelay("UDP", STUNUDP), r.borrowedRelay("TCP", STUNTCP), r.borrowedRelay("TLS", STUNTLS)} {
				if f.status == Fail {
					return warn(f.found, f.todo)
				}
			}
		}
		return pass(say("doctor.lenders.good", args{"n": lending, "all": all}))
	}
}
