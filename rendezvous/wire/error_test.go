package wire

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestErrorsAreTheirCodes(t *testing.T) {
	for i, code := range Codes {
		err := ErrorFor(code)
		if err.Code != code || err.Message != "" {
			t.Errorf("ErrorFor(%s) = %v", code, err)
		}
		wrapped := fmt.Errorf("serve guest: %w", &Error{Code: code, Message: "for developers"})
		if !errors.Is(wrapped, err) || Public(wrapped).Code != code {
			t.Errorf("%s is lost in a chain", code)
		}
		for j, other := range Codes {
			if errors.Is(wrapped, ErrorFor(other)) != (i == j) {
				t.Errorf("%s and %s are mixed up", code, other)
			}
		}
	}
	if got := ErrorFor("a-later-one"); got.Code != CodeInternal {
		t.Errorf("an unknown code became %s", got.Code)
	}
	if got := (&Error{Code: CodeEnded}).Error(); got != "ended" {
		t.Errorf("%q", got)
	}
	if errors.Is(ErrEnded, io.EOF) {
		t.Error("an end with a reason counts as one without")
	}
}

func TestPublicTellsNothingElse(t *testing.T) {
	for _, err := range []error{errors.New("open /var/secret"), io.EOF, nil} {
		if got := Public(err); got.Code != CodeInternal || got.Message != "" {
			t.Errorf("Public(%v) = %v", err, got)
		}
	}
	if got := Public(errors.Join(io.EOF, ErrDenied)); got != ErrDenied {
		t.Errorf("the first reason in a chain is not found: %v", got)
	}
}

func TestReason(t *testing.T) {
	for _, row := range []struct{ err, want error }{
		{nil, io.EOF},
		{io.EOF, io.EOF},
		{fmt.Errorf("receive open: %w", io.EOF), io.EOF},
		{ErrEnded, ErrEnded},
		{fmt.Errorf("serve: %w", ErrEnded), ErrEnded},
		{errors.New("disk on fire"), ErrInternal},
		{io.ErrUnexpectedEOF, ErrInternal},
	} {
		if got := Reason(row.err); got != row.want {
			t.Errorf("Reason(%v) = %v, want %v", row.err, got, row.want)
		}
	}
}
