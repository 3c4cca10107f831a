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
// The DHT stores one kind of record and nothing else. Whoever reads, crawls or
// floods it meets limits.
//
// A Discovery puts together what packages below it do, each of which imports only
// those above it in this list:
//
//	address    what a multiaddr means, and which are worth naming
//	limit      how often a peer may do something, and how much of it at a time
//	identity   the key of a node, in a file
//	admission  who may be dialled, who gets in, and who stays
//	contacts   the nodes that the operator named: cards, the book, its file
//	host       the libp2p host, its streams, and which connections are dead
//	records    the DHT: what it keeps, publishing and searching
//	circuits   calls through relays: being one, and having reservations at others
//	reach      the computer's addresses, and who has reached this node at them
package discovery
