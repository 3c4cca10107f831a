package httpui

import (
	"net/http"
	"strings"
)

// A handler answers a request that passed the guard. An error becomes the
// answer if none has been written (errors.go).
type handler func(w http.ResponseWriter, r *request) error

// A route is one path, or family of paths, and who answers it.
type route struct {
	// pattern is a path; {name} stands for one segment, {name...} for the rest.
	// It is all that the access log says of a path.
	pattern string
	methods []string
	handle  handler

	public bool   // served on the public host too; other routes do not exist there
	linked bool   // other sites may link to it
	page   bool   // the same for everybody who asks
	socket bool   // a WebSocket
	access access // what a request must bring
}

// access is what a browser must have to be answered.
type access int

const (
	anyone   access = iota
	signedIn        // a session, by its cookie
	tab             // a session, and the token of one of its tabs
)

var (
	get     = []string{http.MethodGet}
	getHead = []string{http.MethodGet, http.MethodHead}
	post    = []string{http.MethodPost}
)

func (s *Server) newRoutes() []*route {
	return []*route{
		{pattern: "/", methods: getHead, handle: s.page("index.html"), page: true},
		{pattern: "/j", methods: getHead, handle: s.page("guest.html"), public: true, linked: true},
		{pattern: "/static/{hash}/{file...}", methods: getHead, handle: s.asset, public: true},
		{pattern: "/.well-known/anteroom", methods: getHead, handle: s.card, public: true},

		{pattern: "/ws/guest", methods: get, handle: s.guestSocket, socket: true, public: true},
		{pattern: "/ws/host", methods: get, handle: s.hostSocket, socket: true, access: signedIn},
		{pattern: "/ws/desk", methods: get, handle: s.deskSocket, socket: true, access: signedIn},

		{pattern: "/api/session", methods: get, handle: inJSON(s.session)},
		{pattern: "/api/launch", methods: post, handle: inJSON(s.launch)},
		{pattern: "/api/setup", methods: post, handle: inJSON(s.setUp)},
		{pattern: "/api/signin", methods: post, handle: inJSON(s.signIn)},
		{pattern: "/api/tab", methods: post, handle: inJSON(s.tab)},
		{pattern: "/api/signout", methods: post, handle: inJSON(s.signOut), access: tab},
		{pattern: "/api/confirm", methods: post, handle: inJSON(s.confirm), access: tab},
		{pattern: "/api/sessions", methods: get, handle: inJSON(s.listSignIns), access: tab},
		{pattern: "/api/sessions/{id}/end", methods: post, handle: inJSON(s.endSignIn), access: tab},
		{pattern: "/api/sessions/end-others", methods: post, handle: inJSON(s.endOtherSignIns), access: tab},

		{pattern: "/api/desk", methods: get, handle: inJSON(s.desk), access: tab},
		{pattern: "/api/appointments", methods: post, handle: inJSON(s.createAppointment), access: tab},
		{pattern: "/api/appointments/{id}/cancel", methods: post, handle: inJSON(s.cancel), access: tab},
		{pattern: "/api/appointments/{id}/links", methods: post, handle: inJSON(s.links), access: tab},
		{pattern: "/api/invites/{member}/revoke", methods: post, handle: inJSON(s.revoke), access: tab},
		{pattern: "/api/invites/{member}/rotate", methods: post, handle: inJSON(s.rotate), access: tab},
		{pattern: "/api/test-call", methods: post, handle: inJSON(s.testCall), access: tab},
		{pattern: "/api/doctor", methods: post, handle: inJSON(s.doctor), access: tab},
	}
}

// find returns the route of r's path, with r's path values set; nil if there
// is none. A path is found in one spelling only: none is redirected, and
// escapes are never needed.
func (s *Server) find(r *request) *route {
	if r.URL.EscapedPath() != r.URL.Path {
		return nil
	}
	for _, rt := range s.routes {
		if !rt.public && r.site.public {
			continue
		}
		if values, ok := match(rt.pattern, r.URL.Path); ok {
			for name, value := range values {
				r.SetPathValue(name, value)
			}
			return rt
		}
	}
	return nil
}

// match compares a path with a route's pattern, and returns what the names in
// the pattern stand for.
func match(pattern, path string) (values map[string]string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	values = map[string]string{}
	for i, w := range want {
		if i == len(have) {
			return nil, false
		}
		name, isName := strings.CutPrefix(strings.TrimSuffix(w, "}"), "{")
		if !isName {
			if w != have[i] {
				return nil, false
			}
			continue
		}
		if rest, isRest := strings.CutSuffix(name, "..."); isRest {
			values[rest] = strings.Join(have[i:], "/")
			return values, true
		}
		values[name] = have[i]
	}
	return values, len(want) == len(have)
}
