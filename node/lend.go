package node

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// lendProtocol asks a node for a place on its relay. PROTOCOL.md, "Relays".
const lendProtocol = "/anteroom/relay/1"

const (
	// nameSize is the length of what a relay knows a call or a seat by, bytes.
	nameSize = 16

	// lendTime is how long a welcome waits for a lender. One that is not
	// connected and did not lend when it was last tried, every tryEvery, is not
	// waited for.
	lendTime = time.Second
	tryEvery = 5 * time.Second
	firstTry = 250 * time.Millisecond

	// placeTime is how long a place on a relay outlasts the window, or the
	// moment in which it is given if that is later: no call that runs on loses
	// it. Who may be in the call is the room's to decide.
	placeTime = 4 * time.Hour

	// longestLoan bounds how far ahead a lender gives credentials: a day is
	// longer than any appointment with its window.
	longestLoan = 24 * time.Hour

	// maxLoan is more than a list of wire.MaxICEServers relays takes.
	maxLoan = 8 << 10
)

// iceServers returns the relays for m's seat of a, with credentials of its own
// that outlast the call: this node's and those that it may borrow.
func (n *Node) iceServers(ctx context.Context, a practice.Appointment, m wire.MemberID) []wire.ICEServer {
	call, seat := n.callName(a.ID), n.seatName(a.ID, m)
	until := n.Practice.Now()
	if a.Closes().After(until) {
		until = a.Closes()
	}
	until = until.Add(placeTime)
	servers := []wire.ICEServer{}
	if n.Relay != nil {
		servers = append(servers, n.Relay.Grant(call.String(), seat.String(), until)...)
	}
	servers = append(servers, n.borrow(ctx, n.likelyLenders(), call, seat, until)...)
	return servers[:min(len(servers), wire.MaxICEServers)]
}

// likelyLenders returns those who are expected to lend now: a lender that has
// just started again is back before it is next tried, and its guests with it.
func (n *Node) likelyLenders() []peer.ID {
	willing := n.lenders.willing(n.Lenders)
	return slices.DeleteFunc(slices.Clone(n.Lenders), func(id peer.ID) bool {
		return !slices.Contains(willing, id) && !n.Discovery.Connected(id)
	})
}

// renewWelcome ends conn when a lender begins to lend, unless w, which was said
// on it, has relays: the page at its other end comes back by itself, and is
// told of the relay in another welcome. The returned function calls it off.
func (n *Node) renewWelcome(conn wire.Conn, w *wire.Welcome) (keep func()) {
	if len(w.ICEServers) > 0 {
		return func() {}
	}
	return n.lenders.onLoan(func() { conn.Close(wire.ErrGoingAway) })
}

// takePlace takes back what m's seat has on this node's relay. There is nothing
// to be done about a lent one.
func (n *Node) takePlace(m wire.MemberID) {
	if n.Relay != nil {
		n.Relay.RevokeSeat(n.seatName("", m).String())
	}
}

// takePlaces takes back what all seats of an appointment have.
func (n *Node) takePlaces(appointment string) {
	if n.Relay != nil {
		n.Relay.RevokeCall(n.callName(appointment).String())
	}
}

// HasRelay reports whether calls of this node have a relay now: its own, or
// one that was lent when last asked for.
func (n *Node) HasRelay() bool {
	return n.Relay != nil || n.lenders.any()
}

// CountLenders returns how many of this node's lenders lent when last asked,
// and how many there are.
func (n *Node) CountLenders() (lending, all int) {
	return len(n.lenders.willing(n.Lenders)), len(n.Lenders)
}

