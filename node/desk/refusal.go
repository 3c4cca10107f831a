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
	errNotSetUp       = &api.Refusal{Code: wire.CodeNotFound, Sentence: `This practice is not set up yet: run "anteroom open" and follow the page.`}
	errWhose          = &api.Refusal{Code: wire.CodeBadMessage, Sentence: "Several practitioners work here: name the one for whom this is with --practitioner."}
	errNoPractitioner = &api.Refusal{Code: wire.CodeNotFound, Sentence: "There is no practitioner of that name."}
)

// Readable returns err in the words for a practitioner, if there are any.
func Readable(err error) error {
	if invalid, ok := errors.AsType[*practice.InvalidError](err); ok {
		return &api.Refusal{Code: wire.CodeBadMessage, Sentence: invalid.Message}
	}
	switch {
	case errors.Is(err, practice.ErrNotFound):
		return &api.Refusal{Code: wire.CodeNotFound, Sentence: "There is no such appointment or link."}
	case errors.Is(err, wire.ErrEnded):
		return &api.Refusal{Code: wire.CodeEnded, Sentence: "This appointment is over, so there is nothing to renew."}
	case errors.Is(err, people.ErrAlreadySetUp):
		return &api.Refusal{Code: wire.CodeUnauthorized, Sentence: "This practice has been set up already."}
	case errors.Is(err, practice.ErrUnreadable):
		return &api.Refusal{Code: wire.CodeInternal, Sentence: "The record of this appointment is damaged: cancel it, and make a new one."}
	case errors.Is(err, practice.ErrFull):
		return &api.Refusal{Code: wire.CodeNoStorage, Sentence: "The disk that the records are on is full: make room there, and try again."}
	case errors.Is(err, practice.ErrUnwritable):
		return &api.Refusal{Code: wire.CodeNoStorage, Sentence: "The disk that the records are on cannot be written to: see whether it is connected, whole and not read-only."}
	case errors.Is(err, practice.ErrDamaged):
		return &api.Refusal{Code: wire.CodeInternal, Sentence: "The database with the records is damaged: “anteroom doctor” says what to do."}
	case errors.Is(err, ErrNoEcho):
		return &api.Refusal{Code: wire.CodeNotFound, Sentence: "This node makes no test calls."}
	case errors.Is(err, ErrEchoFailed):
		return &api.Refusal{Code: wire.CodeTimeout, Sentence: "The test call could not start: “Echo” did not come. Anteroom’s log says why."}
	}
	return err
}
