package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
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
		return skip("No patient comes to this node directly, so it needs no certificate.", "")
	case r.Proxied:
		return skip("The proxy has the certificate.", "")
	case r.Certificate == nil:
		return skip("Whether there is a certificate can be seen only while Anteroom runs.", "")
	}
	c, err := r.Certificate()
	if err != nil {
		return fail("There is no certificate that can be used: "+sentence(err.Error()), "Correct http.tls, or put the right files there.")
	}
	why, todo := "", "Have the two files of http.tls renewed."
	if c.Reason != "" {
		why = " Renewing it failed: " + sentence(c.Reason)
	}
	switch {
	case c.Mode != "acme":
	case len(r.Fronts) > 0: // which have the ports, and pass the authority on like any visitor
		todo = "See that the name leads to the public node, and that its front.pass_to has it; Anteroom tries again by itself."
	default:
		todo = "See that the name leads to this computer and that ports 443 and 80 are open; Anteroom tries again by itself."
	}
	switch left := time.Until(c.NotAfter); { // by the clock that browsers' are like
	case c.NotAfter.IsZero() && c.Reason == "":
		return warn("The certificate has been asked for, and is not there yet.", "Check again in a minute.")
	case c.NotAfter.IsZero():
		return fail("There is no certificate yet: "+sentence(c.Reason), todo)
	case left <= 0:
		return fail(strings.TrimSuffix("The certificate ended on "+day(c.NotAfter)+"."+why, " "), todo)
	case time.Until(c.NotBefore) > 0:
		return fail("The certificate is not good before "+day(c.NotBefore)+".", "Compare this computer's clock with another; if it is right, use the certificate of before.")
	case !covers(c.Names, r.host):
		return fail(fmt.Sprintf("The certificate is for %s, not for %s.", listed(c.Names), r.host), "Get one for the name in http.public_url.")
	case c.Alert:
		return warn("The certificate ends on "+day(c.NotAfter)+" and should have been renewed."+why, todo)
	case c.LacksIssuer:
		return warn("The file of the certificate does not hold that of its issuer, so phones and some programs refuse it.",
			"Use the file with the whole chain for http.tls.cert_file, which is often called fullchain.pem.")
	case c.Reason != "":
		return warn("The certificate is good until "+day(c.NotAfter)+"."+why, todo)
	}
	return pass(fmt.Sprintf("The certificate for %s is good until %s.", r.host, day(c.NotAfter)))
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
		return skip("Patients come by no name of this node, so there is none to look up.", "")
	}
	own, seen := r.ownAddresses()
	var good []string
	for _, host := range hosts {
		addrs, err := r.lookUp(ctx, host)
		switch {
		case isMissing(err):
			where := "this computer's public address"
			switch {
			case len(r.Fronts) > 0:
				where = "the public node"
			case r.Proxied:
				where = "the web server"
			}
			return fail(fmt.Sprintf("The name %s is not in the DNS.", host),
				"Have whoever manages the domain add an A or AAAA record that leads to "+where+".")
		case err != nil:
			return warn(fmt.Sprintf("The name %s could not be looked up now.", host), "See that this computer is online and has a DNS server.")
		}
		strange := slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return slices.Contains(own, a) })
		switch elsewhere := r.Proxied || len(r.Fronts) > 0; {
		case elsewhere || len(strange) == 0:
		case len(strange) == len(addrs):
			todo := "Change the record to this computer's public address; if a router forwards ports to this computer, compare it with the router's."
			if seen != "" {
				todo = "Peers see this computer at " + seen + ": change the record to that, unless patients come in at another address on purpose."
			}
			return warn(fmt.Sprintf("The name %s leads to %s, which %s not known to be this node.", host, texts(strange), plural(strange, "is", "are")), todo)
		default: // browsers choose among them, so it works for some patients and now and then
			return warn(fmt.Sprintf("The name %s leads here, but also to %s, which %s not known to be this node.", host, texts(strange), plural(strange, "is", "are")),
				fmt.Sprintf("Take %s out of the DNS, unless %s to this node as well.", texts(strange), plural(strange, "it leads", "they lead")))
		}
		good = append(good, fmt.Sprintf("%s leads to %s", host, texts(addrs)))
	}
	return pass("The name " + listed(good) + ".")
}

// texts writes addresses for a sentence.
func texts(addrs []netip.Addr) string {
	items := make([]string, len(addrs))
	for i, a := range addrs {
		items[i] = a.String()
	}
	return listed(items)
}

func plural(addrs []netip.Addr, one, many string) string {
	if len(addrs) == 1 {
		return one
	}
	return many
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
