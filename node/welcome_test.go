package node

import (
	"errors"
	"fmt"
	"testing"

	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// TestAFullDiskIsTold: a guest whose seat cannot be kept hears why.
func TestAFullDiskIsTold(t *testing.T) {
	for _, err := range []error{practice.ErrFull, practice.ErrUnwritable} {
		got := told(fmt.Errorf("bind: %w", err))
		if wire.Public(got).Code != wire.CodeNoStorage || !errors.Is(got, err) {
			t.Errorf("%v is told as %v", err, wire.Public(got))
		}
	}
	if got := told(wire.ErrSeatTaken); !errors.Is(got, wire.ErrSeatTaken) {
		t.Errorf("%v", got)
	}
	if got := told(nil); got != nil {
		t.Errorf("%v", got)
	}
}
