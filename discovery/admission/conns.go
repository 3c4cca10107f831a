package admission

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// A connScope is a connection that somebody else made. It is the connection's scope,
// too: that is what libp2p passes on from the first packet to the last.
type connScope struct {
	network.ConnManagementScope
	manager *Manager
	from    netip.Prefix // not valid: through a relay

	// guarded by the manager's mu
	close func()       // nil: a QUIC handshake
	peer  peer.ID      // empty: has not said who it is
	conn  network.Conn // nil: its streams cannot be looked at yet
	heard time.Time    // when a stream began last, or else the connection
	gone  bool
}

// SetPeer implements network.ConnManagementScope.
func (v *connScope) SetPeer(p peer.ID) error {
	if err := v.manager.identify(v, p); err != nil {
		return err
	}
	return v.ConnManagementScope.SetPeer(p)
}

// PeerScope implements network.ConnManagementScope. libp2p calls SetPeer if it
// returns nil.
func (v *connScope) PeerScope() network.PeerScope {
	v.manager.mu.Lock()
	met := v.peer != ""
	v.manager.mu.Unlock()
	if !met {
		return nil
	}
	return v.ConnManagementScope.PeerScope()
}

// Done implements network.ConnManagementScope.
func (v *connScope) Done() {
	v.manager.leave(v)
	v.ConnManagementScope.Done()
}

// ProofTime is how long our protocols wait at most for a stranger to prove
// something, and some time for it to be over.
const ProofTime = 15 * time.Second

// A priority says of a stranger how soon it gives way.
type priority int

const (
	silent priority = iota
	useful          // silent, and in the routing table
	speaks          // has a stream of one of our protocols
	proved          // has had one for longer than one waits for proof: does not give way
)

// provesLocked is the priority that a stream gives.
func (k *Manager) provesLocked(s network.Stream) priority {
	switch patience, ours := k.served[s.Protocol()]; {
	case !ours:
		return silent
	case time.Since(s.Stat().Opened) <= patience:
		return speaks
	}
	return proved
}

// enter gives v a place among those who have not said who they are.
func (k *Manager) enter(v *connScope) error {
	defer k.closeEvicted()
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
		k.evictLocked(longestSilent(mates))
	} else if len(here) >= k.limits.Handshakes {
		k.evictLocked(longestSilent(here))
	}
	k.conns = append(k.conns, v)
	return nil
}

// identify gives v, who has said who it is, the place that it is due.
func (k *Manager) identify(v *connScope, p peer.ID) error {
	defer k.closeEvicted()
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case v.gone:
		return errEvicted
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
		mates := slices.DeleteFunc(from(here, network), func(v *connScope) bool { return v.peer == p })
		if nodes(mates) >= k.limits.StrangersPerNetwork {
			goes := longestSilent(weakest(mates, of))
			if goes == nil {
				return false
			}
			for _, v := range mates {
				if v.peer == goes.peer {
					k.evictLocked(v)
				}
			}
			here = slices.DeleteFunc(here, func(v *connScope) bool { return v.gone })
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
	k.evictLocked(goes)
	return true
}

// handshakesLocked returns those who have not said who they are.
func (k *Manager) handshakesLocked() (list []*connScope) {
	for _, v := range k.conns {
		if v.peer == "" {
			list = append(list, v)
		}
	}
	return list
}

// strangersLocked returns those whom the operator did not name, and the priority
// of each node: that of its best connection.
func (k *Manager) strangersLocked() (list []*connScope, of map[peer.ID]priority) {
	of = make(map[peer.ID]priority)
	for _, v := range k.conns {
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
func weakest(list []*connScope, of map[peer.ID]priority) []*connScope {
	least := proved
	for _, v := range list {
		least = min(least, of[v.peer])
	}
	return slices.DeleteFunc(slices.Clone(list), func(v *connScope) bool { return least == proved || of[v.peer] != least })
}

// longestSilent returns, of those of the network that most of list come from,
// who has been silent for the longest time; nil if list is empty.
func longestSilent(list []*connScope) (longest *connScope) {
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
func from(list []*connScope, network netip.Prefix) []*connScope {
	return slices.DeleteFunc(slices.Clone(list), func(v *connScope) bool { return v.from != network })
}

// nodes is how many nodes list is of.
func nodes(list []*connScope) int {
	peers := make(map[peer.ID]bool)
	for _, v := range list {
		peers[v.peer] = true
	}
	return len(peers)
}

// evictLocked makes v leave, as soon as closeEvicted is called.
func (k *Manager) evictLocked(v *connScope) {
	k.takeOutLocked(v)
	k.evicted = append(k.evicted, v)
	if v.close == nil {
		k.lingering[v] = true
	}
}

func (k *Manager) takeOutLocked(v *connScope) {
	v.gone = true
	k.conns = slices.DeleteFunc(k.conns, func(w *connScope) bool { return w == v })
}

// closeEvicted ends the connections of those who gave way. What libp2p's limits count
// is free at once.
func (k *Manager) closeEvicted() {
	k.mu.Lock()
	leaving := k.evicted
	k.evicted = nil
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
func (k *Manager) leave(v *connScope) {
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
	fullest := func(list []*connScope, size func([]*connScope) int) (n int) {
		for _, v := range list {
			if v.from.IsValid() {
				n = max(n, size(from(list, v.from)))
			}
		}
		return n
	}
	return []Fill{
		{"discovery.limits.handshakes", len(handshakes), k.limits.Handshakes},
		{"discovery.limits.handshakes_per_network", fullest(handshakes, func(l []*connScope) int { return len(l) }), k.limits.HandshakesPerNetwork},
		{"discovery.limits.strangers", len(strangers) - inUse, k.limits.Strangers},
		{"discovery.limits.strangers (in use)", inUse, k.limits.Strangers},
		{"discovery.limits.strangers_per_network", fullest(strangers, nodes), k.limits.StrangersPerNetwork},
	}
}
