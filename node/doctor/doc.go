// Package doctor finds out whether patients can reach a node, and says what is
// wrong and what to do, in sentences for the person who runs it. It looks when
// it is asked to, and every now and then by itself, at what the operator named
// and at nothing else.
//
//	doctor.go    Config, Report, and the table of checks
//	rounds.go    when to look, and the newest report
//	here.go      what can be seen on this computer
//	name.go      the certificate, and where the name leads
//	outside.go   what configured peers see of this node
//	visit.go     the page where patients come in, if that is not here
//	relay.go     the node's own relay, and how many it borrows
//	borrowed.go  whether borrowed relays are where browsers are sent
//	nodes.go     other nodes, and the DHT
//	ask.go       /anteroom/check/1: one request and its answer
//	witness.go   the node that is asked
//	probe.go     one connection, as a patient would make it
package doctor
