package relay

import (
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// A socket for all addresses of a computer sends from the one that the system
// prefers, and browsers take nothing from an address that they have not asked.
// So such a socket hears from the system where each packet came to, and says
// where its answers, and what is relayed to the same client, are to leave from.

// controlSize has room for what the system says of one packet.
const controlSize = 64

// hearDestinations makes c, a socket for all addresses, hear where packets came to.
func hearDestinations(c *net.UDPConn, addr netip.Addr) error {
	if addr.Is4() {
		return ipv4.NewPacketConn(c).SetControlMessage(ipv4.FlagDst, true)
	}
	return ipv6.NewPacketConn(c).SetControlMessage(ipv6.FlagDst, true)
}

// sourceFor returns what to say so that an answer leaves from where the packet
// came to of which the system said control; nil if there is no choice.
func sourceFor(control []byte) []byte {
	if len(control) == 0 {
		return nil
	}
	var four ipv4.ControlMessage
	if four.Parse(control) == nil && four.Dst != nil {
		return (&ipv4.ControlMessage{Src: four.Dst}).Marshal()
	}
	var six ipv6.ControlMessage
	if six.Parse(control) == nil && six.Dst != nil {
		return (&ipv6.ControlMessage{Src: six.Dst}).Marshal()
	}
	return nil
}
