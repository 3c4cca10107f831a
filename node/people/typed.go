package people

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"anteroom/rendezvous/wire"
)

// An InvalidError says in one sentence, fit for the person who typed it, what
// is wrong with a value.
type InvalidError struct {
	Field   string // as the caller's struct names it, in lower case
	Message string // never quotes the value
}

func (e *InvalidError) Error() string { return e.Message }

// fold returns the form of s in which two spellings of it are equal.
func fold(s string) string {
	s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))) // folding can undo the form
	return strings.Join(strings.Fields(s), " ")
}

// cleanName is CleanText for a name that must not be empty.
func cleanName(field, what, s string) (string, error) {
	s, err := CleanText(field, what, s)
	if err == nil && s == "" {
		err = &InvalidError{field, fmt.Sprintf("Please enter the %s.", what)}
	}
	return s, err
}

// CleanText returns s without space around it, in normal form C. A text that
// the wire would not carry, or that could disturb the line it is printed on,
// is an *InvalidError; what names it in the sentence.
func CleanText(field, what, s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", &InvalidError{field, fmt.Sprintf("The %s is not valid text.", what)}
	}
	s = norm.NFC.String(strings.TrimSpace(s))
	if strings.ContainsFunc(s, wire.Disturbs) {
		return "", &InvalidError{field, fmt.Sprintf("The %s contains invisible characters that change how it is shown.", what)}
	}
	if utf8.RuneCountInString(s) > wire.MaxName {
		return "", &InvalidError{field, fmt.Sprintf("The %s is too long: at most %d characters.", what, wire.MaxName)}
	}
	return s, nil
}
