// Package exit holds the codes that the program ends with, and the errors that
// carry one from where it is known to main.
package exit

import "errors"

// The codes that scripts rely on.
const (
	OK         = 0
	Failed     = 1
	Usage      = 2
	NotRunning = 3 // there is no daemon to talk to
	Check      = 4 // a check found something
)

// coded is an error that ends the program with a code of its own.
type coded struct {
	error
	code int
}

func (c coded) Unwrap() error { return c.error }

// With returns err, which then ends the program with code.
func With(code int, err error) error { return coded{err, code} }

// Code returns what a program that was left with err ends with: Failed, unless
// err says otherwise.
func Code(err error) int {
	if err == nil {
		return OK
	}
	if c, ok := errors.AsType[coded](err); ok {
		return c.code
	}
	return Failed
}
