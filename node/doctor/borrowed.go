package doctor

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxLoans is how many URLs of borrowed relays are tried: those of some nodes,
// each over all transports.
const maxLoans = 12

// A loan is the relay of another node over one transport, and how it answered.
type loan struct {
	Probe
	err error
}

// parseLoan reads a URL of RFC 7065. ok is false for transports that have no
// check of their own.
func parseLoan(text string) (l loan, ok bool) {
	scheme, rest, _ := strings.Cut(text, ":")
	where, query, _ := strings.Cut(rest, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return loan{}, false
	}
	port := "3478"
	switch transport := values.Get("transport"); {
	case scheme == "turn" && (transport == "udp" || transport == ""):
		l.Kind = STUNUDP
	case scheme == "turn" && transport == "tcp":
		l.Kind = STUNTCP
	case scheme == "turns" && (transport == "tcp" || transport == ""):
		l.Kind, port = STUNTLS, "5349"
	default:
		return loan{}, false
	}
	if host, given, err := net.SplitHostPort(where); err == nil {
		where, port = host, given
	}
	n, err := strconv.ParseUint(port, 10, 16)
	l.Name, l.Port = strings.Trim(where, "[]"), uint16(n)
	return l, err == nil && n > 0 && l.Name != ""
}

// tryLoans asks each borrowed relay, over each of its transports, whether it is
// there: a STUN request without credentials, to where the lender sends browsers.
func (r *run) tryLoans(ctx context.Context) (loans []loan) {
	if r.Borrowed == nil {
		return nil
	}
	for _, text := range r.Borrowed(ctx) {
		if l, ok := parseLoan(text); ok && len(loans) < maxLoans && !slices.Contains(loans, l) {
			loans = append(loans, l)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	var wg sync.WaitGroup
	for i := range loans {
		wg.Go(func() { loans[i].err = r.tryLoan(ctx, loans[i].Probe) }) // ends with ctx at the latest
	}
	wg.Wait()
	return loans
}

// tryLoan goes to the addresses of a relay: one that answers is enough, as it is
// for browsers.
func (r *run) tryLoan(ctx context.Context, p Probe) error {
	addrs, err := r.lookUp(ctx, p.Name)
	if err != nil {
		return err
	}
	addrs = addrs[:min(len(addrs), maxVisited)]
	pr, errs := prober{r.Roots, new(net.Dialer).DialContext}, make([]error, len(addrs))
	var wg sync.WaitGroup
	for i, at := range addrs {
		wg.Go(func() { errs[i] = pr.probe(ctx, at, p, "") }) // ends with ctx at the latest
	}
	wg.Wait()
	if slices.Contains(errs, nil) {
		return nil
	}
	return errs[0]
}

// borrowedRelay is about the relays of other nodes over one transport.
func (r *run) borrowedRelay(over string, kind Kind) finding {
	there, all, answered := 0, 0, false
	var worst *loan
	for _, l := range r.loans() {
		answered = answered || l.err == nil
		switch {
		case l.Kind != kind:
			continue
		case l.err == nil:
			there++
		case worst == nil:
			worst = &l
		}
		all++
	}
	switch {
	case all == 0:
		return skip("No relay that this node borrows is reached over "+over+".", "")
	case worst == nil:
		return pass(fmt.Sprintf("%s over %s.", count(all, "The borrowed relay answers", "All %d borrowed relays answer"), over))
	}
	say := warn
	if !answered { // then calls fail that need a relay, not only take another way
		say = fail
	}
	which := "the borrowed relay"
	if all > 1 {
		which = "a borrowed relay"
	}
	return say("Of "+which+": "+inner(worst.meaning()), worst.mend())
}

// where is the port that browsers are sent to.
func (l loan) where() string {
	transport := "TCP"
	if l.Kind == STUNUDP {
		transport = "UDP"
	}
	return fmt.Sprintf("port %d (%s)", l.Port, transport)
}

// meaning says what is wrong with a loan.
func (l loan) meaning() string {
	at := l.where() + " of " + l.Name
	switch result := resultOf(l.err); {
	case isMissing(l.err):
		return "The name " + l.Name + " is not in the DNS."
	case isUnknown(l.err):
		return "The name " + l.Name + " could not be looked up now."
	case result == Refused:
		return "Nothing answers at " + at + "."
	case result == Timeout || result == Unreachable:
		return "This computer does not get through to " + at + "."
	case result == BadCertificate:
		return "Browsers refuse the certificate at " + at + ", because " + whyRefused(l.err) + "."
	}
	return "Something else than a relay answers at " + at + "."
}

// mend says what to do about it: mostly the lender's operator has to.
func (l loan) mend() string {
	switch resultOf(l.err) {
	case BadCertificate:
		return "Have the node that lends it use a certificate for " + l.Name + " from an authority that browsers know."
	case Refused, Timeout, Unreachable:
		return "Have " + l.where() + " opened where that relay runs, unless it is this network that lets nothing through."
	}
	if isMissing(l.err) || isUnknown(l.err) {
		return "Have the node that lends it set relay.host to a name that is in the DNS."
	}
	return "Have its operator see what else has " + l.where() + " there."
}
