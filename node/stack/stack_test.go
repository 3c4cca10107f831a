package stack

import (
	"errors"
	"io"
	"testing"
)

func TestFresh(t *testing.T) {
	if err := Fresh(func() error { return io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("returned %v", err)
	}
	// What a panic would have ended on the caller's goroutine, it ends there still.
	defer func() {
		if p := recover(); p != "here" {
			t.Errorf("panicked with %v", p)
		}
	}()
	Fresh(func() error { panic("here") })
}
