package httpui

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// nothing is a body without fields.
type nothing struct{}

// state is where a browser stands.
type state struct {
	State string `json:"state"` // "setup", "signed-out" or "signed-in"
}

const (
	stateSetUp     = "setup"
	stateSignedOut = "signed-out"
	stateSignedIn  = "signed-in"
)

// session tells a page what to show first.
func (s *Server) session(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	x, err := s.backend.Accounts.Peek(r.token, r.Header.Get(tabHeader))
	if err != nil && !errors.Is(err, wire.ErrUnauthorized) {
		return nil, err
	}
	info, err := s.backend.As(x.Practitioner).Info(r.Context())
	if errors.Is(err, wire.ErrUnauthorized) { // removed since
		x = api.Session{}
		info, err = s.backend.As("").Info(r.Context())
	}
	if err != nil {
		return nil, err
	}
	out := struct {
		state
		Practice string `json:"practice"`
		Name     string `json:"name"`
		Names    int    `json:"names"`
	}{state{stateSignedOut}, info.Practice, info.Name, info.Practitioners}
	switch {
	case info.Practitioners == 0:
		out.State = stateSetUp
	case x.Practitioner != "":
		out.State = stateSignedIn
	}
	return out, nil
}

// launch uses up a launch address.
func (s *Server) launch(w http.ResponseWriter, r *request, in struct {
	Token string `json:"token"`
},
) (any, error) {
	used := api.Refuse(wire.CodeUnauthorized, "refusal.launch", nil)
	entry, err := s.backend.Accounts.EnterByLaunch(r.Context(), r.browser(), in.Token)
	if errors.Is(err, wire.ErrUnauthorized) {
		return nil, used
	}
	return s.enter(w, r, entry, err)
}

// enter gives the browser what it is known by from now on, unless err.
func (s *Server) enter(w http.ResponseWriter, r *request, entry api.Entry, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if entry.Device != "" && r.site.device != "" {
		setDeviceCookie(w, r.site, entry.Device)
	}
	setSessionCookie(w, r.site, entry.Session)
	if entry.Practitioner == "" {
		return state{stateSetUp}, nil
	}
	return state{stateSignedIn}, nil
}

// setUp makes the practice.
func (s *Server) setUp(w http.ResponseWriter, r *request, in api.SetUp) (any, error) {
	entry, err := s.backend.Accounts.SetUp(r.Context(), r.browser(), in)
	if errors.Is(err, wire.ErrUnauthorized) {
		return nil, api.Refuse(wire.CodeUnauthorized, "refusal.set-up-elsewhere", nil)
	}
	return s.enter(w, r, entry, err)
}

// signIn checks a password, more and more slowly while it is wrong.
func (s *Server) signIn(w http.ResponseWriter, r *request, in struct {
	Name     string `json:"name"`
	Password string `json:"password"`
},
) (any, error) {
	if !wire.Text(in.Name, wire.MaxName) {
		return nil, badBody("input.form.sign-in", api.Args{"n": wire.MaxName})
	}
	entry, err := s.backend.Accounts.SignIn(r.Context(), r.browser(), in.Name, in.Password)
	if errors.Is(err, wire.ErrUnauthorized) {
		return nil, api.Refuse(wire.CodeUnauthorized, "refusal.sign-in", nil)
	}
	return s.enter(w, r, entry, err)
}

// confirm takes the password of whoever is signed in again, for what is not
// given to a page that was only left open.
func (s *Server) confirm(_ http.ResponseWriter, r *request, in struct {
	Password string `json:"password"`
},
) (any, error) {
	err := s.backend.Accounts.Confirm(r.Context(), r.token, in.Password)
	if errors.Is(err, wire.ErrDenied) {
		return nil, api.Refuse(wire.CodeDenied, "refusal.password", nil)
	}
	return nothing{}, err
}

// signIns is the answer to everything that is asked about sessions.
type signIns struct {
	Sessions []api.SignIn `json:"sessions"` // the oldest first
}

func (s *Server) listSignIns(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	list, err := s.backend.Accounts.SignIns(r.session)
	return signIns{list}, err
}

