package lend

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"anteroom/rendezvous/wire"
)

// Relays are those that the calls of this node may use: its own, and those that
// other nodes lend.
type Relays struct {
	*Borrower
	own    Relay // nil: it has none
	now    func() time.Time
	secret []byte // what names are made with
}

// NewRelays returns a node's own relay, which may be nil, and those that it may
// borrow.
func NewRelays(own Relay, b *Borrower, now func() time.Time) *Relays {
	p := &Relays{Borrower: b, own: own, now: now, secret: make([]byte, 32)}
	rand.Read(p.secret) // never fails
	return p
}

// Grant returns the relays for m's seat of an appointment whose window closes
// then, with credentials of its own that outlast the call.
func (p *Relays) Grant(ctx context.Context, appointment string, closes time.Time, m wire.MemberID) []wire.ICEServer {
	call, seat := p.callName(appointment), p.seatName(appointment, m)
	until := p.now()
	if closes.After(until) {
		until = closes
	}
	until = until.Add(outlastTime)
	servers := []wire.ICEServer{}
	if p.own != nil {
		servers = append(servers, p.own.Grant(call.String(), seat.String(), until)...)
	}
	servers = append(servers, p.borrow(ctx, p.Likely(), call, seat, until)...)
	return servers[:min(len(servers), wire.MaxICEServers)]
}

// RevokeSeat takes back what m's seat has on this node's relay. There is nothing
// to be done about a lent one.
func (p *Relays) RevokeSeat(m wire.MemberID) {
	if p.own != nil {
		p.own.RevokeSeat(p.seatName("", m).String())
	}
}

// RevokeCall takes back what all seats of an appointment have.
func (p *Relays) RevokeCall(appointment string) {
	if p.own != nil {
		p.own.RevokeCall(p.callName(appointment).String())
	}
}

// Any reports whether calls of this node have a relay now: its own, or one that
// was lent when last asked for.
func (p *Relays) Any() bool { return p.own != nil || p.lending() }

// BorrowedURLs returns where browsers would find the relays that other nodes
// lend now. It asks each lender, for nobody's call.
func (p *Relays) BorrowedURLs(ctx context.Context) (urls []string) {
	for _, server := range p.borrow(ctx, p.lenders, p.callName(nobodys), p.seatName(nobodys, ""), p.now().Add(trialTime)) {
		urls = append(urls, server.URLs...)
	}
	return urls
}

// Run finds out, before somebody needs it, which lenders lend, and has those told
// who wait for one.
func (p *Relays) Run(ctx context.Context) {
	if len(p.lenders) == 0 {
		return
	}
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	soon := time.NewTimer(firstTry) // at first nobody is connected yet
	defer soon.Stop()
	for wait := firstTry; ; wait *= 2 {
		p.borrow(ctx, p.lenders, p.callName(nobodys), p.seatName(nobodys, wire.HostID), p.now().Add(trialTime))
		p.tellWaiters(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-soon.C:
			if wait < tryEvery {
				soon.Reset(wait)
			}
		}
	}
}

// A relayName is what relays know a call or a seat by. It means nothing to
// anybody outside this process.
type relayName [nameSize]byte

// String is the name as this node's own relay has it.
func (r relayName) String() string { return hex.EncodeToString(r[:]) }

// callName is the same for all seats of an appointment.
func (p *Relays) callName(appointment string) relayName { return p.name("call", appointment) }

// seatName is the same for all handshakes of one seat: a guest's, whose member
// id says it all, or the practitioner's in an appointment.
func (p *Relays) seatName(appointment string, m wire.MemberID) relayName {
	if m == wire.HostID {
		return p.name("host", appointment)
	}
	return p.name("guest", string(m))
}

func (p *Relays) name(of ...string) (n relayName) {
	mac := hmac.New(sha256.New, p.secret)
	for _, part := range of { // none holds a zero
		mac.Write(append([]byte(part), 0))
	}
	copy(n[:], mac.Sum(nil))
	return n
}
