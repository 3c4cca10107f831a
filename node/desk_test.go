package node_test

import (
	"context"
	"errors"
	"testing"

	"anteroom/node"
	"anteroom/node/nodetest"
	"anteroom/node/practice"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

func TestTestCallSaysThatItsGuestHasCome(t *testing.T) {
	var home *nodetest.Node
	home = nodetest.Start(t, "A", nodetest.Options{Echo: func(ctx context.Context, gateway, link string) error {
		if gateway != "http://localhost" {
			t.Errorf("sent through %s", gateway)
		}
		parsed, err := invite.ParseLink(link[len(gateway+"/j#"):])
		if err != nil {
			return err
		}
		echo := home.MustGuest(parsed)
		echo.Join("Echo", nil)
		return <-echo.Done
	}})
	a, err := home.TestCall(t.Context(), home.Practitioner.ID, "http://localhost")
	if err != nil {
		t.Fatal(err)
	}
	if seats := home.Seats(a.ID); seats[a.Invites[0].Member] != wire.SeatWaiting {
		t.Errorf("seats %v", seats)
	}
	if err := home.Cancel(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
}

// Whoever asked for it hears that it failed; a log is not enough.
func TestTestCallSaysThatItsGuestCannotCome(t *testing.T) {
	for _, end := range []error{errors.New("no such program"), nil} {
		home := nodetest.Start(t, "A", nodetest.Options{Echo: func(context.Context, string, string) error { return end }})
		if _, err := home.TestCall(t.Context(), home.Practitioner.ID, "http://localhost"); !errors.Is(err, node.ErrEchoFailed) {
			t.Errorf("got %v", err)
		}
		nodetest.Until(t, "it is cleared away", func() bool {
			list, err := home.Practice.Appointments(t.Context(), home.Practitioner.ID, home.Practice.Now(), home.Practice.Now())
			return err == nil && len(list) == 1 && list[0].State(home.Practice.Now()) == practice.StateCancelled
		})
	}
}
