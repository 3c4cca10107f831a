package node

import "anteroom/rendezvous/wire"

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
	s := Status{PeerID: n.Discovery.ID().String(), Addresses: []string{}}
	for _, p := range n.Discovery.ListPeers() {
		if p.Connected {
			s.Peers++
		}
	}
	for _, a := range n.Discovery.Addrs() {
		s.Addresses = append(s.Addresses, a.String())
	}
	s.Published, s.Failed = n.publisher.counts()
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
	if r == nil || !n.Practice.Now().Before(r.ends) && len(r.Present())+len(r.Waiting()) == 0 {
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
