// Package discovery finds nodes and moves opaque bytes between them: a libp2p
// host, a private DHT, configured peers and their cards. It knows no
// appointment, room or person, and imports no other package of ours, so no
// name and no invite can reach the network except as bytes somebody sealed.
//
// A Discovery contacts nobody by itself. With no listener, peer or bootstrap
// node in its Config it never opens an IP socket; what its peers file remembers
// from better days does not change that.
//
// There are three ways from a secret to the node behind it, and callers race
// them:
//
//	Ask      "is this yours?" to every configured peer, /anteroom/find/1
//	Search   the DHT, under names that only holders of the secret can compute
//	Open     a stream to whoever was found, dialled from its signed record
//
// A node behind NAT keeps a place at each of its relays, which take calls for
// it and for nobody else who is not on their lists. The circuits they offer are
// part of its record. Open takes one where there is no direct connection; the
// nodes then try to make one behind its back, for the next stream.
//
// The DHT stores one kind of record and nothing else: see validator. Whoever
// reads, crawls or floods it meets the limits in limits.go.
package discovery
