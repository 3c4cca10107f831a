// Package control is how the command line and the daemon speak: over a unix
// socket in the data directory, POST /<route> with one JSON value, answered by
// 200 and one JSON value or by an Error. Whoever may open the socket owns the
// node, so there is no other lock on it: the directory has mode 0700, the socket
// 0600.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"anteroom/httpui/words"
	"anteroom/node/desk"
	"anteroom/node/desk/api"
	"anteroom/node/practice"
)

// Timeout is the most that a command may take: publishing and look-ups are
// never waited for.
const Timeout = 30 * time.Second

// maxControl is the largest request or answer, in bytes.
const maxControl = 4 << 20

// Route answers POST /name with what do makes of the request.
func Route[Q, A any](mux *http.ServeMux, name string, do func(ctx context.Context, q Q) (A, error)) {
	mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), Timeout)
		defer cancel()
		q, err := decodeStrict[Q](r.Body)
		if err != nil {
			reply(w, http.StatusBadRequest, Error{err.Error()})
			return
		}
		a, err := do(ctx, q)
		if err != nil {
			reply(w, http.StatusUnprocessableEntity, Error{ownerText(err)})
			return
		}
		reply(w, http.StatusOK, a)
	})
}

// An Error is why the daemon did not do something, in one sentence.
type Error struct {
	Message string `json:"message"`
}

func (e Error) Error() string { return e.Message }

// ownerText returns err for the owner of the node, who may know all of it.
func ownerText(err error) string { return Said(desk.Readable(err)) }

// Said is err on a terminal: what a page would say, in English, or else the
// error's own text.
func Said(err error) string {
	if refusal, ok := errors.AsType[*api.Refusal](err); ok {
		return words.English.Say(refusal.Message)
	}
	if invalid, ok := errors.AsType[*practice.InvalidError](err); ok {
		return words.English.Say(invalid.Message)
	}
	return err.Error()
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the other end has gone: nobody is left to tell
}

// decodeStrict reads one JSON value without unknown fields from r, and nothing
// behind it.
func decodeStrict[T any](r io.Reader) (v T, err error) {
	dec := json.NewDecoder(io.LimitReader(r, maxControl))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fmt.Errorf("read message: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return v, errors.New("read message: something follows it")
	}
	return v, nil
}
