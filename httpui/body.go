package httpui

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// maxDepth is how deeply a request's JSON may be nested; ours needs 3.
const maxDepth = 8

// inJSON is a handler that reads an In from the body of a POST and answers with
// what do returns, as JSON.
func inJSON[In any](do func(w http.ResponseWriter, r *request, in In) (any, error)) handler {
	return func(w http.ResponseWriter, r *request) error {
		var in In
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			if _, over := errors.AsType[*http.MaxBytesError](err); over {
				return errTooLarge
			}
			if err != nil {
				return badBody("refusal.request.cut-off", nil)
			}
			if err := decode(body, &in); err != nil {
				return err
			}
		}
		out, err := do(w, r, in)
		if err != nil {
			return err
		}
		sendJSON(w, http.StatusOK, out)
		return nil
	}
}

func badBody(code string, args api.Args) *refusal {
	return &refusal{http.StatusBadRequest, wire.CodeBadMessage, api.NewMessage(code, args), nil}
}

// decode reads one JSON object into v, a pointer to a struct whose JSON names
// are lower case. What encoding/json forgives (a field twice, in other case,
// unknown, or null; something behind the object) is an error, so no two
// readers of a request can differ about it.
func decode(body []byte, v any) error {
	if !utf8.Valid(body) || !json.Valid(body) {
		return badBody("refusal.request.no-object", nil)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return badBody("refusal.request.no-object", nil)
	}
	if err := checkObject(dec, 1); err != nil {
		return err
	}
	dec = json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if _, wrong := errors.AsType[*json.UnmarshalTypeError](err); wrong {
			return badBody("refusal.request.field-type", nil)
		}
		return badBody("refusal.request.field-unknown", nil)
	}
	return nil
}

// checkObject reads an object whose brace has been read. The JSON is valid, so
// Token does not fail.
func checkObject(dec *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		name, _ := dec.Token()
		key := name.(string)
		switch {
		case seen[key]:
			return badBody("refusal.request.field-twice", nil)
		case strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_") != "":
			return badBody("refusal.request.field-unknown", nil)
		}
		seen[key] = true
		if err := checkValue(dec, depth); err != nil {
			return err
		}
	}
	dec.Token() // the closing brace
	return nil
}

func checkValue(dec *json.Decoder, depth int) error {
	token, _ := dec.Token()
	switch token {
	case nil:
		return badBody("refusal.request.field-null", nil)
	case json.Delim('{'), json.Delim('['):
		if depth == maxDepth {
			return badBody("refusal.request.depth", nil)
		}
	}
	switch token {
	case json.Delim('{'):
		return checkObject(dec, depth+1)
	case json.Delim('['):
		for dec.More() {
			if err := checkValue(dec, depth+1); err != nil {
				return err
			}
		}
		dec.Token() // the closing bracket
	}
	return nil
}
