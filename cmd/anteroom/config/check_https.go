package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"anteroom/httpui/certs"
)

// https reads everything by which patients come in. What is passed to this node
// from others needs no place to listen at.
func (p *problems) https(plan *Plan, c HTTP, passed bool) {
	mode := c.TLS.Mode
	plan.Entrance.Mode = mode
	p.oneOf("http.tls.mode", mode, TLSOff, TLSFiles, TLSACME, TLSBehindProxy)
	p.unusedTLS(c)
	if mode == TLSOff {
		return
	}
	if c.PublicURL == "" {
		p.add("http.public_url", "is empty, and http.tls.mode: %s is for guests who come there: write the https origin that they use, or turn the mode off", mode)
	}
	if len(c.PublicListen) == 0 && !passed {
		p.add("http.public_listen", "is empty, so nobody could come in: write %q", Default().HTTP.PublicListen)
	}
	plan.Entrance.Listen = c.PublicListen
	p.list("http.public_listen", c.PublicListen, maxListen)
	for i, listen := range c.PublicListen {
		key := item("http.public_listen", i)
		ip, port, ok := p.hostPort(key, listen)
		if !ok {
			continue
		}
		plan.listens("http.public_listen", i, listen, everywhere(ip, port))
		if mode == TLSBehindProxy && !ip.IsLoopback() && !ip.IsPrivate() {
			p.add(key, "what a proxy sends here is not encrypted, so it must stay on this computer or inside a private network: write 127.0.0.1:%d", proxyPort(port))
		}
	}
	if c.RedirectListen != "" && mode != TLSBehindProxy {
		if ip, port, ok := p.hostPort("http.redirect_listen", c.RedirectListen); ok {
			plan.Listens = append(plan.Listens, Endpoint{
				Key: "http.redirect_listen", Network: "tcp", Addr: c.RedirectListen, name: "http.redirect_listen", at: everywhere(ip, port),
			})
		}
		plan.Entrance.Redirect = c.RedirectListen
	}
	if mode == TLSBehindProxy {
		plan.Entrance.Proxies = p.trusted(c.TrustedProxies)
		return
	}
	p.certificate(plan, c)
}

// certificate reads where the certificate comes from.
func (p *problems) certificate(plan *Plan, c HTTP) {
	plan.Entrance.Certificate = certs.Config{
		Mode: c.TLS.Mode, CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile,
		Dir: plan.Dir.Certificates(), Directory: c.TLS.Directory, Email: c.TLS.Email, CAFile: c.TLS.CAFile, Agreed: c.TLS.AgreeTerms,
	}
	if plan.Public != nil {
		plan.Entrance.Certificate.Name = plan.Public.Hostname()
	}
	switch c.TLS.Mode {
	case TLSFiles:
		p.required("http.tls.cert_file", c.TLS.CertFile, "the PEM file of the certificate")
		p.required("http.tls.key_file", c.TLS.KeyFile, "the PEM file of its key")
	case TLSACME:
		p.acme(c, plan.Public)
	}
}

// unusedTLS refuses what the mode makes no use of: it was meant to do something.
func (p *problems) unusedTLS(c HTTP) {
	d := Default().HTTP
	for _, v := range []struct {
		key, mode string
		set       bool
	}{
		{"http.trusted_proxies", TLSBehindProxy, len(c.TrustedProxies) > 0},
		{"http.tls.cert_file", TLSFiles, c.TLS.CertFile != ""},
		{"http.tls.key_file", TLSFiles, c.TLS.KeyFile != ""},
		{"http.tls.agree_terms", TLSACME, c.TLS.AgreeTerms},
		{"http.tls.email", TLSACME, c.TLS.Email != ""},
		{"http.tls.directory", TLSACME, c.TLS.Directory != d.TLS.Directory},
		{"http.tls.ca_file", TLSACME, c.TLS.CAFile != ""},
	} {
		if v.set && v.mode != c.TLS.Mode {
			p.add(v.key, "has no effect unless http.tls.mode is %s: set that, or remove this", v.mode)
		}
	}
	if c.TLS.Mode == TLSOff && !slices.Equal(c.PublicListen, d.PublicListen) {
		p.add("http.public_listen", "nothing is served there without encryption: set http.tls.mode to files, acme or behind_proxy, or remove this")
	}
	if (c.TLS.Mode == TLSOff || c.TLS.Mode == TLSBehindProxy) && c.RedirectListen != "" && c.RedirectListen != d.RedirectListen {
		p.add("http.redirect_listen", "has no effect unless http.tls.mode is files or acme: set that, or remove this")
	}
}

