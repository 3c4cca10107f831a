package discovery

import "github.com/libp2p/go-libp2p/core/peer"

func idsOf(peers []PeerInfo) (ids []peer.ID) {
	for _, p := range peers {
		ids = append(ids, p.ID)
	}
	return ids
}

func setOf(ids []peer.ID) map[peer.ID]bool {
	set := make(map[peer.ID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}
