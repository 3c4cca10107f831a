package people

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"anteroom/node/message"
	"anteroom/rendezvous/wire"
)

// An InvalidError says to the person who typed it what is wrong with a value.
type InvalidError struct {
	Field   string          // as the caller's struct names it, in lower case
	Message message.Message // never quotes the value
}

func (e *InvalidError) Error() string { return e.Message.Code }

// Invalid returns the error that says the sentence of code; args may be nil.
func Invalid(field, code string, args message.Args) *InvalidError {
	return &InvalidError{field, message.New(code, args)}
}

// fold returns the form of s in which two spellings of it are equal.
func fold(s string) string {
	s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))) // folding can undo the form
	return strings.Join(strings.Fields(s), " ")
}

// cleanName is CleanText for a name that must not be empty.
func cleanName(field, s string) (string, error) {
	s, err := CleanText(field, s)
	if err == nil && s == "" {
		err = Invalid(field, "input.missing", message.Args{"field": field})
	}
	return s, err
}

// CleanText returns s without space around it, in normal form C. A text that
// the wire would not carry, or that could disturb the line it is printed on,
// is an *InvalidError.
func CleanText(field, s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", Invalid(field, "input.no-text", message.Args{"field": field})
	}
	s = norm.NFC.String(strings.TrimSpace(s))
	if strings.ContainsFunc(s, wire.Disturbs) {
		return "", Invalid(field, "input.invisible", message.Args{"field": field})
	}
	if utf8.RuneCountInString(s) > wire.MaxName {
		return "", Invalid(field, "input.long", message.Args{"field": field, "n": wire.MaxName})
	}
	return s, nil
}
