// Package relay is a closed STUN and TURN server: two browsers that cannot
// reach each other meet in it, and it reaches nothing else.
//
// Every allocation gets an address that exists only in this process, out of
// ranges that the Internet reserves for documentation. Packets go from one
// allocation to another and from an allocation to its client, and there is no
// code that would send them anywhere else: no relayed socket, no port range.
//
// The library answers requests: it authenticates them, and keeps the lifetimes
// of allocations, permissions and channels. Packets of a call do not pass
// through it. The goroutine that reads one finds where it goes in this
// package's own table, rewrites its header in place, and sends it on, in
// batches where the system can.
//
//	relay.go       Relay, Config, Limits
//	credentials.go who may use it, and until when
//	table.go       allocations, and what the library tells of them
//	allocation.go  one of them
//	forwarder.go   what happens to a packet
//	packet.go      what a packet looks like
//	endpoint.go    an address that clients send to: UDP sockets
//	mismatch.go    what the library does not answer
//	stream.go      or TCP and TLS connections
//	limit.go       rates
//	listen.go      opens the sockets
//	source.go      which address packets leave from
//	direct_….go    which are read without the poller of the runtime, on Linux
//	split.go       one TLS port for pages and for the relay
package relay
