package desk

import (
	"time"

	"anteroom/node/people"
)

// SignIns are the practice's sessions, whose errors a person can read. The
// practice's own methods are not among its: scs would prefer those with a context.
type SignIns struct{ Of Sessions }

// Sessions keeps what is known of those who have signed in: a people.Sessions.
type Sessions interface {
	Find(token string) (data []byte, ok bool, err error)
	Commit(token string, data []byte, expiry time.Time) error
	Delete(token string) error
	All() (map[string][]byte, error)
}

var _ Sessions = people.Sessions{}

func (s SignIns) Find(token string) ([]byte, bool, error) {
	data, ok, err := s.Of.Find(token)
	return data, ok, Readable(err)
}

func (s SignIns) Commit(token string, data []byte, expiry time.Time) error {
	return Readable(s.Of.Commit(token, data, expiry))
}

func (s SignIns) Delete(token string) error { return Readable(s.Of.Delete(token)) }

func (s SignIns) All() (map[string][]byte, error) {
	all, err := s.Of.All()
	return all, Readable(err)
}
