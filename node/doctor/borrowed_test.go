package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// lent makes a node borrow the relays at these URLs, and have none.
func lent(urls ...string) Config {
	return Config{
		Running: true, PublicURL: "https://call.example", Resolver: names{"turn.example": {localhost}, "broken.example": {}},
		Lenders:  func() (int, int) { return 1, 1 },
		Borrowed: func(context.Context) []string { return urls },
	}
}

func udp(host string, port uint16) string { return fmt.Sprintf("turn:%s:%d?transport=udp", host, port) }
func tcp(host string, port uint16) string { return fmt.Sprintf("turn:%s:%d?transport=tcp", host, port) }
func overTLS(host string, port uint16) string {
	return fmt.Sprintf("turns:%s:%d?transport=tcp", host, port)
}

// A borrowed relay is tried where browsers are sent, over each transport.
func TestBorrowedRelay(t *testing.T) {
	ctx := t.Context()
	h := newHouse(t, time.Now().Add(time.Hour))
	plain, closed := h.relay.Plain[0].Port(), nobody(t)
	cfg := lent(udp("turn.example", plain), tcp("turn.example", plain), overTLS("127.0.0.1", h.port), "stun:turn.example:1")
	cfg.Roots = h.roots
	r := newRun(t, cfg)
	expect(t, r.relayUDP(ctx), Pass, "The borrowed relay answers over UDP.", "")
	expect(t, r.relayTCP(ctx), Pass, "The borrowed relay answers over TCP.", "")
	expect(t, r.relayTLS(ctx), Pass, "The borrowed relay answers over TLS.", "")
	expect(t, r.lenders(ctx), Pass, "1 of 1 nodes lend their relay to this one.", "")

	// Over one transport only: calls take that way.
	cfg = lent(udp("turn.example", closed), tcp("turn.example", plain), overTLS("127.0.0.1", h.port))
	r = newRun(t, cfg) // whose roots do not know the certificate
	expect(t, r.relayUDP(ctx), Warn, fmt.Sprintf("Of the borrowed relay: nothing answers at port %d (UDP) of turn.example.", closed), fmt.Sprintf("Have port %d (UDP) opened where that relay runs", closed))
	expect(t, r.relayTCP(ctx), Pass, "The borrowed relay answers over TCP.", "")
	expect(t, r.relayTLS(ctx), Warn, fmt.Sprintf("Of the borrowed relay: browsers refuse the certificate at port %d (TCP) of 127.0.0.1, because no authority that they know has signed it.", h.port),
		"use a certificate for 127.0.0.1 from an authority that browsers know")

	// Over none: calls fail that need it.
	silent, chatty := stubborn(t, ""), stubborn(t, "HTTP/1.1 400 Bad Request\r\n\r\n")
	cfg = lent(udp("turn.example", closed), tcp("turn.example", closed), overTLS("turn.example", chatty))
	r = newRun(t, cfg)
	expect(t, r.relayUDP(ctx), Fail, fmt.Sprintf("Of the borrowed relay: nothing answers at port %d (UDP) of turn.example.", closed), "(UDP) opened where that relay runs")
	expect(t, r.relayTCP(ctx), Fail, fmt.Sprintf("Of the borrowed relay: nothing answers at port %d (TCP) of turn.example.", closed), "(TCP) opened where that relay runs")
	expect(t, r.relayTLS(ctx), Fail, fmt.Sprintf("Of the borrowed relay: something else than a relay answers at port %d (TCP) of turn.example.", chatty), "see what else has port ")
	for url, want := range map[string][2]string{
		tcp("turn.example", silent):       {"Of the borrowed relay: this computer does not get through to port ", "(TCP) opened where that relay runs"},
		tcp("turn.example", chatty):       {"Of the borrowed relay: something else than a relay answers at port ", "see what else has port "},
		tcp("gone.example", plain):        {"Of the borrowed relay: the name gone.example is not in the DNS.", "relay.host"},
		tcp("broken.example", plain):      {"Of the borrowed relay: the name broken.example could not be looked up now.", "relay.host"},
		"turn:gone.example?transport=tcp": {"Of the borrowed relay: the name gone.example", "relay.host"},
	} {
		r := prepare(within(t, 500*time.Millisecond), lent(url))
		expect(t, r.relayTCP(ctx), Fail, want[0], want[1])
		expect(t, r.relayUDP(ctx), Skip, "No relay that this node borrows is reached over UDP.", "")
	}

	for greeting, want := range map[string][2]string{
		"":   {"Of the borrowed relay: this computer does not get through to port ", "(UDP) opened where that relay runs"},
		"no": {"Of the borrowed relay: something else than a relay answers at port ", "see what else has port "},
	} {
		r := prepare(within(t, 700*time.Millisecond), lent(udp("turn.example", stubbornUDP(t, greeting))))
		expect(t, r.relayUDP(ctx), Fail, want[0], want[1])
	}
	cfg = lent(overTLS("turn.example", closed))
	expect(t, newRun(t, cfg).relayTLS(ctx), Fail, "Of the borrowed relay: nothing answers at port ", "(TCP) opened where that relay runs")

	// Of two relays one.
	cfg = lent(tcp("turn.example", plain), tcp("127.0.0.1", plain), tcp("turn.example", closed))
	expect(t, newRun(t, cfg).relayTCP(ctx), Warn, "Of a borrowed relay: nothing answers at ", "opened where that relay runs")
	cfg = lent(tcp("turn.example", plain), tcp("127.0.0.1", plain))
	expect(t, newRun(t, cfg).relayTCP(ctx), Pass, "All 2 borrowed relays answer over TCP.", "")

	// Lent as one beside the node's own, which is what the checks of relays are
	// about.
	cfg = lent(udp("turn.example", closed))
	cfg.Relay, cfg.Discovery = h.relay, start(t, nil)
	expect(t, newRun(t, cfg).relayTCP(ctx), Pass, "The relay works over TCP on this computer", "")
	expect(t, newRun(t, cfg).lenders(ctx), Warn, "Of the borrowed relay: nothing answers at port ", "opened where that relay runs")

	// None that says where it is.
	expect(t, newRun(t, lent()).relayUDP(ctx), Warn, "There is no relay, so calls fail", "relay.borrow_from")
}