// tryLenders finds out, before somebody needs it, which lenders lend.
func (n *Node) tryLenders(ctx context.Context) {
	if len(n.Lenders) == 0 {
		return
	}
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	soon := time.NewTimer(firstTry) // at first nobody is connected yet
	defer soon.Stop()
	for wait := firstTry; ; wait *= 2 {
		n.borrow(ctx, n.Lenders, n.callName("nobody's"), n.seatName("nobody's", wire.HostID), n.Practice.Now().Add(time.Minute))
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
func (n *Node) callName(appointment string) relayName { return n.relayName("call", appointment) }

// seatName is the same for all handshakes of one seat: a guest's, whose member
// id says it all, or the practitioner's in an appointment.
func (n *Node) seatName(appointment string, m wire.MemberID) relayName {
	if m == wire.HostID {
		return n.relayName("host", appointment)
	}
	return n.relayName("guest", string(m))
}

func (n *Node) relayName(of ...string) (name relayName) {
	mac := hmac.New(sha256.New, n.secret)
	for _, part := range of { // none holds a zero
		mac.Write(append([]byte(part), 0))
	}
	copy(name[:], mac.Sum(nil))
	return name
}

// lend answers a node that asks for a place on the relay here.
func (n *Node) lend(_ context.Context, s network.Stream) {
	defer s.Close()
	from := s.Conn().RemotePeer()
	if n.Relay == nil || !slices.Contains(n.LendTo, from) {
		s.Reset()
		return
	}
	s.SetDeadline(time.Now().Add(10 * time.Second))
	var request [2*nameSize + 8]byte
	if _, err := io.ReadFull(s, request[:]); err != nil {
		s.Reset()
		return
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(request[2*nameSize:])), 0)
	if latest := time.Now().Add(longestLoan); until.After(latest) {
		until = latest
	}
	// Two borrowers must not meet in one call, whatever they call it.
	own := func(name []byte) string {
		sum := sha256.Sum256(append([]byte(from), name...))
		return relayName(sum[:nameSize]).String()
	}
	if err := json.NewEncoder(s).Encode(n.Relay.Grant(own(request[:nameSize]), own(request[nameSize:2*nameSize]), until)); err != nil {
		s.Reset()
	}
}

// lenders remembers how each answered last.
type lenders struct {
	mu      sync.Mutex
	lent    map[peer.ID]bool
	waiting map[*func()]bool // what is called when one begins to lend
}

// borrow asks lenders at once and returns what those gave that answered in time.
func (n *Node) borrow(ctx context.Context, lenders []peer.ID, call, seat relayName, until time.Time) (servers []wire.ICEServer) {
	ctx, cancel := context.WithTimeout(ctx, lendTime)
	defer cancel()
	loans := make(chan []wire.ICEServer, len(lenders)) // all fit: nobody waits for a reader
	for _, id := range lenders {
		go func() { // ends with ctx
			loan, err := n.askLender(ctx, id, call, seat, until)
			if n.lenders.answered(id, err == nil) && n.lifetime.Err() == nil {
				if err == nil {
					n.Log.Info("relay lent", "node", shortID(id))
				} else {
					n.Log.Warn("relay not lent", "node", shortID(id), "err", err)
				}
				n.tick()
			}
			loans <- loan
		}()
	}
	for range lenders {
		servers = append(servers, <-loans...)
	}
	return servers
}

func (n *Node) askLender(ctx context.Context, id peer.ID, call, seat relayName, until time.Time) ([]wire.ICEServer, error) {
	s, err := n.Discovery.Open(ctx, peer.AddrInfo{ID: id}, lendProtocol)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	if _, err := s.Write(binary.BigEndian.AppendUint64(append(call[:], seat[:]...), uint64(until.Unix()))); err != nil {
		return nil, fmt.Errorf("ask for a place: %w", err)
	}
	if err := s.CloseWrite(); err != nil {
		return nil, fmt.Errorf("ask for a place: %w", err)
	}
	var loan []wire.ICEServer
	if err := json.NewDecoder(io.LimitReader(s, maxLoan)).Decode(&loan); err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	if len(loan) == 0 {
		return nil, errors.New("the lender has no relay")
	}
	for _, server := range loan {
		if !server.Valid() || slices.ContainsFunc(server.URLs, notRelayURL) {
			return nil, fmt.Errorf("read credentials: %w", wire.ErrBadMessage)
		}
	}
	return loan, nil
}

// notRelayURL reports whether url is none of RFC 7064 and RFC 7065.
func notRelayURL(url string) bool {
	scheme, _, _ := strings.Cut(url, ":")
	return scheme != "turn" && scheme != "turns" && scheme != "stun"
}

// willing returns those of all that lent when last asked.
func (l *lenders) willing(all []peer.ID) (ids []peer.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range all {
		if l.lent[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// answered notes whether id lent, and reports whether that is news.
func (l *lenders) answered(id peer.ID, lent bool) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lent == nil {
		l.lent = make(map[peer.ID]bool)
	}
	before, asked := l.lent[id]
	l.lent[id] = lent
	if lent && !before {
		for f := range l.waiting {
			go (*f)()
		}
		clear(l.waiting)
	}
	return !asked || before != lent
}

// onLoan calls f, once, when somebody lends: at once if somebody did when last
// asked. stop calls it off.
func (l *lenders) onLoan(f func()) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.anyLocked() {
		go f()
		return func() {}
	}
	if l.waiting == nil {
		l.waiting = make(map[*func()]bool)
	}
	l.waiting[&f] = true
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.waiting, &f)
	}
}

func (l *lenders) any() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.anyLocked()
}

func (l *lenders) anyLocked() bool {
	for _, lent := range l.lent {
		if lent {
			return true
		}
	}
	return false
}

// shortID is what logs call a node.
func shortID(id peer.ID) string {
	text := id.String()
	return text[len(text)-6:]
}
