package node

import (
	"context"
	"errors"

	"anteroom/discovery/contacts"
	"anteroom/rendezvous/wire"
)

// Status is what an operator wants to know at a glance.
type Status struct {
	PeerID    string   `json:"peer_id"`
	Addresses []string `json:"addresses"`
	Peers     int      `json:"peers"`     // connected now
	Waiting   int      `json:"waiting"`   // guests who wait
	InCall    int      `json:"in_call"`   // guests who are admitted
	Published int      `json:"published"` // records that enough nodes hold
	Failed    int      `json:"failed"`    // records that too few nodes hold
}

// Status reports what the node is doing now.
func (n *Node) Status() Status {
	s := Status{PeerID: n.discovery.ID().String(), Addresses: []string{}}
	for _, p := range n.discovery.ListPeers() {
		if p.Connected {
			s.Peers++
		}
	}
	for _, a := range n.discovery.Addrs() {
		s.Addresses = append(s.Addresses, a.String())
	}
	s.Published, s.Failed = n.publisher.Counts()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.rooms {
		s.Waiting += len(r.Waiting())
		s.InCall += len(r.Present())
	}
	return s
}

// InCall reports whether a guest is admitted anywhere now.
func (n *Node) InCall() bool { return n.Status().InCall > 0 }

// Expects reports whether a guest of an appointment that its practitioner, whom
// it names, attends is here, or is due: until its planned end.
func (n *Node) Expects(appointment string) (practitioner string, expected bool) {
	r := n.live(appointment)
	if r == nil || !n.practice.Now().Before(r.ends) && len(r.Present())+len(r.Waiting()) == 0 {
		return "", false
	}
	return r.owner, true
}

// Seats returns where the guests of an appointment stand now; those who are
// not here are not in it.
func (n *Node) Seats(appointment string) map[wire.MemberID]wire.SeatState {
	seats := make(map[wire.MemberID]wire.SeatState)
	if r := n.live(appointment); r != nil {
		for _, m := range r.Waiting() {
			seats[m] = wire.SeatWaiting
		}
		for _, m := range r.Present() {
			seats[m] = wire.SeatAdmitted
		}
	}
	return seats
}

// HasRelay reports whether calls of this node have a relay now: its own, or
// one that was lent when last asked for.
func (n *Node) HasRelay() bool { return n.relays.Any() }

// CountLenders returns how many of this node's lenders lent when last asked,
// and how many there are.
func (n *Node) CountLenders() (lending, all int) { return n.relays.Count() }

// BorrowedURLs returns where browsers would find the relays that other nodes
// lend to this one now. It asks each lender, for nobody's call.
func (n *Node) BorrowedURLs(ctx context.Context) []string { return n.relays.BorrowedURLs(ctx) }

// Searched returns how much of a second's worth of Searches is used up now.
func (n *Node) Searched() int { return n.finder.Searched() }

// Card is what others need to know to reach this node, under a name: without
// one if pages can show it and terminals cannot.
func (n *Node) Card(name string) (string, error) {
	card, err := n.discovery.Card(name)
	if errors.Is(err, contacts.ErrBadCard) {
		return n.discovery.Card("")
	}
	return card, err
}
