package doctor

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"anteroom/node/message"
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
		return skip(say("doctor.borrowed.none", args{"over": over}), none)
	case worst == nil:
		return pass(say("doctor.borrowed.good", args{"n": all, "over": over}))
	}
	is := warn
	if !answered { // then calls fail that need a relay, not only take another way
		is = fail
	}
	return is(worst.meaning(all), worst.mend())
}

// where is the port that browsers are sent to, of one of n relays.
func (l loan) where(n int) args {
	over := "TCP"
	if l.Kind == STUNUDP {
		over = "UDP"
	}
	return args{"n": n, "name": l.Name, "port": portText(l.Port), "over": over, "why": whyRefused(l.err)}
}

// meaning says what is wrong with one of n loans.
func (l loan) meaning(n int) message.Message {
	is := l.where(n)
	switch result := resultOf(l.err); {
	case isMissing(l.err):
		return say("doctor.borrowed.missing", is)
	case isUnknown(l.err):
		return say("doctor.borrowed.unknown", is)
	case result == Refused:
		return say("doctor.borrowed.refused", is)
	case result == Timeout || result == Unreachable:
		return say("doctor.borrowed.lost", is)
	case result == BadCertificate:
		return say("doctor.borrowed.certificate", is)
	}
	return say("doctor.borrowed.stranger", is)
}

// mend says what to do about it: mostly the lender's operator has to.
func (l loan) mend() message.Message {
	is := l.where(1)
	switch resultOf(l.err) {
	case BadCertificate:
		return say("doctor.borrowed.certificate.todo", is)
	case Refused, Timeout, Unreachable:
		return say("doctor.borrowed.lost.todo", is)
	}
	if isMissing(l.err) || isUnknown(l.err) {
		return say("doctor.borrowed.missing.todo")
	}
	return say("doctor.borrowed.stranger.todo", is)
}
