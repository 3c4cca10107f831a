// Package rendezvous is what a gateway and a home node say to each other to
// bring a guest's browser and the home node together: the frame that tells a
// gateway where to look, and frames on a libp2p stream. PROTOCOL.md, beside this
// package, is the specification of everything below it.
//
//	wire     the vocabulary: connections, messages, errors, limits
//	invite   links, keys, host keys, records
//	seal     the channel between browser and home node
package rendezvous
