package relay

import (
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
)

// batch is how many packets a forwarder reads, or sends, at once.
const batch = 64

// A forwarder takes packets from clients to clients. Each goroutine that reads
// has one: handle, up to batch times with buffers of their own, then flush.
type forwarder struct {
	endpoint *endpoint
	socket   batchConn // to send to clients of the same endpoint; nil: any
	stream   *stream   // whose packets these are; nil: packets of UDP

	out []ipv4.Message
	via []*endpoint // of each in out
	now int64

	streamed [][]byte  // packets for streams
	into     []*stream // of each in streamed

	packets, bytes uint64 // not counted yet
}

func newForwarder(f *endpoint, socket batchConn) *forwarder {
	return &forwarder{endpoint: f, socket: socket, out: make([]ipv4.Message, 0, batch), via: make([]*endpoint, 0, batch), now: now()}
}

// handleLocked deals with the packet of n bytes in b. What it sends waits in b
// until flush. The system said control of it. The table is locked for reading.
func (c *forwarder) handleLocked(b *buffer, n int, src net.Addr, control []byte) {
	r := c.endpoint.relay
	p := b[headroom : headroom+n]
	client := addrPort(src)
	from := c.endpoint.clients[client] // nil: has no allocation
	switch {
	case isChannelData(p):
		channel, lo, hi, ok := parseChannelData(p)
		if !ok {
			r.count.malformed.Add(1)
			return
		}
		if from == nil {
			r.count.unbound.Add(1)
			return
		}
		peer, ok := from.peers[channel]
		if !ok {
			r.count.unbound.Add(1)
			return
		}
		c.relayLocked(b, headroom+lo, headroom+hi, from, r.table.atLocked(peer))

	case !wholeSTUN(p):
		r.count.malformed.Add(1)

	case isSend(p):
		peer, lo, hi, ok := parseSend(p)
		if !ok {
			r.count.malformed.Add(1)
			return
		}
		if from == nil {
			r.count.unbound.Add(1)
			return
		}
		to := r.table.atLocked(peer)
		if _, permitted := from.permitted[peer.Addr()]; !permitted && to != nil {
			r.count.unbound.Add(1)
			return
		}
		c.relayLocked(b, headroom+lo, headroom+hi, from, to)

	case isRequest(p):
		if from == nil && !isSigned(p) && c.spent(client) {
			r.count.unanswered.Add(1)
			return
		}
		c.endpoint.ask(p, src, sourceFor(control), from != nil)
	}
}

// spent reports whether a client that has proved nothing gets no answer now.
func (c *forwarder) spent(client netip.AddrPort) bool {
	if c.stream != nil {
		return c.stream.replies.spent(c.now)
	}
	return !c.endpoint.relay.replies.May(client.Addr())
}

// relayLocked takes a payload from one allocation to another; to may be nil.
func (c *forwarder) relayLocked(b *buffer, lo, hi int, from, to *allocation) {
	r := c.endpoint.relay
	from.use(c.now)
	if !from.packets.take(c.now, 1) || !from.bytes.take(c.now, hi-lo) || r.total != nil && !r.total.take(c.now, hi-lo) {
		r.count.rate.Add(1)
		return
	}
	if to == nil {
		r.count.elsewhere.Add(1)
		return
	}
	if channel, ok := to.channels[from.addr]; ok {
		c.send(to, putChannelData(b, lo, hi, channel, to.stream != nil))
	} else if _, ok := to.permitted[from.addr.Addr()]; ok {
		c.send(to, putData(b, lo, hi, from.addr))
	} else {
		r.count.unbound.Add(1)
		return
	}
	to.use(c.now)
	c.packets++
	c.bytes += uint64(hi - lo)
}

func (c *forwarder) send(to *allocation, p []byte) {
	if to.stream != nil {
		c.streamed, c.into = append(c.streamed, p), append(c.into, to.stream)
		return
	}
	n := len(c.out)
	c.out, c.via = c.out[:n+1], append(c.via, to.endpoint)
	m := &c.out[n]
	if m.Buffers == nil {
		m.Buffers = make([][]byte, 1)
	}
	m.Buffers[0], m.Addr, m.OOB = p, to.to, to.source
}

// flush sends what waits.
func (c *forwarder) flush() {
	for lo := 0; lo < len(c.out); {
		hi := lo + 1
		for hi < len(c.out) && c.via[hi] == c.via[lo] {
			hi++
		}
		socket := c.socket
		if c.via[lo] != c.endpoint || socket == nil {
			socket = c.via[lo].sockets[0]
		}
		for lo < hi {
			n, err := socket.WriteBatch(c.out[lo:hi], 0)
			lo += max(n, 0)
			if err != nil && lo < hi {
				c.endpoint.relay.count.unsent.Add(1)
				lo++ // the one that failed
			}
		}
	}
	c.out, c.via = c.out[:0], c.via[:0]
	for lo := 0; lo < len(c.into); {
		hi := lo + 1
		for hi < len(c.into) && c.into[hi] == c.into[lo] {
			hi++
		}
		c.into[lo].deliver(c.streamed[lo:hi])
		lo = hi
	}
	clear(c.into)
	c.streamed, c.into = c.streamed[:0], c.into[:0]
	if c.packets > 0 {
		c.endpoint.relay.count.packets.Add(c.packets)
		c.endpoint.relay.count.bytes.Add(c.bytes)
		c.packets, c.bytes = 0, 0
	}
}
