package relay

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
)

// The little of RFC 8489 and RFC 8656 that must be fast: what carries packets
// of a call. The library knows the rest.
const (
	cookie     = 0x2112A442
	stunHeader = 20

	typeBind = 0x0009 // a ChannelBind request
	typeSend = 0x0016 // indication, from a client
	typeData = 0x0017 // indication, to a client

	attrIntegrity   = 0x0008
	attrChannel     = 0x000C
	attrPeer        = 0x0012
	attrData        = 0x0013
	attrNoFragments = 0x001A

	channelHeader = 4
	minChannel    = 0x4000
	maxChannel    = 0x7FFF

	// maxPacket is the longest packet that is taken in. Browsers send at most
	// 1,280 bytes of media at a time.
	maxPacket = 1600

	// headroom is what a Data indication needs before its payload.
	headroom = stunHeader + 4 + 20 + 4

	// bufferSize leaves room for headers before, and padding behind.
	bufferSize = headroom + maxPacket + 4
)

// A buffer holds a packet, at headroom as long as it is as it came. In what
// follows, lo and hi are where its payload begins and ends.
type buffer [bufferSize]byte

// isSTUN reports whether p begins a STUN message of any kind.
func isSTUN(p []byte) bool {
	return len(p) >= 8 && p[0] < 0x40 && binary.BigEndian.Uint32(p[4:]) == cookie
}

// wholeSTUN reports whether p is one STUN message by its own account.
func wholeSTUN(p []byte) bool {
	return len(p) >= stunHeader && isSTUN(p) &&
		len(p) == stunHeader+int(binary.BigEndian.Uint16(p[2:])) && len(p)%4 == 0
}

// isRequest and isResponse are for a wholeSTUN, and look at its class.
func isRequest(p []byte) bool  { return p[0]&1 == 0 && p[1]&0x10 == 0 }
func isResponse(p []byte) bool { return p[0]&1 == 1 }

// isSend reports whether a wholeSTUN is a Send indication.
func isSend(p []byte) bool { return binary.BigEndian.Uint16(p) == typeSend }

// eachAttr calls yield for the attributes of a wholeSTUN, until it returns
// false or one of them does not fit: then eachAttr returns false.
func eachAttr(p []byte, yield func(kind uint16, lo, hi int) bool) bool {
	for at := stunHeader; at < len(p); {
		lo := at + 4
		if lo > len(p) {
			return false
		}
		hi := lo + int(binary.BigEndian.Uint16(p[at+2:]))
		if hi > len(p) || !yield(binary.BigEndian.Uint16(p[at:]), lo, hi) {
			return false
		}
		at = hi + -hi&3
	}
	return true
}

// isSigned reports whether a wholeSTUN has a MESSAGE-INTEGRITY, right or wrong.
func isSigned(p []byte) (found bool) {
	eachAttr(p, func(kind uint16, _, _ int) bool {
		found = kind == attrIntegrity
		return !found
	})
	return found
}

// parseSend returns what a Send indication asks for.
func parseSend(p []byte) (peer netip.AddrPort, lo, hi int, ok bool) {
	ok = eachAttr(p, func(kind uint16, from, to int) bool {
		switch {
		case kind == attrPeer:
			if peer.IsValid() {
				return true // the first counts
			}
			peer, ok = parsePeer(p[from:to], p)
			return ok
		case kind == attrData:
			if lo == 0 {
				lo, hi = from, to
			}
			return true
		}
		return kind >= 0x8000 || kind == attrNoFragments // others are not to be ignored
	})
	return peer, lo, hi, ok && peer.IsValid() && lo > 0
}

// parseBind returns what a wholeSTUN asks for; ok is false if it is no request
// for a channel.
func parseBind(p []byte) (channel uint16, peer netip.AddrPort, ok bool) {
	if binary.BigEndian.Uint16(p) != typeBind {
		return 0, peer, false
	}
	ok = eachAttr(p, func(kind uint16, lo, hi int) bool {
		switch {
		case kind == attrChannel && hi-lo >= 2 && channel == 0:
			channel = binary.BigEndian.Uint16(p[lo:])
		case kind == attrPeer && !peer.IsValid():
			peer, _ = parsePeer(p[lo:hi], p)
		}
		return true
	})
	return channel, peer, ok
}

