package httpui

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// What proxies say of who asks, and how. There are as many spellings as
// proxies: Traefik says wss for a WebSocket, IIS and Azure add the client's
// port, HAProxy and Envoy may send Forwarded (RFC 7239), and each proxy of a row
// appends its part to the same line or to one of its own.

// A badHeader is what is wrong with a proxy's headers. It holds no value.
type badHeader string

func (b badHeader) Error() string { return string(b) }

// client returns the address that a known proxy asks for, over https. The error
// is a badHeader.
func (p proxies) client(h http.Header) (netip.Addr, error) {
	hops := elements(h.Values("X-Forwarded-For"))
	described, err := forwardedHops(h.Values("Forwarded"))
	at, from := -1, netip.Addr{}
	name := "X-Forwarded-For"
	switch {
	case len(hops) > 0:
		from, _, err = p.walk(hops, name)
	case err != nil:
		return netip.Addr{}, err
	case len(described) > 0:
		name = "Forwarded"
		for _, hop := range described {
			hops = append(hops, hop["for"])
		}
		from, at, err = p.walk(hops, name)
	default:
		return netip.Addr{}, badHeader("X-Forwarded-For is missing")
	}
	if err != nil {
		return netip.Addr{}, err
	}
	proto := ""
	if at >= 0 {
		proto = described[at]["proto"]
	}
	return from, https(h, proto)
}

// walk returns the address that a list of hops names, and where it stands. Each
// proxy appends whom it heard from, so what is true stands on the right, up to
// the first address that is none of ours; left of that is what a stranger claims.
func (p proxies) walk(hops []string, header string) (client netip.Addr, at int, err error) {
	for i, hop := range slices.Backward(hops) {
		addr, ok := parseHop(hop)
		if !ok {
			return netip.Addr{}, -1, badHeader(header + " holds something that is no address")
		}
		if client, at = addr, i; !p.contain(addr) {
			return client, at, nil
		}
	}
	return client, at, nil // somebody at a proxy itself
}

// parseHop reads an address with or without a port, in brackets or in quotes.
func parseHop(s string) (netip.Addr, bool) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	text := s
	if inner, ok := strings.CutPrefix(s, "["); ok {
		address, port, ok := strings.Cut(inner, "]")
		if port, has := strings.CutPrefix(port, ":"); !ok || has && !isPort(port) || !has && port != "" {
			return netip.Addr{}, false
		}
		if text = address; !strings.Contains(text, ":") {
			return netip.Addr{}, false
		}
	} else if address, port, ok := strings.Cut(s, ":"); ok && !strings.Contains(port, ":") {
		if text = address; !isPort(port) {
			return netip.Addr{}, false
		}
	}
	addr, err := netip.ParseAddr(text)
	addr = addr.Unmap().WithZone("")
	return addr, err == nil && !addr.IsUnspecified() && !addr.IsMulticast()
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil && !strings.HasPrefix(s, "+")
}

// https returns nil if the client's connection was encrypted. The first header
// that is there decides; forwarded is what Forwarded says. Of a list the
// outermost proxy's word counts, which is first; a client who forges it over
// http has nobody's security but their own to lose.
func https(h http.Header, forwarded string) error {
	for _, name := range []string{"X-Forwarded-Proto", "Forwarded", "X-Forwarded-Scheme", "X-Forwarded-Protocol", "X-Url-Scheme"} {
		hops := elements(h.Values(name))
		if name == "Forwarded" {
			hops = elements([]string{forwarded})
		}
		for i, hop := range hops {
			switch hop = strings.ToLower(hop); hop {
			case "https", "wss":
			case "http", "ws":
				if i == 0 {
					return badHeader(name + " says that the client's connection is not encrypted")
				}
			default:
				return badHeader(name + " holds something that is no scheme")
			}
		}
		if len(hops) > 0 {
			return nil
		}
	}
	for _, name := range []string{"X-Forwarded-Ssl", "Front-End-Https"} {
		if values := elements(h.Values(name)); len(values) > 0 {
			if strings.EqualFold(values[0], "on") {
				return nil
			}
			return badHeader(name + " says that the client's connection is not encrypted")
		}
	}
	if h.Get("X-Arr-Ssl") != "" { // IIS: what is known of the certificate
		return nil
	}
	return badHeader("X-Forwarded-Proto is missing")
}

// elements returns what is in a list over all lines of its header. Empty
// elements are none (RFC 9110, 5.6.1).
func elements(lines []string) (list []string) {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.TrimSpace(element); element != "" {
				list = append(list, element)
			}
		}
	}
	return list
}

// forwardedHops reads the lines of a Forwarded header (RFC 7239): the
// parameters of each hop by their names in lower case.
func forwardedHops(lines []string) (hops []map[string]string, err error) {
	const bad = badHeader("Forwarded is damaged")
	for _, line := range lines {
		elements, ok := splitOutside(line, ',')
		if !ok {
			return nil, bad
		}
		for _, element := range elements {
			if strings.TrimSpace(element) == "" {
				continue
			}
			pairs, _ := splitOutside(element, ';')
			hop := map[string]string{}
			for _, pair := range pairs {
				name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
				name = strings.ToLower(name)
				if _, twice := hop[name]; !ok && name != "" || twice {
					return nil, bad
				}
				hop[name] = unquote(value)
			}
			hops = append(hops, hop)
		}
	}
	return hops, nil
}

// splitOutside splits s at sep, but not within quotes. ok is false if a quote
// has no end.
func splitOutside(s string, sep byte) (parts []string, ok bool) {
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case quoted && s[i] == '\\':
			i++
		case !quoted && s[i] == sep:
			parts, from = append(parts, s[from:i]), i+1
		}
	}
	return append(parts, s[from:]), !quoted
}

// unquote returns what a quoted string holds, and anything else as it is.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
