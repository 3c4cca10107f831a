package config

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

const (
	maxHost  = 253 // of a name in the DNS, and
	maxLabel = 63  // between two dots of it
)

// misspelt says what is wrong with how an origin names its host and port, and
// what to write instead; empty: nothing. Browsers have one spelling of a host,
// which they send and which links, certificates and the page are compared
// with, so another one cannot work even where it means the same.
func misspelt(u *url.URL) string {
	host, port := u.Hostname(), u.Port()
	write := func(host string) string { // the origin with another host
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if port != "" {
			host += ":" + port
		}
		return u.Scheme + "://" + host
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0 || strconv.FormatUint(n, 10) != port) || strings.HasSuffix(u.Host, ":") {
		return "must name a port from 1 to 65535 after its last colon, without leading zeros: write " + u.Scheme + "://" + strings.TrimSuffix(u.Host, ":"+port)
	}
	if ip, err := netip.ParseAddr(host); err == nil || strings.HasPrefix(u.Host, "[") {
		return misspeltAddress(ip, host, write)
	}
	const sent = "must be written as browsers send it: write "
	switch name, err := idna.Lookup.ToASCII(host); {
	case isASCII(host):
	case err != nil:
		return "has a name that the DNS cannot hold: write one of letters, digits and hyphens"
	default:
		return sent + write(strings.TrimSuffix(name, "."))
	}
	switch name := strings.TrimSuffix(strings.ToLower(host), "."); {
	case name != host:
		return sent + write(name)
	case endsInNumber(host):
		return "browsers read this as an address, and another than it seems: write four numbers from 0 to 255 without leading zeros, such as https://9.9.9.9, or a name"
	case !isName(strings.ReplaceAll(host, "_", "-")):
		return "has a name that the DNS cannot hold: write one of letters, digits and hyphens"
	case strings.Contains(host, "_"):
		return "no authority certifies a name with _ in it: use one with hyphens, such as " + write(strings.ReplaceAll(host, "_", "-"))
	}
	return ""
}

// misspeltAddress is misspelt for an address; ip is the zero Addr if host is none.
func misspeltAddress(ip netip.Addr, host string, write func(string) string) string {
	switch {
	case !ip.IsValid():
		return "has brackets around what is no IPv6 address: write one, such as https://[2001:db8::1], or a name"
	case ip.Zone() != "":
		return "has a zone, which means something on this computer only: write an address that patients can reach, or a name"
	case ip.Unmap().String() != host:
		return "must be written as browsers send it: write " + write(ip.Unmap().String())
	}
	return ""
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f })
}

// endsInNumber reports whether browsers take host for an IPv4 address; that of
// four plain numbers is one.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if digits, hex := strings.CutPrefix(last, "0x"); hex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// isName reports whether name, in small letters, is one that the DNS can hold.
func isName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
			strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
	}
	return len(name) <= maxHost
}
