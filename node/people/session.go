package people

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

const (
	sessionIdle     = 15 * time.Minute
	sessionLife     = 10 * time.Hour
	provenTime      = 15 * time.Minute // how long a password is good for what is asked for again
	maxSessions     = 5                // of one practitioner
	maxTabs         = 16
	tabTime         = time.Minute // between signing in and fetching the tab's token
	sessionInterval = 5 * time.Second
)

// errSignedOut says that there is no such session, or none any more.
var errSignedOut = wire.ErrUnauthorized

// A SessionStore keeps sessions beyond the process. It sees hashes of the
// tokens, and contents without names. It may forget what has expired.
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

// A session is what a browser's token stands for: a practitioner who signed
// in, or, without one, the permission to set this node up.
type session struct {
	ID           string   `json:"id"` // stays when the token is renewed
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
	token string                    // the session's
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

// get returns the session of a token. The error is errSignedOut if there is none.
func (s *sessions) get(token string) (session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loadLocked(token)
}

// authorize returns the session of a practitioner's token and tab's token, and
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

// peek returns the session of a practitioner's token if the tab has one,
// or may have one by asking. It is no sign of life.
func (s *sessions) peek(token, tabToken string) (session, error) {
	x, err := s.get(token)
	if err == nil && (x.Practitioner == "" || !x.hasTab(tabToken) && x.Fresh <= s.now().Unix()) {
		return session{}, errSignedOut
	}
	return x, err
}

// tab returns a token for a tab: its own, if it has one, else the one that each
// sign-in is good for, once and within tabTime. A session alone gets nothing.
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
// an older token of the same browser, and returns the new one. If the same
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

// end ends the session of a token, and its sockets.
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

// attach ties conn to the session of a token: it is closed when the session
// ends. While expects, which may be nil and must not block, says that a guest is
// there or due, sweep keeps the session alive: who signs out hears no knock. The
// caller detaches conn when it is done with it.
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

// loadLocked returns the session of a token. The error is errSignedOut if there
// is none, or none that can be read.
func (s *sessions) loadLocked(token string) (session, error) {
	data, ok, err := s.store.Find(tokenHash(token))
	if err != nil {
		return session{}, fmt.Errorf("load session: %w", Readable(err))
	}
	x, readable := parseSession(data)
	if !ok || !readable || !s.now().Before(x.expires()) {
		return session{}, errSignedOut
	}
	return x, nil
}

// saveLocked stores the session of a token.
func (s *sessions) saveLocked(token string, x session) error {
	data, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("write session: %w", err)
	}
	if err := s.store.Commit(tokenHash(token), data, x.expires()); err != nil {
		return fmt.Errorf("store session: %w", Readable(err))
	}
	return nil
}

// deleteLocked removes a session, if there is one.
func (s *sessions) deleteLocked(hash string) error {
	if err := s.store.Delete(hash); err != nil {
		return fmt.Errorf("end session: %w", Readable(err))
	}
	return nil
}

// parseSession reads what saveLocked stores. What it cannot read opens nothing.
func parseSession(data []byte) (x session, ok bool) {
	ok = json.Unmarshal(data, &x) == nil
	return x, ok
}

// public is what doors know of a session.
func (s *sessions) public(x session, err error) (api.Session, error) {
	if err != nil {
		return api.Session{}, err
	}
	proven := s.now().Before(time.Unix(x.Proved, 0).Add(provenTime))
	return api.Session{ID: x.ID, Practitioner: x.Practitioner, Proven: proven}, nil
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

// tokenHash is what is stored of a token, a session's or a tab's.
func tokenHash(token string) string {
	hash := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// list returns the sessions of x's practitioner.
func (s *sessions) list(x api.Session) (list []api.SignIn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.ofLocked(x.Practitioner)
	if err != nil {
		return nil, err
	}
	for _, other := range all {
		if s.now().Before(other.expires()) {
			list = append(list, api.SignIn{ID: other.ID, Since: other.Born, Seen: other.Seen, This: other.ID == x.ID})
		}
	}
	return list, nil
}

// endOthers ends those sessions of x's practitioner that which names, and their
// sockets, sparing x. Whatever has ended already is no error.
func (s *sessions) endOthers(x api.Session, which func(id string) bool) error {
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
		return nil, fmt.Errorf("list sessions: %w", Readable(err))
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
