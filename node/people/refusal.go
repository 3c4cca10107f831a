package people

import (
	"errors"

	"anteroom/node/desk/api"
	"anteroom/node/store"
	"anteroom/rendezvous/wire"
)

// Readable returns err in the words for a person, if there are any.
func Readable(err error) error {
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		return &api.Refusal{Code: wire.CodeBadMessage, Message: invalid.Message}
	}
	switch {
	case errors.Is(err, ErrAlreadySetUp):
		return api.Refuse(wire.CodeUnauthorized, "refusal.set-up-already", nil)
	case errors.Is(err, store.ErrFull):
		return api.Refuse(wire.CodeNoStorage, "refusal.disk-full", nil)
	case errors.Is(err, store.ErrUnwritable):
		return api.Refuse(wire.CodeNoStorage, "refusal.disk-unwritable", nil)
	case errors.Is(err, store.ErrDamaged):
		return api.Refuse(wire.CodeInternal, "refusal.database-damaged", nil)
	}
	return err
}
