package desk

import (
	"errors"

	"anteroom/node/desk/api"
	"anteroom/node/people"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// What is refused to whoever names nobody that there is.
var (
	errNotSetUp       = api.Refuse(wire.CodeNotFound, "refusal.not-set-up", nil)
	errWhose          = api.Refuse(wire.CodeBadMessage, "refusal.whose", nil)
	errNoPractitioner = api.Refuse(wire.CodeNotFound, "refusal.no-practitioner", nil)
)

// Readable returns err in the words for a practitioner, if there are any.
func Readable(err error) error {
	switch {
	case errors.Is(err, practice.ErrNotFound):
		return api.Refuse(wire.CodeNotFound, "refusal.no-such", nil)
	case errors.Is(err, wire.ErrEnded):
		return api.Refuse(wire.CodeEnded, "refusal.over", nil)
	case errors.Is(err, practice.ErrUnreadable):
		return api.Refuse(wire.CodeInternal, "refusal.record-damaged", nil)
	case errors.Is(err, ErrNoEcho):
		return api.Refuse(wire.CodeNotFound, "refusal.no-test-calls", nil)
	case errors.Is(err, ErrEchoFailed):
		return api.Refuse(wire.CodeTimeout, "refusal.test-call", nil)
	}
	return people.Readable(err)
}
