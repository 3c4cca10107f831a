package httpui

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
)

// A signIn is one of a practitioner's sessions as their page shows it. It says
// nothing of the browser or where it is: none of that is kept.
type signIn struct {
	ID    string `json:"id"`    // opens nothing
	Since int64  `json:"since"` // Unix seconds, as Seen
	Seen  int64  `json:"seen"`  // last sign of life
	This  bool   `json:"this"`  // it asks
}

// signIns is the answer to everything that is asked about sessions.
type signIns struct {
	Sessions []signIn `json:"sessions"` // the oldest first
}

func (s *Server) listSignIns(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	return s.sessions.list(r.session)
}

// endSignIn ends another session of the same practitioner.
func (s *Server) endSignIn(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	return s.endSignIns(r, func(id string) bool { return id == r.PathValue("id") })
}

// endOtherSignIns ends all sessions of the practitioner but the one that asks.
func (s *Server) endOtherSignIns(_ http.ResponseWriter, r *request, _ nothing) (any, error) {
	return s.endSignIns(r, func(string) bool { return true })
}

func (s *Server) endSignIns(r *request, which func(id string) bool) (any, error) {
	if err := s.sessions.endOthers(r.session, which); err != nil {
		return nil, err
	}
	return s.sessions.list(r.session)
}

// list returns the sessions of x's practitioner.
func (s *sessions) list(x session) (out signIns, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.ofLocked(x.Practitioner)
	if err != nil {
		return signIns{}, err
	}
	for _, other := range all {
		if s.now().Before(other.expires()) {
			out.Sessions = append(out.Sessions, signIn{other.ID, other.Born, other.Seen, other.ID == x.ID})
		}
	}
	return out, nil
}

// endOthers ends those sessions of x's practitioner that which names, and their
// sockets, sparing x. Whatever has ended already is no error.
func (s *sessions) endOthers(x session, which func(id string) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.ofLocked(x.Practitioner)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.ID != x.ID && which(other.ID) {
			if err := s.dropLocked(other); err != nil {
				return err
			}
		}
	}
	return nil
}

// trimLocked ends the oldest sessions of x's practitioner beyond maxSessions,
// sparing x.
func (s *sessions) trimLocked(x session) error {
	all, err := s.ofLocked(x.Practitioner)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(all, func(other storedSession) bool { return other.ID == x.ID })
	for i, other := range others {
		if i < len(others)-(maxSessions-1) || !s.now().Before(other.expires()) {
			if err := s.dropLocked(other); err != nil {
				return err
			}
		}
	}
	return nil
}

// A storedSession is a session and what the store knows it by.
type storedSession struct {
	hash string
	session
}

// ofLocked returns the sessions of a practitioner, the oldest first, and among
// them some that have expired.
func (s *sessions) ofLocked(practitioner string) (list []storedSession, err error) {
	all, err := s.store.All()
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	for hash, data := range all {
		if x, ok := parseSession(data); ok && x.Practitioner == practitioner {
			list = append(list, storedSession{hash, x})
		}
	}
	slices.SortFunc(list, func(a, b storedSession) int {
		return cmp.Or(cmp.Compare(a.Born, b.Born), cmp.Compare(a.hash, b.hash))
	})
	return list, nil
}

// dropLocked ends a session and its sockets.
func (s *sessions) dropLocked(x storedSession) error {
	s.hangUpLocked(x.ID)
	return s.deleteLocked(x.hash)
}
