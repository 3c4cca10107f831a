package node

import (
	"errors"
	"io"
	"testing"
)

func TestFreshStack(t *testing.T) {
	if err := onFreshStack(func() error { return io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("returned %v", err)
	}
	// What a panic would have ended on the caller's goroutine, it ends there still.
	defer func() {
		if p := recover(); p != "here" {
			t.Errorf("panicked with %v", p)
		}
	}()
	onFreshStack(func() error { panic("here") })
}
