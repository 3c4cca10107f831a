package httpui

import (
	"encoding/base64"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// request is an HTTP request on its way through the guard.
type request struct {
	*http.Request
	site    *site       // nil until knownHost has passed
	route   *route      // nil if nothing is there
	token   string      // the session's cookie, if there is one
	session api.Session // signed in, for routes that ask for it
	carried bool        // here by a proxy that we know nothing of
}

// listenerKey is where a request's context holds its *listener.
type listenerKey struct{}

// guard is the order of SECURITY.md, "Every request, in this order". The first
// check that fails is the answer. Until knownRoute, all paths look alike, so that a host where only
// guests are served does not tell what else exists.
var guard = []func(*Server, *request) error{
	(*Server).knownHost,
	(*Server).forwarded,
	(*Server).fewHeaders,
	(*Server).knownMethod,
	(*Server).sameSite,
	(*Server).exactOrigin,
	(*Server).jsonBody,
	(*Server).knownRoute,
	(*Server).realSocket,
	(*Server).hasSession,
	(*Server).hasTab,
}

// check lets r through or says why not.
func (s *Server) check(r *request) error {
	for _, check := range guard {
		if err := check(s, r); err != nil {
			return err
		}
	}
	return nil
}

// knownHost stops a page whose own name was made to point at this computer
// (DNS rebinding): browsers send the name that they asked for. It compares
// bytes; a trailing dot, capitals or another spelling of the address are some
// other host. It also finds the route, which later checks look at.
func (s *Server) knownHost(r *request) error {
	l := r.Context().Value(listenerKey{}).(*listener)
	if r.site = l.sites[r.Host]; r.site == nil {
		return &refusal{http.StatusMisdirectedRequest, wire.CodeBadMessage, sentence("refusal.host"), nil}
	}
	r.route = s.find(r)
	return nil
}

// forwarded finds out whom limits and logs are about. A proxy that we know must
// say for whom it asks. From anybody else such headers are a claim of theirs,
// or of a filter in the network that they sit in, and are not read.
//
// But where only this computer is meant to come in, they tell that somebody
// else does: through a proxy that nobody told us of, whose address would be
// taken for everybody's. What comes that way is a stranger's.
func (s *Server) forwarded(r *request) error {
	if proxies := r.Context().Value(listenerKey{}).(*listener).proxies; proxies != nil {
		client, err := proxies.client(r.Header)
		if err != nil {
			s.strangers.add(event{slog.LevelWarn, "request of a trusted proxy refused", err.Error()})
			return &refusal{
				http.StatusBadRequest, wire.CodeBadMessage,
				sentence("refusal.proxy-headers"), nil,
			}
		}
		r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
		return nil
	}
	r.carried = !r.site.public && carried(r.Header)
	if r.carried && r.route != nil && !r.route.public && !r.route.page {
		s.strangers.add(event{slog.LevelWarn, "request of an unknown proxy refused: http.tls.mode: behind_proxy is for proxies", ""})
		return &refusal{
			http.StatusForbidden, wire.CodeUnauthorized,
			sentence("refusal.proxy"), nil,
		}
	}
	return nil
}

// carried reports whether a proxy says that it passed a request on for another
// computer. A filter on this one says that it did for this one.
func carried(h http.Header) bool {
	told := false
	for name := range h {
		told = told || name == "Forwarded" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-")
	}
	hops := append(elements(h.Values("X-Forwarded-For")), elements(h.Values("X-Real-Ip"))...)
	described, err := forwardedHops(h.Values("Forwarded"))
	for _, hop := range described {
		hops = append(hops, hop["for"])
	}
	elsewhere := func(hop string) bool {
		addr, ok := parseHop(hop)
		return !ok || !addr.IsLoopback()
	}
	return told && (err != nil || len(hops) == 0 || slices.ContainsFunc(hops, elsewhere))
}

func (s *Server) fewHeaders(r *request) error {
	n := 0
	for _, values := range r.Header {
		n += len(values)
	}
	if n > maxHeaders {
		return &refusal{http.StatusRequestHeaderFieldsTooLarge, wire.CodeBadMessage, sentence("refusal.request.headers"), nil}
	}
	return nil
}

// knownMethod refuses methods that no route has, with one answer for all paths.
func (s *Server) knownMethod(r *request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
		return nil
	}
	return notAllowed([]string{http.MethodGet, http.MethodHead, http.MethodPost})
}