func TestParseLoan(t *testing.T) {
	for text, want := range map[string]Probe{
		"turn:turn.example":                    {STUNUDP, 3478, "turn.example"},
		"turn:turn.example:99?transport=udp":   {STUNUDP, 99, "turn.example"},
		"turn:192.0.2.7:99?transport=tcp":      {STUNTCP, 99, "192.0.2.7"},
		"turn:[2001:db8::7]:99?transport=tcp":  {STUNTCP, 99, "2001:db8::7"},
		"turns:turn.example":                   {STUNTLS, 5349, "turn.example"},
		"turns:turn.example:443?transport=tcp": {STUNTLS, 443, "turn.example"},
		"turns:turn.example:443?transport=udp": {},
		"turn:turn.example:443?transport=sctp": {},
		"stun:turn.example:3478":               {},
		"turn:turn.example:0":                  {},
		"turn:turn.example:65536":              {},
		"turn::3478":                           {},
		"":                                     {},
		"https://turn.example":                 {},
	} {
		if l, ok := parseLoan(text); ok != (want != Probe{}) || ok && l.Probe != want {
			t.Errorf("%s: got %+v, %t, want %+v", text, l, ok, want)
		}
	}
}

// However many URLs lenders give, few are tried, and each once.
func TestLoansAreBounded(t *testing.T) {
	closed := nobody(t)
	var urls []string
	for range 3 * maxLoans {
		urls = append(urls, tcp("127.0.0.1", closed), tcp(netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + len(urls)%200)}).String(), closed))
	}
	r := newRun(t, lent(urls...))
	seen := map[Probe]bool{}
	for _, l := range r.loans() {
		if seen[l.Probe] {
			t.Errorf("%+v is tried twice", l.Probe)
		}
		seen[l.Probe] = true
	}
	if len(seen) != maxLoans {
		t.Errorf("%d are tried", len(seen))
	}
}
