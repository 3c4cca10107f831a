package lend

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// A Lender gives credentials for this node's relay to other nodes.
type Lender struct {
	relay Relay // nil: nobody gets one
	to    []peer.ID
}

// NewLender returns a Lender to those nodes.
func NewLender(relay Relay, to []peer.ID) *Lender { return &Lender{relay, to} }

// Serve answers a node that asks for credentials.
func (l *Lender) Serve(_ context.Context, s network.Stream) {
	defer s.Close()
	from := s.Conn().RemotePeer()
	if l.relay == nil || !slices.Contains(l.to, from) {
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
	if err := json.NewEncoder(s).Encode(l.relay.Grant(own(request[:nameSize]), own(request[nameSize:2*nameSize]), until)); err != nil {
		s.Reset()
	}
}