func (p *problems) acme(c HTTP, public *url.URL) {
	if !c.TLS.AgreeTerms {
		p.add("http.tls.agree_terms", "an authority issues certificates to those who agree to its terms only: read them (Let's Encrypt's are at https://letsencrypt.org/repository/) and write true")
	}
	if e := c.TLS.Email; e != "" && (strings.Count(e, "@") != 1 || strings.HasPrefix(e, "@") || strings.HasSuffix(e, "@") || strings.ContainsAny(e, " ,;:<>?\r\n\t")) {
		p.add("http.tls.email", "must be one address, such as it@clinic.example, or empty")
	}
	if u, err := url.Parse(c.TLS.Directory); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		p.add("http.tls.directory", "must be the https URL of an ACME directory, such as %s", certs.LetsEncrypt)
	}
	p.path("http.tls.ca_file", c.TLS.CAFile)
	if public == nil || c.TLS.Directory != certs.LetsEncrypt {
		return
	}
	name := public.Hostname()
	if ip, err := netip.ParseAddr(name); err == nil {
		if ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() {
			p.add("http.public_url", "Let's Encrypt issues no certificate for a private address: use one that the internet can reach, or http.tls.mode: files")
		}
	} else if inHouse(name) {
		p.add("http.public_url", "Let's Encrypt issues no certificate for a name that is known inside a building only: use a public domain, or http.tls.mode: files")
	}
}

// inHouse reports whether no authority could look name up.
func inHouse(name string) bool {
	return !strings.Contains(name, ".") || slices.ContainsFunc(
		[]string{".local", ".lan", ".internal", ".localhost", ".home.arpa"},
		func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// trusted reads the networks whose word counts for who a client is.
func (p *problems) trusted(list []string) (read []netip.Prefix) {
	const key = "http.trusted_proxies"
	if len(list) == 0 {
		p.add(key, "is empty, so nobody could come in: write the proxy's address, such as [\"127.0.0.1\"]")
	}
	p.list(key, list, maxPeers)
	for i, text := range list {
		at := item(key, i)
		network, err := parseNetwork(text)
		switch {
		case err != nil:
			p.add(at, "must be an address or a network, such as 127.0.0.1 or 10.0.3.0/24")
		case network != network.Masked():
			p.add(at, "has bits beyond its length: write %v", network.Masked())
		case !isPrivateNetwork(network):
			p.add(at, "is not within a private network, and what comes from there is not encrypted: write the address by which the proxy connects to this computer")
		default:
			read = append(read, network)
		}
	}
	return read
}

// required is path for what must be there.
func (p *problems) required(key, value, what string) {
	if value == "" {
		p.add(key, "is empty: write the path of %s", what)
	}
	p.path(key, value)
}

// hostPort reads an address to listen on; no ip is every address.
func (p *problems) hostPort(key, listen string) (ip netip.Addr, port uint16, ok bool) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		p.add(key, `must be host:port, such as ":443" or "203.0.113.9:443"`)
		return ip, 0, false
	}
	if port, ok = p.port(key, text); !ok {
		return ip, 0, false
	}
	if ip, err = netip.ParseAddr(host); host != "" && err != nil {
		p.add(key, "must be an address of this computer, as names can come to mean another one: write :%d for all of them", port)
		return ip, 0, false
	}
	return ip, port, true
}

// proxyPort returns a port for a proxy to send to, in place of one that it
// needs itself.
func proxyPort(port uint16) uint16 {
	if port == 443 || port == 80 {
		return 7680
	}
	return port
}

// parseNetwork reads a network, or an address as one.
func parseNetwork(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" && !ip.Is4In6() {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

// isPrivateNetwork reports whether everything in network is on this computer
// or in one private network.
func isPrivateNetwork(network netip.Prefix) bool {
	return slices.ContainsFunc(
		[]string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"},
		func(text string) bool {
			within := netip.MustParsePrefix(text)
			return network.Bits() >= within.Bits() && within.Contains(network.Addr())
		})
}
