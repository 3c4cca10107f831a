package api

import (
	"context"
	"net/netip"
	"time"

	"anteroom/rendezvous/wire"
)

// A Browser is what a door knows of whoever asks.
type Browser struct {
	Session string       // its session's token; empty: none
	Device  string       // by which it is known from before; empty: it is not
	Network netip.Prefix // that it asks from, and that guesses count against
}

// An Entry is what a browser gets once somebody has been let in.
type Entry struct {
	Practitioner string // id; empty: whoever sits there may set the practice up
	Session      string // token of the new session, in place of the older one
	Device       string // by which the browser is known for DeviceLife; empty if it is nobody's
}

// DeviceLife is how long after a sign-in a browser is known: half a year, since
// it only keeps the guesses of others from counting against its owner.
const DeviceLife = 180 * 24 * time.Hour

// A Session is whose a browser is at the moment.
type Session struct {
	ID           string // stays when the token is renewed; opens nothing
	Practitioner string // id; empty: nobody's, but it may set the practice up
	Proven       bool   // its practitioner has given a password a short while ago
}

// A SignIn is one of a practitioner's sessions as their page shows it. It says
// nothing of the browser or where it is: none of that is kept.
type SignIn struct {
	ID    string `json:"id"`    // opens nothing
	Since int64  `json:"since"` // Unix seconds, as Seen
	Seen  int64  `json:"seen"`  // last sign of life
	This  bool   `json:"this"`  // it asks
}

// TooSoon refuses somebody who has given too many wrong passwords, until Wait
// has passed.
type TooSoon struct{ Wait time.Duration }

func (e *TooSoon) Error() string { return "too many wrong passwords" }

// Accounts is how a browser becomes somebody's, and stays so for a while.
//
// A session is known by a token, which the browser keeps, and each of its tabs by
// one of its own. Where there has to be a session and there is none, or none any
// more, the error is wire.ErrUnauthorized.
type Accounts interface {
	Entrance
	Sessions
	SignIns
}

// Entrance is the ways in. A new session ends the one that the browser had,
// unless it was the same practitioner's: then their other tabs go on.
type Entrance interface {
	// Launch returns a token that lets a practitioner in, once, within ten
	// minutes; with an empty id, whoever may set the practice up. It is as good as
	// a password until then.
	Launch(practitioner string) (token string)

	// EnterByLaunch uses up such a token. It is wire.ErrUnauthorized for one that
	// is not good, or not any more.
	EnterByLaunch(ctx context.Context, b Browser, token string) (Entry, error)

	// SetUp makes the practice and its first practitioner, and lets them in. It
	// succeeds once in the life of an installation, for a browser that a launch
	// token has let in.
	SetUp(ctx context.Context, b Browser, s SetUp) (Entry, error)

	// SignIn lets in whoever is called name and knows password; name may be empty
	// if there is only one. A wrong name and a wrong password are both
	// wire.ErrUnauthorized and take the same time. After too many of them it is a
	// *TooSoon.
	SignIn(ctx context.Context, b Browser, name, password string) (Entry, error)
}

// Sessions is what a browser can ask that has a session's token.
type Sessions interface {
	// Session returns whose it is.
	Session(token string) (Session, error)

	// Peek is Session for a tab, if it has a token, or may have one by asking.
	Peek(token, tab string) (Session, error)

	// Authorize is Session for a tab that has a token: that counts as a sign of
	// life, without which a session ends.
	Authorize(token, tab string) (Session, error)

	// Tab returns a tab's token: that which it has, or else the one that each
	// sign-in is good for, once and soon.
	Tab(token, tab string) (string, error)

	// Confirm takes the password of whoever is signed in again, so that the
	// Session is Proven. A wrong one is wire.ErrDenied; too many are a *TooSoon.
	Confirm(ctx context.Context, token, password string) error

	// SignOut ends the session.
	SignOut(token string) error

	// Attach ties conn to the session: it is closed with wire.ErrUnauthorized
	// when the session ends. While expects, which may be nil and must not block,
	// says that a guest is there or due, the session stays alive: who signs out
	// hears no knock. The caller detaches conn when it is done with it.
	Attach(token string, conn wire.Conn, expects func() bool) (detach func(), err error)

	// Watch closes what is attached to sessions that end by themselves, until ctx
	// ends. It says what keeps it from that.
	Watch(ctx context.Context, failed func(error))
}

// SignIns is a practitioner's sessions, in all browsers.
type SignIns interface {
	// SignIns returns them, the oldest first.
	SignIns(of Session) ([]SignIn, error)

	// EndSignIn ends another one of them. Where there is no such, nothing happens.
	EndSignIn(of Session, id string) error

	// EndOtherSignIns ends all of them but the one that asks.
	EndOtherSignIns(of Session) error
}
