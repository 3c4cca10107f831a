package relay

import (
	"io"
	"sync/atomic"

	"github.com/pion/logging"
)

// Stats says what a Relay has done since it was made, and for nobody in
// particular.
type Stats struct {
	Allocations int // now
	Streams     int // TCP connections now

	Packets, Bytes uint64 // relayed, without headers
	Dropped        Dropped
	Refused        Refused
}

// Dropped counts packets that went nowhere, by why.
type Dropped struct {
	Malformed  uint64 // neither a STUN message nor ChannelData
	Unbound    uint64 // without an allocation, a permission or a channel, on either side
	Elsewhere  uint64 // to an address that is not one of the relay's own
	Rate       uint64 // beyond what an allocation, or the relay, may send
	Overflow   uint64 // a queue was full
	Unsent     uint64 // the system did not take it
	Unanswered uint64 // requests and replies beyond Limits.Replies
}

// Refused counts requests that were answered with an error, or streams that
// were closed, by why.
type Refused struct {
	Credentials uint64 // never granted, expired or revoked
	Quota       uint64
	Peer        uint64 // a permission for an address that is not one of the relay's own
	Streams     uint64
}

type counters struct {
	packets, bytes                      atomic.Uint64
	malformed, unbound, elsewhere, rate atomic.Uint64
	overflow, unsent, unanswered        atomic.Uint64
	credentials, quota, peer, stream    atomic.Uint64
}

// Stats returns the counts as they are now.
func (r *Relay) Stats() Stats {
	r.table.mu.RLock()
	live := r.table.live
	r.table.mu.RUnlock()
	c := &r.count
	return Stats{
		Allocations: live,
		Streams:     r.streams.Size(),
		Packets:     c.packets.Load(),
		Bytes:       c.bytes.Load(),
		Dropped: Dropped{
			Malformed:  c.malformed.Load(),
			Unbound:    c.unbound.Load(),
			Elsewhere:  c.elsewhere.Load(),
			Rate:       c.rate.Load(),
			Overflow:   c.overflow.Load(),
			Unsent:     c.unsent.Load(),
			Unanswered: c.unanswered.Load(),
		},
		Refused: Refused{
			Credentials: c.credentials.Load(),
			Quota:       c.quota.Load(),
			Peer:        c.peer.Load(),
			Streams:     c.stream.Load(),
		},
	}
}

// silence is the library's logger: all that it says has addresses or names in
// it, and what matters is counted.
type silence struct{}

// NewLogger implements logging.LoggerFactory.
func (silence) NewLogger(scope string) logging.LeveledLogger {
	return logging.NewDefaultLeveledLoggerForScope(scope, logging.LogLevelDisabled, io.Discard)
}