// sameSite believes what browsers say of who made the request. A person may
// also open the page by typing, and a guest's page by a link in their mail.
// Without the header it is an old browser or none, and exactOrigin decides.
func (s *Server) sameSite(r *request) error {
	values := r.Header.Values("Sec-Fetch-Site")
	opened := r.Method == http.MethodGet &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	switch {
	case len(values) == 0:
		return nil
	case len(values) == 1 && values[0] == "same-origin":
		return nil
	case len(values) == 1 && opened && (values[0] == "none" || r.route != nil && r.route.linked):
		return nil
	}
	return errElsewhere
}

// exactOrigin demands an Origin, and ours, of everything that can change
// something or that a page of another origin could read: anything but a GET,
// and sockets, which browsers let every page open.
func (s *Server) exactOrigin(r *request) error {
	values := r.Header.Values("Origin")
	needed := r.Method == http.MethodPost || r.route != nil && r.route.socket
	switch {
	case len(values) == 0 && !needed:
		return nil
	case len(values) == 1 && values[0] == r.site.origin:
		return nil
	}
	return errElsewhere
}

// jsonBody refuses what a form of another site could send.
func (s *Server) jsonBody(r *request) error {
	if r.Method != http.MethodPost {
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	delete(params, "charset")
	if err != nil || mediaType != "application/json" || len(params) > 0 || len(r.Header.Values("Content-Type")) != 1 {
		return &refusal{http.StatusUnsupportedMediaType, wire.CodeBadMessage, sentence("refusal.request.json"), nil}
	}
	if r.ContentLength > maxBody {
		return errTooLarge
	}
	return nil
}

// knownRoute: a path that does not exist is always answered in the same way.
func (s *Server) knownRoute(r *request) error {
	switch {
	case r.route == nil:
		return errNoRoute
	case !slices.Contains(r.route.methods, r.Method):
		return notAllowed(r.route.methods)
	}
	return nil
}

// realSocket demands of a socket's request what RFC 6455 does, and our
// subprotocol, so that the library has nothing left to refuse: its answers
// quote the request.
func (s *Server) realSocket(r *request) error {
	if !r.route.socket {
		return nil
	}
	keys := r.Header.Values("Sec-Websocket-Key")
	switch {
	case r.ProtoMajor != 1 || r.ProtoMinor < 1 || !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		return &refusal{
			http.StatusUpgradeRequired, wire.CodeBadMessage, sentence("refusal.websocket"),
			http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}},
		}
	case r.Header.Get("Sec-Websocket-Version") != "13" || len(keys) != 1 || !nonce(keys[0]):
		return &refusal{http.StatusBadRequest, wire.CodeBadMessage, sentence("refusal.websocket.damaged"), nil}
	case !slices.Contains(tokens(r.Header, "Sec-Websocket-Protocol"), subprotocol):
		return &refusal{http.StatusBadRequest, wire.CodeBadMessage, sentence("refusal.websocket.version"), nil}
	}
	return nil
}

// hasSession demands a session, and remembers it in r.
func (s *Server) hasSession(r *request) error {
	r.token = sessionCookie(r)
	if r.route.access != signedIn {
		return nil
	}
	session, err := s.backend.Accounts.Session(r.token)
	if err == nil && session.Practitioner == "" {
		err = wire.ErrUnauthorized
	}
	r.session = session
	s.wellKnown(r)
	return err
}

// hasTab demands a session and the token of one of its tabs: cookies are shared
// between all ports of a computer, so another program may have seen ours.
func (s *Server) hasTab(r *request) (err error) {
	if r.route.access == tab {
		r.session, err = s.backend.Accounts.Authorize(r.token, r.Header.Get(tabHeader))
		s.wellKnown(r)
	}
	return err
}

// wellKnown notes that whoever has a session came by r's connection.
func (s *Server) wellKnown(r *request) {
	if it := s.conns.of(r.Context()); it != nil && r.session.Practitioner != "" {
		s.conns.prove(it)
	}
}

// tokens returns the elements of a header that is a comma-separated list.
func tokens(h http.Header, name string) []string {
	var list []string
	for _, value := range h.Values(name) {
		for element := range strings.SplitSeq(value, ",") {
			list = append(list, strings.TrimSpace(element))
		}
	}
	return list
}

func hasToken(h http.Header, name, token string) bool {
	return slices.ContainsFunc(tokens(h, name), func(t string) bool { return strings.EqualFold(t, token) })
}

// nonce reports whether key is what RFC 6455 asks for: 16 bytes in base64.
func nonce(key string) bool {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key))
	return err == nil && len(b) == 16
}
