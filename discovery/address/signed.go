package address

import (
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	ma "github.com/multiformats/go-multiaddr"
)

// ErrBadRecord is what every refusal of a signed peer record wraps.
var ErrBadRecord = errors.New("bad peer record")

// Seal returns a libp2p signed peer record of as many of addrs, in their
// order, as fit into limit bytes.
func Seal(key crypto.PrivKey, addrs []ma.Multiaddr, limit int) ([]byte, error) {
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("seal peer record: %w", err)
	}
	for {
		envelope, err := record.Seal(peer.PeerRecordFromAddrInfo(peer.AddrInfo{ID: id, Addrs: addrs}), key)
		if err != nil {
			return nil, fmt.Errorf("seal peer record: %w", err)
		}
		data, err := envelope.Marshal()
		if err != nil {
			return nil, fmt.Errorf("seal peer record: %w", err)
		}
		if len(data) <= limit {
			return data, nil
		}
		if len(addrs) == 0 {
			return nil, errors.New("seal peer record: limit too small")
		}
		addrs = addrs[:len(addrs)-1]
	}
}

// Open returns what a signed peer record says, if the node it speaks of
// signed it with an Ed25519 key. The addresses are as they came.
func Open(data []byte) (peer.AddrInfo, error) {
	var rec peer.PeerRecord
	envelope, err := record.ConsumeTypedEnvelope(data, &rec)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: not signed", ErrBadRecord)
	}
	if envelope.PublicKey.Type() != crypto.Ed25519 || !rec.PeerID.MatchesPublicKey(envelope.PublicKey) {
		return peer.AddrInfo{}, fmt.Errorf("%w: signed by another node", ErrBadRecord)
	}
	return peer.AddrInfo{ID: rec.PeerID, Addrs: rec.Addrs}, nil
}
