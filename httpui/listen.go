package httpui

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

// Listen binds addrs for plain HTTP. An address is host:port, where host is
// localhost (both 127.0.0.1 and ::1) or a loopback address; port 0 takes any
// free port, the same for both families. Any other host is an error that says
// what to do instead: whoever is on the way can read and change plain HTTP.
//
// The error wraps syscall.EADDRINUSE if another program has the port.
func Listen(ctx context.Context, addrs []string) ([]net.Listener, error) {
	var bound []net.Listener
	for _, addr := range addrs {
		ls, err := listen(ctx, addr)
		if err != nil {
			for _, l := range bound {
				l.Close()
			}
			return nil, err
		}
		bound = append(bound, ls...)
	}
	return bound, nil
}

func listen(ctx context.Context, addr string) ([]net.Listener, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: it must be host:port, such as localhost:7443", addr)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: the port must be a number from 0 to 65535", addr)
	}
	if host == "localhost" {
		return listenBoth(ctx, uint16(port))
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() || ip.Zone() != "" || ip.Is4In6() {
		return nil, fmt.Errorf("listen on %q: the page is served over plain HTTP to this computer only; "+
			"use localhost:%d here, and a public https address for everybody else", addr, port)
	}
	l, err := bind(ctx, ip, uint16(port))
	if err != nil {
		return nil, err
	}
	return []net.Listener{l}, nil
}

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.IPv6Loopback()
)

// listenBoth binds port on both loopback addresses, since "localhost" in a
// browser may mean either: were one of them left free, another program could
// sit there and be taken for Anteroom. A computer without IPv6 has only one.
func listenBoth(ctx context.Context, port uint16) ([]net.Listener, error) {
	const tries = 16 // for a port that is free in both families
	for try := 1; ; try++ {
		l4, err := bind(ctx, loopback4, port)
		if err != nil {
			return nil, err
		}
		chosen := l4.Addr().(*net.TCPAddr).AddrPort().Port()
		l6, err := bind(ctx, loopback6, chosen)
		switch {
		case err == nil:
			return []net.Listener{l4, l6}, nil
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			return []net.Listener{l4}, nil
		}
		l4.Close()
		if port != 0 || try == tries {
			return nil, err
		}
	}
}

func bind(ctx context.Context, ip netip.Addr, port uint16) (net.Listener, error) {
	addr := netip.AddrPortFrom(ip, port)
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr.String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %v: another program uses this port; stop it or choose another port: %w", addr, syscall.EADDRINUSE)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %v: not allowed; choose a port above 1023: %w", addr, syscall.EACCES)
	case err != nil:
		return nil, fmt.Errorf("listen on %v: %w", addr, err)
	}
	return l, nil
}

// A site is one origin that the server answers for.
type site struct {
	origin string // what Origin must say: "http://localhost:7443"
	host   string // what Host must say: "localhost:7443"
	// sockets is our WebSockets as a source of a content security policy.
	// Empty for an IPv6 address, which a policy cannot name; 'self' covers it
	// in browsers of CSP 3.
	sockets string
	cookie  string // the session cookie's name
	device  string // that of the cookie by which a browser is known; empty: nobody signs in here
	secure  bool   // https
	hsts    bool
	public  bool // guests only: everything else is not found
}

// sites is whom a listener answers for, by Host.
type sites map[string]*site

// localSites returns the origins under which a browser on this computer may
// know the listeners of ports.
func localSites(ports []uint16, install string) sites {
	all := sites{}
	for _, port := range ports {
		for _, name := range []string{"localhost", "127.0.0.1", "[::1]"} {
			host := fmt.Sprintf("%s:%d", name, port)
			if port == 80 {
				host = name // as browsers write it
			}
			s := &site{
				origin:  "http://" + host,
				host:    host,
				sockets: "ws://" + host,
				cookie:  fmt.Sprintf("th_s_%d_%s", port, install), // cookies know no ports
				device:  fmt.Sprintf("th_d_%d_%s", port, install),
			}
			if name == "[::1]" {
				s.sockets = ""
			}
			all[host] = s
		}
	}
	return all
}

// publicSite returns the site of a public origin.
func publicSite(origin string) (*site, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || origin != "https://"+u.Host ||
		origin != strings.ToLower(origin) || u.Port() == "443" || !hostChars(u.Host) {
		return nil, fmt.Errorf("public URL %q: it must be https:// and a host name in lower case, with nothing behind it, such as https://care.example", origin)
	}
	s := &site{
		origin:  origin,
		host:    u.Host,
		sockets: "wss://" + u.Host,
		cookie:  "__Host-th_s",
		secure:  true,
		hsts:    true,
		public:  true,
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		s.hsts = false // RFC 6797 is for names
		if ip.Is6() {
			s.sockets = ""
		}
	}
	return s, nil
}

// hostChars reports whether s can stand in a header and in a policy as it is.
func hostChars(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") == ""
}
