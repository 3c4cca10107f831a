package people

import (
	"context"
	"errors"
	"time"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// SignIns is who has signed in, in which browser, and how somebody does. It
// starts no goroutines.
type SignIns struct {
	people   Authority
	sessions *sessions
	launches *launches
	lockout  *lockout
	devices  *devices
}

var _ api.Accounts = (*SignIns)(nil)

// An Authority knows who there is, and what they know: People.
type Authority interface {
	Info(ctx context.Context) (Info, error)
	Practitioner(ctx context.Context, id string) (Practitioner, error)
	SetUp(ctx context.Context, s SetUp) (Practitioner, error)
	Account(ctx context.Context, name string) (string, error)
	Authenticate(ctx context.Context, name, password string) (Practitioner, error)
}

// SignInsConfig is what SignIns are made of.
type SignInsConfig struct {
	People   Authority
	Sessions SessionStore
	// DeviceKey is a secret, the same for the life of a data directory, by which
	// browsers are known in which somebody has signed in. Nil: none are for longer
	// than the program runs.
	DeviceKey []byte
	Clock     func() time.Time // nil: time.Now
}

// NewSignIns returns the sign-ins that cfg.Sessions holds.
func NewSignIns(cfg SignInsConfig) *SignIns {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &SignIns{
		people:   cfg.People,
		sessions: newSessions(cfg.Sessions, cfg.Clock),
		launches: newLaunches(cfg.Clock),
		lockout:  newLockout(cfg.Clock),
		devices:  newDevices(cfg.DeviceKey, cfg.Clock),
	}
}

// SignIns returns the sign-ins of these people.
func (p *People) SignIns() (*SignIns, error) {
	key, err := p.store.Subkey("device")
	if err != nil {
		return nil, err
	}
	return NewSignIns(SignInsConfig{People: p, Sessions: p.Sessions(), DeviceKey: key, Clock: p.clock}), nil
}

// Launch implements api.Entrance.
func (s *SignIns) Launch(practitioner string) string { return s.launches.add(practitioner) }

// EnterByLaunch implements api.Entrance.
func (s *SignIns) EnterByLaunch(ctx context.Context, b api.Browser, token string) (api.Entry, error) {
	practitioner, back, ok := s.launches.take(token)
	if !ok {
		return api.Entry{}, wire.ErrUnauthorized
	}
	if practitioner == "" {
		info, err := s.people.Info(ctx)
		if err != nil {
			back()
			return api.Entry{}, Readable(err)
		}
		if info.Practitioners > 0 {
			return api.Entry{}, wire.ErrUnauthorized
		}
	}
	entry, err := s.enter(b, practitioner)
	if err != nil {
		back()
	}
	return entry, err
}

// SetUp implements api.Entrance. The permission is a session that a launch
// address gave: whoever finds the open port first does not own the node.
func (s *SignIns) SetUp(ctx context.Context, b api.Browser, in api.SetUp) (api.Entry, error) {
	x, err := s.sessions.get(b.Session)
	if err == nil && x.Practitioner != "" {
		err = wire.ErrUnauthorized
	}
	if err != nil {
		return api.Entry{}, err
	}
	who, err := s.people.SetUp(ctx, SetUp{Practice: in.Practice, Name: in.Name, Password: in.Password})
	if err != nil {
		return api.Entry{}, Readable(err)
	}
	return s.enter(b, who.ID)
}

// SignIn implements api.Entrance.
func (s *SignIns) SignIn(ctx context.Context, b api.Browser, name, password string) (api.Entry, error) {
	account, err := s.people.Account(ctx, name)
	if err != nil {
		return api.Entry{}, Readable(err)
	}
	who, err := s.authenticate(ctx, name, password, s.triers(b, account))
	if errors.Is(err, ErrWrongPassword) {
		err = wire.ErrUnauthorized
	}
	if err != nil {
		return api.Entry{}, err
	}
	return s.enter(b, who.ID)
}

// enter gives the browser a session, and a token that nobody had before.
func (s *SignIns) enter(b api.Browser, practitioner string) (api.Entry, error) {
	token, err := s.sessions.start(b.Session, practitioner)
	if err != nil {
		return api.Entry{}, err
	}
	entry := api.Entry{Practitioner: practitioner, Session: token}
	if practitioner != "" {
		entry.Device = s.devices.issue(practitioner)
	}
	return entry, nil
}

// authenticate returns who is called name and knows password, or
// ErrWrongPassword. That counts against who.
func (s *SignIns) authenticate(ctx context.Context, name, password string, who []trier) (Practitioner, error) {
	if wait := s.lockout.begin(who...); wait > 0 {
		return Practitioner{}, &api.TooSoon{Wait: wait}
	}
	is, err := s.people.Authenticate(ctx, name, password)
	if errors.Is(err, ErrWrongPassword) {
		return Practitioner{}, err
	}
	s.lockout.forgive(who...)
	if err == nil {
		s.lockout.clear(who[0])
	}
	return is, Readable(err)
}

// triers returns whose wrong passwords for account a browser's would be: its own,
// if it is known; else the account's and the network's.
func (s *SignIns) triers(b api.Browser, account string) []trier {
	if known, ok := s.devices.known(b.Device, account); ok {
		return []trier{known}
	}
	return []trier{{account: "name " + account}, {network: b.Network}}
}

// Confirm implements api.Sessions. It counts against the session alone, so that
// no stranger can use it up.
func (s *SignIns) Confirm(ctx context.Context, token, password string) error {
	x, err := s.sessions.get(token)
	if err != nil {
		return err
	}
	who, err := s.people.Practitioner(ctx, x.Practitioner)
	if errors.Is(err, ErrNotFound) {
		err = wire.ErrUnauthorized
	}
	if err != nil {
		return Readable(err)
	}
	is, err := s.authenticate(ctx, who.Name, password, []trier{{account: "session " + x.ID}})
	if errors.Is(err, ErrWrongPassword) || err == nil && is.ID != x.Practitioner {
		err = wire.ErrDenied
	}
	if err != nil {
		return err
	}
	return s.sessions.prove(token)
}

// Session implements api.Sessions.
func (s *SignIns) Session(token string) (api.Session, error) {
	return s.sessions.public(s.sessions.get(token))
}

// Authorize implements api.Sessions.
func (s *SignIns) Authorize(token, tab string) (api.Session, error) {
	return s.sessions.public(s.sessions.authorize(token, tab))
}

// Peek implements api.Sessions.
func (s *SignIns) Peek(token, tab string) (api.Session, error) {
	return s.sessions.public(s.sessions.peek(token, tab))
}

// Tab implements api.Sessions.
func (s *SignIns) Tab(token, tab string) (string, error) { return s.sessions.tab(token, tab) }

// SignOut implements api.Sessions.
func (s *SignIns) SignOut(token string) error { return s.sessions.end(token) }

// Attach implements api.Sessions.
func (s *SignIns) Attach(token string, conn wire.Conn, expects func() bool) (detach func(), err error) {
	return s.sessions.attach(token, conn, expects)
}

// Watch implements api.Sessions.
func (s *SignIns) Watch(ctx context.Context, failed func(error)) { s.sessions.watch(ctx, failed) }

// SignIns implements api.SignIns.
func (s *SignIns) SignIns(of api.Session) ([]api.SignIn, error) { return s.sessions.list(of) }

// EndSignIn implements api.SignIns.
func (s *SignIns) EndSignIn(of api.Session, id string) error {
	return s.sessions.endOthers(of, func(other string) bool { return other == id })
}

// EndOtherSignIns implements api.SignIns.
func (s *SignIns) EndOtherSignIns(of api.Session) error {
	return s.sessions.endOthers(of, func(string) bool { return true })
}
