package wire

import "time"

// PROTOCOL.md, "Limits". Text is counted in Unicode code points.
const (
	MaxFrame       = 20 << 10   // one frame on either leg, bytes
	MaxMessage     = 16<<10 - 2 // one message, bytes: what the largest sealed frame holds
	MaxName        = 64         // what a guest says they are called
	MaxLabel       = 64         // what the practice calls a guest
	MaxSDP         = 14_000     // one description
	MaxCandidate   = 512        // one ICE candidate line
	MaxCandidates  = 32         // held for one waiting guest
	MaxMembers     = 4          // in a mesh, the practitioner included
	MaxICEServers  = 8
	MaxRoster      = 64 // members in one roster
	HandshakeTime  = 10 * time.Second
	MaxInt         = 1<<53 - 1 // the largest integer both JSON decoders agree on
	MessagesPerSec = 20        // a client's rate, with a burst of
	MessagesBurst  = 60
)
