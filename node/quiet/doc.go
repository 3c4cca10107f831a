// Package quiet makes TCP connections for who does little with each of many
// packets.
//
// The system calls of a quiet connection are made without the runtime's
// knowledge. None of them waits, so it has nothing to do then; but it would wake
// the thread that watches over calls which do, and on a relay that carries a
// call or two this costs more than all else that is done to a packet.
//
// It is the one package that uses unsafe, for three system calls (read, write
// and ppoll) which no other package makes in this way.
package quiet
