package wire_test

import (
	"testing"

	"anteroom/rendezvous/wire"
	"anteroom/rendezvous/wire/wiretest"
)

func TestPipe(t *testing.T) { wiretest.TestConn(t, wire.Pipe) }
