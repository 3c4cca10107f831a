package admission

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// A visit is a connection that somebody else made. It is the connection's scope,
// too: that is what libp2p passes on from the first packet to the last.
type visit struct {
	network.ConnManagementScope
	keeper *Manager
	from   netip.Prefix // not valid: through a relay

	// guarded by the keeper's mu
	close func()       // nil: a QUIC handshake
	peer  peer.ID      // empty: has not said who it is
	conn  network.Conn // nil: its streams cannot be looked at yet
	heard time.Time    // when a stream began last, or else the visit
	gone  bool
}

// SetPeer implements network.ConnManagementScope.
func (v *visit) SetPeer(p peer.ID) error {
	if err := v.keeper.meet(v, p); err != nil {
		return err
	}
	return v.ConnManagementScope.SetPeer(p)
}

// PeerScope implements network.ConnManagementScope. libp2p calls SetPeer if it
// returns nil.
func (v *visit) PeerScope() network.PeerScope {
	v.keeper.mu.Lock()
	met := v.peer != ""
	v.keeper.mu.Unlock()
	if !met {
		return nil
	}
	return v.ConnManagementScope.PeerScope()
}

// Done implements network.ConnManagementScope.
func (v *visit) Done() {
	v.keeper.leave(v)
	v.ConnManagementScope.Done()
}

// ProofTime is how long our protocols wait at most for a stranger to prove
// something, and some time for it to be over.
const ProofTime = 15 * time.Second

// A standing says of a stranger how soon it gives way.
type standing int

const (
	silent standing = iota
	useful          // silent, and in the routing table
	speaks          // Has a stream of one of our protocols
	proved          // Has had one for longer than one waits for proof: does not give way
)

// provesLocked is the standing that a stream gives.
func (k *Manager) provesLocked(s network.Stream) standing {
	switch patience, ours := k.served[s.Protocol()]; {
	case !ours:
		return silent
	case time.Since(s.Stat().Opened) <= patience:
		return speaks
	}
	return proved
}

// enter gives v a place among those who have not said who they are.
func (k *Manager) enter(v *visit) error {
	defer k.hangUp()
	k.mu.Lock()
	defer k.mu.Unlock()
	mates := 0
	for w := range k.lingering {
		if w.from == v.from {
			mates++
		}
	}
	if v.close == nil && (len(k.lingering) >= maxLingering || mates >= k.limits.HandshakesPerNetwork) {
		return errFull
	}
	here := k.handshakesLocked()
	if mates := from(here, v.from); v.from.IsValid() && len(mates) >= k.limits.HandshakesPerNetwork {
		k.giveWayLocked(longestSilent(mates))
	} else if len(here) >= k.limits.Handshakes {
		k.giveWayLocked(longestSilent(here))
	}
	k.visits = append(k.visits, v)
	return nil
}

// meet gives v, who has said who it is, the place that it is due.
func (k *Manager) meet(v *visit, p peer.ID) error {
	defer k.hangUp()
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case v.gone:
		return errGaveWay
	case !k.gater.known(p) && !k.makeRoomLocked(v.from, p):
		return errFull
	}
	v.peer = p
	return nil
}

// makeRoomLocked reports whether one more stranger finds a place, if need be
// because others give way: a node of its network, or a connection of any.
func (k *Manager) makeRoomLocked(network netip.Prefix, p peer.ID) bool {
	here, of := k.strangersLocked()
	if network.IsValid() && k.gater.found(p) == nil {
		mates := slices.DeleteFunc(from(here, network), func(v *visit) bool { return v.peer == p })
		if nodes(mates) >= k.limits.StrangersPerNetwork {
			goes := longestSilent(weakest(mates, of))
			if goes == nil {
				return false
			}
			for _, v := range mates {
				if v.peer == goes.peer {
					k.giveWayLocked(v)
				}
			}
			here = slices.DeleteFunc(here, func(v *visit) bool { return v.gone })
		}
	}
	places := k.limits.Strangers
	for _, v := range here {
		if of[v.peer] == proved && places < 2*k.limits.Strangers {
			places++ // these have as many of their own
		}
	}
	if len(here) < places {
		return true
	}
	goes := longestSilent(weakest(here, of))
	if goes == nil {
		return false
	}
	k.giveWayLocked(goes)
	return true
}

// handshakesLocked returns those who have not said who they are.
func (k *Manager) handshakesLocked() (list []*visit) {
	for _, v := range k.visits {
		if v.peer == "" {
			list = append(list, v)
		}
	}
	return list
}