// endSignIn ends another session of the same practitioner.
func (s *Server) endSignIn(w http.ResponseWriter, r *request, in nothing) (any, error) {
	if err := s.backend.Accounts.EndSignIn(r.session, r.PathValue("id")); err != nil {
		return nil, err
	}
	return s.listSignIns(w, r, in)
}

// endOtherSignIns ends all sessions of the practitioner but the one that asks.
func (s *Server) endOtherSignIns(w http.ResponseWriter, r *request, in nothing) (any, error) {
	if err := s.backend.Accounts.EndOtherSignIns(r.session); err != nil {
		return nil, err
	}
	return s.listSignIns(w, r, in)
}

// tab gives the page the token that it adds to every request.
func (s *Server) tab(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	token, err := s.backend.Accounts.Tab(r.token, r.Header.Get(tabHeader))
	return struct {
		Token string `json:"token"`
	}{token}, err
}

// signOut ends the session and its sockets, and has the browser forget us.
func (s *Server) signOut(w http.ResponseWriter, r *request, _ nothing) (any, error) {
	if err := s.backend.Accounts.SignOut(r.token); err != nil {
		return nil, err
	}
	setSessionCookie(w, r.site, "")
	clear := `"cache", "storage"`
	if r.site.secure { // on localhost it would take every other program's cookies too
		clear += `, "cookies"`
	}
	w.Header().Set("Clear-Site-Data", clear)
	return nothing{}, nil
}

// as returns the desk for whoever asks.
func (s *Server) as(r *request) api.Access { return s.backend.As(r.session.Practitioner) }

func (s *Server) desk(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	return s.as(r).Desk(r.Context())
}

// longestAppointment is far beyond what the practice takes: it decides, and
// longer ones are no numbers to compute with.
const longestAppointment = 24 * time.Hour

func (s *Server) createAppointment(_ http.ResponseWriter, r *request, in api.NewAppointment) (any, error) {
	labels := []string{in.Label, in.Practitioner}
	for _, guest := range in.Guests {
		labels = append(labels, guest.Label)
	}
	for _, label := range labels {
		if !wire.Text(label, wire.MaxLabel) {
			return nil, badBody("input.form.label", api.Args{"n": wire.MaxLabel})
		}
	}
	if in.Starts < 0 || in.Starts > wire.MaxInt || in.Minutes < 1 || in.Minutes > int(longestAppointment/time.Minute) || len(in.Guests) == 0 {
		return nil, badBody("input.form.appointment", api.Args{"hours": int(longestAppointment / time.Hour)})
	}
	return s.as(r).CreateAppointment(r.Context(), in)
}

func (s *Server) testCall(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	return s.as(r).TestCall(r.Context())
}

func (s *Server) doctor(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	return s.as(r).Doctor(r.Context())
}

func (s *Server) cancel(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	id, err := hexID(r.PathValue("id"), 32)
	if err != nil {
		return nil, err
	}
	return nothing{}, s.as(r).Cancel(r.Context(), id)
}

// links shows links again, to somebody who has proved who they are just now.
func (s *Server) links(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	id, err := hexID(r.PathValue("id"), 32)
	if err != nil {
		return nil, err
	}
	if !r.session.Proven {
		return nil, errNotProven
	}
	links, err := s.as(r).Links(r.Context(), id)
	if links == nil {
		links = []api.Link{}
	}
	return struct {
		Links []api.Link `json:"links"`
	}{links}, err
}

func (s *Server) revoke(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	id, err := hexID(r.PathValue("member"), 16)
	if err != nil {
		return nil, err
	}
	return nothing{}, s.as(r).Revoke(r.Context(), wire.MemberID(id))
}

func (s *Server) rotate(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	id, err := hexID(r.PathValue("member"), 16)
	if err != nil {
		return nil, err
	}
	return s.as(r).Rotate(r.Context(), wire.MemberID(id))
}

// hexID returns id if it has the form of one; what has not cannot exist.
func hexID(id string, digits int) (string, error) {
	if len(id) != digits || strings.Trim(id, "0123456789abcdef") != "" {
		return "", wire.ErrNotFound
	}
	return id, nil
}
