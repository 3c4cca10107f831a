package httpui

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"anteroom/rendezvous/wire"
)

// tabHeader carries a tab's token. Cookies are shared between all programs that
// listen on one computer and all of a browser's tabs; this is shared with none.
const tabHeader = "X-Anteroom-Tab"

// A SessionStore keeps sessions beyond the process. It sees hashes of the
// cookies, and contents without names. It may forget what has expired.
type SessionStore interface {
	// Find returns the data of a session that has not expired.
	Find(hash string) (data []byte, ok bool, err error)
	// Commit stores a session, or replaces it.
	Commit(hash string, data []byte, expires time.Time) error
	// Delete removes a session, if there is one.
	Delete(hash string) error
	// All returns the data of all sessions that have not expired, by hash.
	All() (map[string][]byte, error)
}

// A session is what a browser's cookie stands for: a practitioner who signed
// in, or, without one, the permission to set this node up.
type session struct {
	ID           string   `json:"id"` // stays when the cookie is renewed
	Practitioner string   `json:"practitioner,omitempty"`
	Born         int64    `json:"born"`   // when somebody signed in; Unix seconds, as all of these
	Seen         int64    `json:"seen"`   // last sign of life
	Proved       int64    `json:"proved"` // when they last proved who they are
	Fresh        int64    `json:"fresh"`  // until when a tab may fetch its token; 0: one has
	Tabs         []string `json:"tabs"`   // hashes of the tabs' tokens, oldest first
}

// sessions is every session, and the sockets that live by them.
type sessions struct {
	store SessionStore
	now   func() time.Time

	// mu keeps two changes to a session from overwriting each other, so it is
	// held while the store works; that is a file on this computer.
	mu   sync.Mutex
	live map[string]*liveSession // by session ID; no entry is empty
}

// liveSession is a session's sockets.
type liveSession struct {
	token string                    // the session's cookie
	busy  bool                      // expected somebody when sweep last looked
	conns map[wire.Conn]func() bool // whether a guest is there or due; nil: never
}

// expects reports whether by one of l's sockets a guest is there, or due.
func (l *liveSession) expects() bool {
	for _, expects := range l.conns {
		if expects != nil && expects() {
			return true
		}
	}
	return false
}

func newSessions(store SessionStore, now func() time.Time) *sessions {
	return &sessions{store: store, now: now, live: map[string]*liveSession{}}
}

// sessionCookie returns the session cookie of r; "" if there is not exactly
// one. Another program on this computer can plant a second one.
func sessionCookie(r *request) string {
	if cookies := r.CookiesNamed(r.site.cookie); len(cookies) == 1 {
		return cookies[0].Value
	}
	return ""
}

