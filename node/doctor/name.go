package doctor

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"anteroom/node/message"
)

func portOf(u *url.URL) uint16 {
	switch {
	case u.Port() != "":
	case u.Scheme == "http":
		return 80
	default:
		return 443
	}
	n, _ := strconv.ParseUint(u.Port(), 10, 16) // url.Parse lets digits alone through
	return uint16(n)
}

func (r *run) certificate(context.Context) finding {
	switch {
	case r.PublicURL == "":
		return skip(say("doctor.certificate.unneeded"), none)
	case r.Proxied:
		return skip(say("doctor.certificate.proxied"), none)
	case r.Certificate == nil:
		return skip(say("doctor.certificate.unseen"), none)
	}
	c, err := r.Certificate()
	if err != nil {
		return fail(say("doctor.certificate.bad", args{"problem": clause(err.Error())}), say("doctor.certificate.bad.todo"))
	}
	todo := say("doctor.certificate.renew-files")
	switch {
	case c.Mode != "acme":
	case len(r.Fronts) > 0: // which have the ports, and pass the authority on like any visitor
		todo = say("doctor.certificate.renew-behind")
	default:
		todo = say("doctor.certificate.renew-here")
	}
	is := args{"day": day(c.NotAfter), "from": day(c.NotBefore), "why": clause(c.Reason), "names": c.Names, "name": r.host}
	switch left := time.Until(c.NotAfter); { // by the clock that browsers' are like
	case c.NotAfter.IsZero() && c.Reason == "":
		return warn(say("doctor.certificate.asked"), say("doctor.again-in-a-minute"))
	case c.NotAfter.IsZero():
		return fail(say("doctor.certificate.none", is), todo)
	case left <= 0:
		return fail(say("doctor.certificate.ended", is), todo)
	case time.Until(c.NotBefore) > 0:
		return fail(say("doctor.certificate.early", is), say("doctor.certificate.early.todo"))
	case !covers(c.Names, r.host):
		return fail(say("doctor.certificate.other-name", is), say("doctor.certificate.other-name.todo"))
	case c.Alert:
		return warn(say("doctor.certificate.overdue", is), todo)
	case c.LacksIssuer:
		return warn(say("doctor.certificate.no-chain"),
			say("doctor.certificate.no-chain.todo"))
	case c.Reason != "":
		return warn(say("doctor.certificate.not-renewed", is), todo)
	}
	return pass(say("doctor.certificate.good", is))
}

func day(t time.Time) string { return t.Local().Format("2006-01-02") }

// covers reports whether one of a certificate's names is host.
func covers(names []string, host string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		if suffix, wild := strings.CutPrefix(name, "*."); wild {
			_, rest, _ := strings.Cut(host, ".")
			return strings.EqualFold(suffix, rest)
		}
		return strings.EqualFold(name, host)
	})
}

// dns looks up the names by which browsers find the page and the relay.
func (r *run) dns(ctx context.Context) finding {
	hosts := []string{}
	for _, host := range []string{r.host, r.RelayHost} {
		if _, err := netip.ParseAddr(host); host != "" && err != nil && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) == 0 {
		return skip(say("doctor.dns.none"), none)
	}
	own, seen := r.ownAddresses()
	var good []message.Message
	for _, host := range hosts {
		addrs, err := r.lookUp(ctx, host)
		switch {
		case isMissing(err):
			where := "here"
			switch {
			case len(r.Fronts) > 0:
				where = publicNode
			case r.Proxied:
				where = webServer
			}
			return fail(say("doctor.dns.missing", args{"name": host}), say("doctor.dns.missing.todo", args{"where": where}))
		case err != nil:
			return warn(say("doctor.dns.unknown", args{"name": host}), say("doctor.dns.unknown.todo"))
		}
		strange := slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return slices.Contains(own, a) })
		switch elsewhere := r.Proxied || len(r.Fronts) > 0; {
		case elsewhere || len(strange) == 0:
		case len(strange) == len(addrs):
			todo := say("doctor.dns.elsewhere.todo")
			if seen != "" {
				todo = say("doctor.dns.elsewhere.todo-seen", args{"address": seen})
			}
			return warn(say("doctor.dns.elsewhere", args{"name": host, "addresses": texts(strange), "n": len(strange)}), todo)
		default: // browsers choose among them, so it works for some patients and now and then
			is := args{"name": host, "addresses": texts(strange), "n": len(strange)}
			return warn(say("doctor.dns.also", is), say("doctor.dns.also.todo", is))
		}
		good = append(good, say("doctor.dns.leads", args{"name": host, "addresses": texts(addrs)}))
	}
	return pass(say("doctor.dns.good", args{"names": good}))
}

// texts writes addresses for a sentence.
func texts(addrs []netip.Addr) []string {
	items := make([]string, len(addrs))
	for i, a := range addrs {
		items[i] = a.String()
	}
	return items
}

// ownAddresses are those of this computer, and those at which peers see it, of
// which the first is also returned as text.
func (r *run) ownAddresses() (own []netip.Addr, seen string) {
	if addrs, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					own = append(own, ip.Unmap())
				}
			}
		}
	}
	for _, a := range r.answers() {
		if a.Address.IsValid() {
			own = append(own, a.Address)
			if seen == "" {
				seen = a.Address.String()
			}
		}
	}
	return own, seen
}