// strangersLocked returns those whom the operator did not name, and the standing
// of each node: that of its best connection.
func (k *Manager) strangersLocked() (list []*visit, of map[peer.ID]standing) {
	of = make(map[peer.ID]standing)
	for _, v := range k.visits {
		if v.peer == "" || k.gater.known(v.peer) {
			continue
		}
		list = append(list, v)
		if k.gater.InTable(v.peer) {
			of[v.peer] = max(of[v.peer], useful)
		}
		if v.conn == nil {
			continue
		}
		for _, s := range v.conn.GetStreams() {
			of[v.peer] = max(of[v.peer], k.provesLocked(s))
		}
	}
	return list, of
}

// weakest returns those of list that give way before the others of it.
func weakest(list []*visit, of map[peer.ID]standing) []*visit {
	least := proved
	for _, v := range list {
		least = min(least, of[v.peer])
	}
	return slices.DeleteFunc(slices.Clone(list), func(v *visit) bool { return least == proved || of[v.peer] != least })
}

// longestSilent returns, of those of the network that most of list come from,
// who has been silent for the longest time; nil if list is empty.
func longestSilent(list []*visit) (longest *visit) {
	of := make(map[netip.Prefix]int)
	for _, v := range list {
		of[v.from]++
	}
	for _, v := range list {
		if longest == nil || of[v.from] > of[longest.from] || of[v.from] == of[longest.from] && v.heard.Before(longest.heard) {
			longest = v
		}
	}
	return longest
}

// from returns those of list that come from a network.
func from(list []*visit, network netip.Prefix) []*visit {
	return slices.DeleteFunc(slices.Clone(list), func(v *visit) bool { return v.from != network })
}

// nodes is how many nodes list is of.
func nodes(list []*visit) int {
	peers := make(map[peer.ID]bool)
	for _, v := range list {
		peers[v.peer] = true
	}
	return len(peers)
}

// giveWayLocked makes v leave, as soon as hangUp is called.
func (k *Manager) giveWayLocked(v *visit) {
	k.takeOutLocked(v)
	k.leaving = append(k.leaving, v)
	if v.close == nil {
		k.lingering[v] = true
	}
}

func (k *Manager) takeOutLocked(v *visit) {
	v.gone = true
	k.visits = slices.DeleteFunc(k.visits, func(w *visit) bool { return w == v })
}

// hangUp ends the connections of those who gave way. What libp2p's limits count
// is free at once.
func (k *Manager) hangUp() {
	k.mu.Lock()
	leaving := k.leaving
	k.leaving = nil
	k.mu.Unlock()
	for _, v := range leaving {
		k.mu.Lock()
		scope, end := v.ConnManagementScope, v.close
		k.mu.Unlock()
		if scope != nil { // or OpenConnection, which is under way, sees that v is gone
			scope.Done()
		}
		if end != nil {
			end()
		}
	}
}

// leave takes v out, whose connection has ended.
func (k *Manager) leave(v *visit) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.takeOutLocked(v)
	delete(k.lingering, v)
}

// Serve notes a protocol of ours, and how long it waits for proof.
func (k *Manager) Serve(proto protocol.ID, patience time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.served[proto] = patience
}

// A Fill says how much of a limit is used.
type Fill struct {
	Name      string // the key of the configuration, and of whom
	Used, Max int
}

func (k *Manager) Fill() []Fill {
	k.mu.Lock()
	defer k.mu.Unlock()
	handshakes := k.handshakesLocked()
	strangers, of := k.strangersLocked()
	inUse := 0
	for _, v := range strangers {
		if of[v.peer] == proved {
			inUse++
		}
	}
	fullest := func(list []*visit, size func([]*visit) int) (n int) {
		for _, v := range list {
			if v.from.IsValid() {
				n = max(n, size(from(list, v.from)))
			}
		}
		return n
	}
	return []Fill{
		{"discovery.limits.handshakes", len(handshakes), k.limits.Handshakes},
		{"discovery.limits.handshakes_per_network", fullest(handshakes, func(l []*visit) int { return len(l) }), k.limits.HandshakesPerNetwork},
		{"discovery.limits.strangers", len(strangers) - inUse, k.limits.Strangers},
		{"discovery.limits.strangers (in use)", inUse, k.limits.Strangers},
		{"discovery.limits.strangers_per_network", fullest(strangers, nodes), k.limits.StrangersPerNetwork},
	}
}