// setSessionCookie gives the browser its cookie, for as long as it runs; an
// empty token takes it away.
func setSessionCookie(w http.ResponseWriter, at *site, token string) {
	cookie := &http.Cookie{
		Name:     at.cookie,
		Value:    token,
		Path:     "/",
		Secure:   at.secure,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

// get returns the session of a cookie. The error is errSignedOut if there is none.
func (s *sessions) get(token string) (session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loadLocked(token)
}

// authorize returns the session of a practitioner's cookie and tab token, and
// counts as a sign of life.
func (s *sessions) authorize(token, tabToken string) (session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.loadLocked(token)
	if err != nil {
		return session{}, err
	}
	if x.Practitioner == "" || !x.hasTab(tabToken) {
		return session{}, errSignedOut
	}
	if now := s.now().Unix(); now != x.Seen {
		x.Seen = now
		s.saveLocked(token, x) // a full disk ends no call: at worst the session is taken for an idle one
	}
	return x, nil
}

// peek returns the session of a practitioner's cookie if the tab has a token,
// or may have one by asking. It is no sign of life.
func (s *sessions) peek(token, tabToken string) (session, error) {
	x, err := s.get(token)
	if err == nil && (x.Practitioner == "" || !x.hasTab(tabToken) && x.Fresh <= s.now().Unix()) {
		return session{}, errSignedOut
	}
	return x, err
}

// tab returns a token for a tab: its own, if it has one, else the one that each
// sign-in is good for, once and within tabTime. A cookie alone gets nothing.
func (s *sessions) tab(token, tabToken string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.loadLocked(token)
	if err != nil {
		return "", err
	}
	switch {
	case x.Practitioner == "":
		return "", errSignedOut
	case x.hasTab(tabToken):
		return tabToken, nil
	case x.Fresh <= s.now().Unix():
		return "", errSignedOut
	}
	fresh := newToken()
	x.Fresh = 0
	x.Tabs = append(x.Tabs, tokenHash(fresh))
	x.Tabs = x.Tabs[max(0, len(x.Tabs)-maxTabs):]
	return fresh, s.saveLocked(token, x)
}

// start makes a session for practitioner (none: to set up), in place of that of
// an older cookie of the same browser, and returns the new cookie. If the same
// practitioner signs in again, the browser's other tabs go on; anybody else's
// are closed.
func (s *sessions) start(older, practitioner string) (token string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	x := session{
		ID:           newToken(),
		Practitioner: practitioner,
		Born:         now.Unix(),
		Seen:         now.Unix(),
		Proved:       now.Unix(),
		Fresh:        now.Add(tabTime).Unix(),
	}
	old, err := s.loadLocked(older)
	switch {
	case err == nil && old.Practitioner == practitioner && practitioner != "":
		x.ID, x.Tabs = old.ID, old.Tabs
	case err == nil:
		s.hangUpLocked(old.ID)
	case !errors.Is(err, errSignedOut):
		return "", err
	}
	if older != "" {
		if err := s.deleteLocked(tokenHash(older)); err != nil {
			return "", err
		}
	}
	token = newToken()
	if err := s.saveLocked(token, x); err != nil {
		return "", err
	}
	if l := s.live[x.ID]; l != nil {
		l.token = token
	}
	return token, s.trimLocked(x)
}

// prove notes that whoever has a session has just proved who they are.
func (s *sessions) prove(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.loadLocked(token)
	if err != nil {
		return err
	}
	x.Proved = s.now().Unix()
	return s.saveLocked(token, x)
}

// proven reports whether x's practitioner has proved who they are just now.
func (s *sessions) proven(x session) bool {
	return s.now().Before(time.Unix(x.Proved, 0).Add(provenTime))
}

// end ends the session of a cookie, and its sockets.
func (s *sessions) end(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.loadLocked(token)
	if err != nil {
		return err
	}
	s.hangUpLocked(x.ID)
	return s.deleteLocked(tokenHash(token))
}

// attach ties conn to the session of a cookie: it is closed when the session
// ends. While expects, which may be nil and must not block, says that a guest is
// there or due, sweep keeps the session alive: who signs out hears no knock. The caller detaches conn when it is done
// with it.
func (s *sessions) attach(token string, conn wire.Conn, expects func() bool) (detach func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.loadLocked(token)
	if err != nil {
		return nil, err
	}
	l := s.live[x.ID]
	if l == nil {
		l = &liveSession{token: token, conns: map[wire.Conn]func() bool{}}
		s.live[x.ID] = l
	}
	l.conns[conn] = expects
	return func() { s.detach(x.ID, conn) }, nil
}

func (s *sessions) detach(id string, conn wire.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.live[id]
	if l == nil {
		return // the session has ended
	}
	if l.expects() { // that was the sign of life until now
		if x, err := s.loadLocked(l.token); err == nil {
			x.Seen = s.now().Unix()
			s.saveLocked(l.token, x) // at worst the session ends a minute early
		}
	}
	delete(l.conns, conn)
	if len(l.conns) == 0 {
		delete(s.live, id)
	}
}

// watch closes the sockets of sessions that have ended otherwise than by end,
// and keeps those alive that expect somebody, until ctx ends.
func (s *sessions) watch(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(sessionInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.sweep(); err != nil {
				failed(err)
			}
		}
	}
}

// sweep looks at every session that has sockets. The error is the store's.
func (s *sessions) sweep() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed error
	for id, l := range s.live {
		before := l.busy
		l.busy = l.expects()
		x, err := s.loadLocked(l.token)
		switch now := s.now().Unix(); {
		case errors.Is(err, errSignedOut):
			s.hangUpLocked(id)
		case err != nil:
			failed = err
		case l.busy && now-x.Seen >= 60, // seldom enough for a disk
			before && !l.busy: // idleness begins here
			x.Seen = now
			if err := s.saveLocked(l.token, x); err != nil {
				failed = err
			}
		}
	}
	return failed
}

// hangUpLocked closes the sockets of a session.
func (s *sessions) hangUpLocked(id string) {
	if l := s.live[id]; l != nil {
		delete(s.live, id)
		for conn := range l.conns {
			conn.Close(wire.ErrUnauthorized) // does not block
		}
	}
}

// loadLocked returns the session of a cookie. The error is errSignedOut if there
// is none, or none that can be read.
func (s *sessions) loadLocked(token string) (session, error) {
	data, ok, err := s.store.Find(tokenHash(token))
	if err != nil {
		return session{}, fmt.Errorf("load session: %w", err)
	}
	x, readable := parseSession(data)
	if !ok || !readable || !s.now().Before(x.expires()) {
		return session{}, errSignedOut
	}
	return x, nil
}

// saveLocked stores the session of a cookie.
func (s *sessions) saveLocked(token string, x session) error {
	data, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("write session: %w", err)
	}
	if err := s.store.Commit(tokenHash(token), data, x.expires()); err != nil {
		return fmt.Errorf("store session: %w", err)
	}
	return nil
}

// deleteLocked removes a session, if there is one.
func (s *sessions) deleteLocked(hash string) error {
	if err := s.store.Delete(hash); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// parseSession reads what saveLocked stores. What it cannot read opens nothing.
func parseSession(data []byte) (x session, ok bool) {
	ok = json.Unmarshal(data, &x) == nil
	return x, ok
}

// expires is when x ends if nothing more is heard of it.
func (x session) expires() time.Time {
	idle, end := time.Unix(x.Seen, 0).Add(sessionIdle), time.Unix(x.Born, 0).Add(sessionLife)
	if idle.Before(end) {
		return idle
	}
	return end
}

// hasTab reports whether token is that of one of x's tabs.
func (x session) hasTab(token string) bool {
	hash, found := []byte(tokenHash(token)), 0
	for _, t := range x.Tabs {
		found |= subtle.ConstantTimeCompare([]byte(t), hash)
	}
	return found == 1
}

// tokenHash is what is stored of a cookie or of a tab's token.
func tokenHash(token string) string {
	hash := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}
