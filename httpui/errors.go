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

// A refusal is an answer that says no: {"code": …, "message": …}.
type refusal struct {
	status   int
	code     wire.Code
	sentence string
	header   http.Header // what the status demands besides; may be nil
}

func (r *refusal) Error() string { return r.sentence }

var (
	errNoRoute   = &refusal{http.StatusNotFound, wire.CodeNotFound, "There is nothing here.", nil}
	errElsewhere = &refusal{http.StatusForbidden, wire.CodeUnauthorized, "The request came from another site.", nil}
	errSignedOut = &refusal{http.StatusUnauthorized, wire.CodeUnauthorized, "Please sign in.", nil}
	errNotProven = &refusal{http.StatusForbidden, wire.CodeUnauthorized, "Please enter your password again.", nil}
	// The connection is closed because net/http would otherwise read the body.
	errTooLarge = &refusal{http.StatusRequestEntityTooLarge, wire.CodeBadMessage, "The request is too large.",
		http.Header{"Connection": {"close"}}}
)

func notAllowed(methods []string) *refusal {
	return &refusal{http.StatusMethodNotAllowed, wire.CodeBadMessage, "This cannot be done here.",
		http.Header{"Allow": {strings.Join(methods, ", ")}}}
}

// tooMany refuses somebody until wait has passed.
func tooMany(wait time.Duration, sentence string) *refusal {
	return &refusal{http.StatusTooManyRequests, wire.CodeTooMany, sentence,
		http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(wait.Seconds())))}}}
}

// refusalFor returns what a browser may know of err.
func refusalFor(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if r, ok := errors.AsType[*api.Refusal](err); ok {
		return &refusal{statusOf(r.Code), r.Code, r.Sentence, nil}
	}
	if errors.Is(err, wire.ErrUnauthorized) {
		return errSignedOut
	}
	code := wire.Public(err).Code
	return &refusal{statusOf(code), code, sentenceOf(code), nil}
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

// sentenceOf is for codes that come without a sentence of their own.
func sentenceOf(code wire.Code) string {
	switch code {
	case wire.CodeBadMessage:
		return "The request could not be understood."
	case wire.CodeNotFound, wire.CodeNoSuchRoom:
		return "This no longer exists."
	case wire.CodeEnded, wire.CodeCancelled, wire.CodeRevoked, wire.CodeRotated:
		return "This is over."
	case wire.CodeTooMany, wire.CodeTooSlow:
		return "That is too much at once; please try again in a moment."
	case wire.CodeGoingAway, wire.CodeTimeout:
		return "Anteroom is busy or stopping; please try again in a moment."
	case wire.CodeNoStorage:
		return "The disk that the records are on is full or does not work: make room there, and try again."
	case wire.CodeInternal:
		return "Anteroom could not do this; its log says why."
	default:
		return "This is not possible now."
	}
}

// writeRefusal answers with r.
func writeRefusal(w http.ResponseWriter, r *refusal) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	sendJSON(w, r.status, struct {
		Code    wire.Code `json:"code"`
		Message string    `json:"message"`
	}{r.code, r.sentence})
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
