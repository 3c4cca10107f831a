package httpui

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// A refusal is an answer that says no: {"code": …, "message": {"code": …, "args": …}}.
type refusal struct {
	status  int
	code    wire.Code   // for programs
	message api.Message // for people
	header  http.Header // what the status demands besides; may be nil
}

func (r *refusal) Error() string { return r.message.Code }

// sentence is a message without arguments.
func sentence(code string) api.Message { return api.NewMessage(code, nil) }

var (
	errNoRoute   = &refusal{http.StatusNotFound, wire.CodeNotFound, sentence("refusal.no-route"), nil}
	errElsewhere = &refusal{http.StatusForbidden, wire.CodeUnauthorized, sentence("refusal.other-site"), nil}
	errSignedOut = &refusal{http.StatusUnauthorized, wire.CodeUnauthorized, sentence("refusal.signed-out"), nil}
	errNotProven = &refusal{http.StatusForbidden, wire.CodeUnauthorized, sentence("refusal.not-proven"), nil}
	// The connection is closed because net/http would otherwise read the body.
	errTooLarge = &refusal{http.StatusRequestEntityTooLarge, wire.CodeBadMessage, sentence("refusal.request.large"),
		http.Header{"Connection": {"close"}}}
)

func notAllowed(methods []string) *refusal {
	return &refusal{http.StatusMethodNotAllowed, wire.CodeBadMessage, sentence("refusal.method"),
		http.Header{"Allow": {strings.Join(methods, ", ")}}}
}

// tooMany refuses somebody until wait has passed.
func tooMany(wait time.Duration, code string) *refusal {
	return &refusal{http.StatusTooManyRequests, wire.CodeTooMany, sentence(code),
		http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(wait.Seconds())))}}}
}

// refusalFor returns what a browser may know of err.
func refusalFor(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if r, ok := errors.AsType[*api.Refusal](err); ok {
		return &refusal{statusOf(r.Code), r.Code, r.Message, nil}
	}
	if soon, ok := errors.AsType[*api.TooSoon](err); ok {
		return tooMany(soon.Wait, "refusal.too-many-passwords")
	}
	if errors.Is(err, wire.ErrUnauthorized) {
		return errSignedOut
	}
	code := wire.Public(err).Code
	return &refusal{statusOf(code), code, sentence(messageOf(code)), nil}
}

// statusOf is the HTTP status of a code.
func statusOf(code wire.Code) int {
	switch code {
	case wire.CodeBadMessage:
		return http.StatusBadRequest
	case wire.CodeUnauthorized:
		return http.StatusUnauthorized
	case wire.CodeDenied, wire.CodeRemoved, wire.CodeNotInvited:
		return http.StatusForbidden
	case wire.CodeNotFound, wire.CodeNoSuchRoom:
		return http.StatusNotFound
	case wire.CodeEarly, wire.CodeEnded, wire.CodeCancelled, wire.CodeRevoked, wire.CodeRotated, wire.CodeSeatTaken, wire.CodeRoomFull, wire.CodeRoomLocked,
		wire.CodeHostElsewhere, wire.CodeReplaced:
		return http.StatusConflict
	case wire.CodeTooMany, wire.CodeTooSlow:
		return http.StatusTooManyRequests
	case wire.CodeGoingAway, wire.CodeTimeout:
		return http.StatusServiceUnavailable
	case wire.CodeNoStorage:
		return http.StatusInsufficientStorage
	default:
		return http.StatusInternalServerError
	}
}

// messageOf is for codes of the wire that come without a message.
func messageOf(code wire.Code) string {
	switch code {
	case wire.CodeBadMessage:
		return "refusal.bad-message"
	case wire.CodeNotFound, wire.CodeNoSuchRoom:
		return "refusal.not-found"
	case wire.CodeEnded, wire.CodeCancelled, wire.CodeRevoked, wire.CodeRotated:
		return "refusal.ended"
	case wire.CodeTooMany, wire.CodeTooSlow:
		return "refusal.too-many"
	case wire.CodeGoingAway, wire.CodeTimeout:
		return "refusal.busy"
	case wire.CodeNoStorage:
		return "refusal.no-storage"
	case wire.CodeInternal:
		return "refusal.internal"
	default:
		return "refusal.not-now"
	}
}

// writeRefusal answers with r.
func writeRefusal(w http.ResponseWriter, r *refusal) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	sendJSON(w, r.status, struct {
		Code    wire.Code   `json:"code"`
		Message api.Message `json:"message"`
	}{r.code, r.message})
}

// sendJSON answers with v, one of this package's types.
func sendJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always have a JSON form
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // a browser that has gone is no news
}
