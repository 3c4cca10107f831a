package wire

import (
	"errors"
	"io"
)

// A Code names a failure on every machine that hears of it. The page turns
// codes into sentences; PROTOCOL.md lists them ("Error codes").
type Code string

const (
	CodeBadMessage    Code = "bad-message"
	CodeEarly         Code = "early"
	CodeEnded         Code = "ended"
	CodeCancelled     Code = "cancelled"
	CodeRevoked       Code = "revoked"
	CodeRotated       Code = "rotated"
	CodeDenied        Code = "denied"
	CodeRemoved       Code = "removed"
	CodeSeatTaken     Code = "seat-taken"
	CodeRoomFull      Code = "room-full"
	CodeRoomLocked    Code = "room-locked"
	CodeNoSuchRoom    Code = "no-such-room"
	CodeNotInvited    Code = "not-invited"
	CodeNotFound      Code = "not-found"
	CodeUnauthorized  Code = "unauthorized"
	CodeHostElsewhere Code = "host-elsewhere"
	CodeReplaced      Code = "replaced"
	CodeTooSlow       Code = "too-slow"
	CodeTooMany       Code = "too-many"
	CodeTimeout       Code = "timeout"
	CodeGoingAway     Code = "going-away"
	CodeNoStorage     Code = "no-storage"
	CodeInternal      Code = "internal"
)

// An Error is a failure that the counterpart is told about. Its Code is part
// of the protocol, so errors.Is(err, ErrRoomFull) holds on either side.
type Error struct {
	Code    Code
	Message string // for developers; never quotes input, never crosses the wire
}

func (e *Error) Error() string {
	if e.Message == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Message
}

// Is reports whether target is an Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

var (
	ErrBadMessage    = &Error{Code: CodeBadMessage}
	ErrEarly         = &Error{Code: CodeEarly}
	ErrEnded         = &Error{Code: CodeEnded}
	ErrCancelled     = &Error{Code: CodeCancelled}
	ErrRevoked       = &Error{Code: CodeRevoked}
	ErrRotated       = &Error{Code: CodeRotated}
	ErrDenied        = &Error{Code: CodeDenied}
	ErrRemoved       = &Error{Code: CodeRemoved}
	ErrSeatTaken     = &Error{Code: CodeSeatTaken}
	ErrRoomFull      = &Error{Code: CodeRoomFull}
	ErrRoomLocked    = &Error{Code: CodeRoomLocked}
	ErrNoSuchRoom    = &Error{Code: CodeNoSuchRoom}
	ErrNotInvited    = &Error{Code: CodeNotInvited}
	ErrNotFound      = &Error{Code: CodeNotFound}
	ErrUnauthorized  = &Error{Code: CodeUnauthorized}
	ErrHostElsewhere = &Error{Code: CodeHostElsewhere}
	ErrReplaced      = &Error{Code: CodeReplaced}
	ErrTooSlow       = &Error{Code: CodeTooSlow}
	ErrTooMany       = &Error{Code: CodeTooMany}
	ErrTimeout       = &Error{Code: CodeTimeout}
	ErrGoingAway     = &Error{Code: CodeGoingAway}
	ErrNoStorage     = &Error{Code: CodeNoStorage}
	ErrInternal      = &Error{Code: CodeInternal}
)

// Codes lists every code, in the order of PROTOCOL.md.
var Codes = []Code{
	CodeBadMessage, CodeEarly, CodeEnded, CodeCancelled, CodeRevoked, CodeRotated,
	CodeDenied, CodeRemoved, CodeSeatTaken,
	CodeRoomFull, CodeRoomLocked, CodeNoSuchRoom, CodeNotInvited, CodeNotFound,
	CodeUnauthorized, CodeHostElsewhere, CodeReplaced, CodeTooSlow, CodeTooMany,
	CodeTimeout, CodeGoingAway, CodeNoStorage, CodeInternal,
}

// ErrorFor returns the Error for a code that came from a counterpart. A code
// that this version does not know is internal.
func ErrorFor(c Code) *Error {
	for _, known := range Codes {
		if c == known {
			return &Error{Code: c}
		}
	}
	return ErrInternal
}

// Public returns what the counterpart may know of err: the first *Error in
// its chain, or ErrInternal, which says nothing.
func Public(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return ErrInternal
}

// Reason returns what Recv and Send report on a Conn that was closed with
// err: io.EOF for a normal end, which is nil or the io.EOF that another Conn
// reported, and otherwise Public(err). Every Conn's Close goes through it, so a
// reason survives being handed from one Conn to the next.
func Reason(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.EOF
	}
	return Public(err)
}
