package logs

import (
	"net/netip"
	"regexp"
	"strings"
)

var (
	// urls are cut out whole: what opens a door is in their query or fragment.
	urls = regexp.MustCompile(`\b(https?|wss?)://[^\s"'<>]+`)

	// multiaddrs are written into libp2p's dial errors, circuits and all.
	multiaddrs = regexp.MustCompile(`/(ip4|ip6|ip6zone|dns|dns4|dns6|dnsaddr)/[^\s"'\])},;]+`)

	// mdns names stand for an address on a local network.
	mdns = regexp.MustCompile(`\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\.local\b`)

	// peerIDs are shortened to what the key "node" shows.
	peerIDs = regexp.MustCompile(`\b(12D3Koo\w{40,50}|Qm\w{44})\b`)

	// addresses are candidates for an IP address; only real ones are cut.
	addresses = regexp.MustCompile(`\[?[0-9a-fA-F:]*[:.][0-9a-fA-F:.]*(%\w+)?\]?(:\d+)?`)
)

// scrub returns text without network addresses and links. The IP addresses of
// patients are personal data, and error texts quote them.
func scrub(text string) string {
	if !strings.ContainsAny(text, "./:") && len(text) < 40 {
		return text // most values: a word, a number, a pseudonym
	}
	text = urls.ReplaceAllString(text, "[link]")
	text = multiaddrs.ReplaceAllString(text, "[address]")
	text = mdns.ReplaceAllString(text, "[address]")
	text = peerIDs.ReplaceAllStringFunc(text, func(id string) string { return id[len(id)-6:] })
	return addresses.ReplaceAllStringFunc(text, func(s string) string {
		bare := strings.TrimRight(s, ".:") // the end of a sentence, "dial 10.0.0.1: refused"
		if !isAddress(bare) {
			return s
		}
		return "[address]" + s[len(bare):]
	})
}

// isAddress reports whether s is an IP address, with or without a port.
func isAddress(s string) bool {
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return true
	}
	_, err := netip.ParseAddrPort(s)
	return err == nil
}