// parsePeer decodes an XOR-PEER-ADDRESS of the message p. An IPv4 address in
// the disguise of an IPv6 one stays one.
func parsePeer(v, p []byte) (netip.AddrPort, bool) {
	var a netip.Addr
	switch {
	case len(v) == 8 && v[1] == 1:
		b := [4]byte(v[4:])
		for i := range b {
			b[i] ^= p[4+i]
		}
		a = netip.AddrFrom4(b)
	case len(v) == 20 && v[1] == 2:
		b := [16]byte(v[4:])
		for i := range b {
			b[i] ^= p[4+i]
		}
		a = netip.AddrFrom16(b)
	default:
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(v[2:])^(cookie>>16)), true
}

// isChannelData reports whether p begins like a ChannelData message.
func isChannelData(p []byte) bool { return len(p) >= channelHeader && p[0] >= 0x40 && p[0] < 0x80 }

// parseChannelData returns the parts of a ChannelData message.
func parseChannelData(p []byte) (channel uint16, lo, hi int, ok bool) {
	hi = channelHeader + int(binary.BigEndian.Uint16(p[2:]))
	return binary.BigEndian.Uint16(p), channelHeader, hi, hi <= len(p)
}

// putChannelData makes the payload a ChannelData message, in place, padded if
// it is for a stream.
func putChannelData(b *buffer, lo, hi int, channel uint16, padded bool) []byte {
	start := lo - channelHeader
	binary.BigEndian.PutUint16(b[start:], channel)
	binary.BigEndian.PutUint16(b[start+2:], uint16(hi-lo))
	if padded {
		hi = pad(b, lo, hi)
	}
	return b[start:hi]
}

// putData makes the payload a Data indication, in place.
func putData(b *buffer, lo, hi int, peer netip.AddrPort) []byte {
	ip := peer.Addr().AsSlice()
	start := lo - stunHeader - 4 - 4 - len(ip) - 4
	size := hi - lo
	hi = pad(b, lo, hi)

	p := b[start:hi]
	binary.BigEndian.PutUint16(p, typeData)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)-stunHeader))
	binary.BigEndian.PutUint32(p[4:], cookie)
	binary.BigEndian.PutUint64(p[8:], rand.Uint64())
	binary.BigEndian.PutUint32(p[16:], rand.Uint32())

	binary.BigEndian.PutUint16(p[20:], attrPeer)
	binary.BigEndian.PutUint16(p[22:], uint16(4+len(ip)))
	p[24], p[25] = 0, 1
	if len(ip) == 16 {
		p[25] = 2
	}
	binary.BigEndian.PutUint16(p[26:], peer.Port()^(cookie>>16))
	for i := range ip {
		p[28+i] = ip[i] ^ p[4+i]
	}
	at := 28 + len(ip)
	binary.BigEndian.PutUint16(p[at:], attrData)
	binary.BigEndian.PutUint16(p[at+2:], uint16(size))
	return p
}

// pad fills the payload with zeros to a multiple of four bytes.
func pad(b *buffer, lo, hi int) int {
	for ; (hi-lo)%4 != 0; hi++ {
		b[hi] = 0
	}
	return hi
}

// largeSound is more than a packet of sound has, even twice.
const largeSound = 400

// isPicture reports whether a packet for a client is RTP that is too long for
// sound. The first byte of what is carried tells what it is (RFC 7983).
func isPicture(p []byte) bool {
	return len(p) > channelHeader+largeSound && isChannelData(p) && p[channelHeader]>>6 == 2
}

// frameSize returns how long the message is that begins with head, on a
// stream. Nothing can be made of a stream in which ok is false.
func frameSize(head []byte) (n int, ok bool) {
	n = int(binary.BigEndian.Uint16(head[2:]))
	switch {
	case head[0] < 0x40:
		return stunHeader + n, n%4 == 0 && stunHeader+n <= maxPacket
	case head[0] < 0x80:
		n += channelHeader
		n += -n & 3
		return n, n <= maxPacket
	}
	return 0, false
}
