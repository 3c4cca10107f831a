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
	if invalid, ok := errors.AsType[*practice.InvalidError](err); ok {
		return &api.Refusal{Code: wire.CodeBadMessage, Message: invalid.Message}
	}
	switch {
	case errors.Is(err, practice.ErrNotFound):
		return api.Refuse(wire.CodeNotFound, "refusal.no-such", nil)
	case errors.Is(err, wire.ErrEnded):
		return api.Refuse(wire.CodeEnded, "refusal.over", nil)
	case errors.Is(err, people.ErrAlreadySetUp):
		return api.Refuse(wire.CodeUnauthorized, "refusal.set-up-already", nil)
	case errors.Is(err, practice.ErrUnreadable):
		return api.Refuse(wire.CodeInternal, "refusal.record-damaged", nil)
	case errors.Is(err, practice.ErrFull):
		return api.Refuse(wire.CodeNoStorage, "refusal.disk-full", nil)
	case errors.Is(err, practice.ErrUnwritable):
		return api.Refuse(wire.CodeNoStorage, "refusal.disk-unwritable", nil)
	case errors.Is(err, practice.ErrDamaged):
		return api.Refuse(wire.CodeInternal, "refusal.database-damaged", nil)
	case errors.Is(err, ErrNoEcho):
		return api.Refuse(wire.CodeNotFound, "refusal.no-test-calls", nil)
	case errors.Is(err, ErrEchoFailed):
		return api.Refuse(wire.CodeTimeout, "refusal.test-call", nil)
	}
	return err
}
