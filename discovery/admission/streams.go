package admission

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// A streamScope is a stream that a stranger opened: its scope, which libp2p
// passes on as long as it is open.
type streamScope struct {
	network.StreamManagementScope
	named, ended func()
}

const (
	// maxUnnamed is how many streams of strangers may not have said of which
	// protocol they are: half of all.
	maxUnnamed = maxTransientStreams / 2

	// streamsEach is how many streams there are for each stranger that there is
	// a place for: a node of the DHT has one now and then.
	streamsEach = 2
)

// OpenStream implements network.ResourceManager. Strangers' streams give way like
// strangers do: one of the node that has most of them, which has been open for
// the longest time.
func (k *Manager) OpenStream(p peer.ID, dir network.Direction) (network.StreamManagementScope, error) {
	stranger := dir == network.DirInbound && !k.gater.known(p)
	k.hear(p)
	if stranger && !k.makeRoomForStream() {
		return nil, errFull
	}
	scope, err := k.ResourceManager.OpenStream(p, dir)
	if err != nil || !stranger {
		return scope, err
	}
	k.count(1, 1)
	return &streamScope{scope,
		sync.OnceFunc(func() { k.count(0, -1) }),
		sync.OnceFunc(func() { k.count(-1, 0) }),
	}, nil
}

// SetProtocol implements network.StreamManagementScope.
func (s *streamScope) SetProtocol(id protocol.ID) error {
	s.named()
	return s.StreamManagementScope.SetProtocol(id)
}

// Done implements network.StreamManagementScope.
func (s *streamScope) Done() {
	s.named()
	s.ended()
	s.StreamManagementScope.Done()
}

// hear notes that p is not silent.
func (k *Manager) hear(p peer.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range k.conns {
		if v.peer == p {
			v.heard = time.Now()
		}
	}
}

// makeRoomForStream reports whether there is a place for one more stream of a
// stranger, if need be because another gives way. There may be none for a
// moment, when more come than libp2p keeps up with.
func (k *Manager) makeRoomForStream() bool {
	var goes []network.Stream
	k.mu.Lock()
	if k.unnamed >= maxUnnamed {
		goes = append(goes, k.longestOpenLocked(func(s network.Stream) bool { return s.Protocol() == "" }))
	}
	if k.streams >= streamsEach*k.limits.Strangers {
		goes = append(goes, k.longestOpenLocked(func(s network.Stream) bool { return k.provesLocked(s) < proved }))
	}
	k.mu.Unlock()
	for _, s := range goes {
		if s == nil {
			continue
		}
		_ = s.ResetWithError(network.StreamResourceLimitExceeded)
		if scope, ok := s.Scope().(*streamScope); ok {
			scope.Done() // who serves it may need a moment to notice
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unnamed < maxUnnamed+maxUnnamed/2 && k.streams < 2*streamsEach*k.limits.Strangers
}

// longestOpenLocked returns a stream that a stranger opened and that may give
// way; nil if there is none.
func (k *Manager) longestOpenLocked(may func(network.Stream) bool) (longest network.Stream) {
	streams := make(map[peer.ID][]network.Stream)
	most := 1
	for _, v := range k.conns {
		if v.conn == nil || k.gater.known(v.peer) {
			continue
		}
		for _, s := range v.conn.GetStreams() {
			if s.Stat().Direction == network.DirInbound && may(s) {
				streams[v.peer] = append(streams[v.peer], s)
			}
		}
		most = max(most, len(streams[v.peer]))
	}
	for _, list := range streams {
		for _, s := range list {
			if len(list) == most && (longest == nil || s.Stat().Opened.Before(longest.Stat().Opened)) {
				longest = s
			}
		}
	}
	return longest
}

func (k *Manager) count(streams, unnamed int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.streams += streams
	k.unnamed += unnamed
}
