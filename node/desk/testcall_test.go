package desk_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"anteroom/node/desk"
	"anteroom/node/desk/api"
	"anteroom/node/doctor"
	"anteroom/node/nodetest"
	"anteroom/node/polltest"
	"anteroom/node/practice"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// open returns the desk of a node that runs, until the test ends.
func open(t *testing.T, home *nodetest.Node, echo func(ctx context.Context, gateway, link string) error) *desk.Desk {
	rounds := doctor.NewRounds(func() doctor.Config { return doctor.Config{} }, home.InCall, home.Changed, slog.New(slog.DiscardHandler))
	over, stop := context.WithCancel(t.Context())
	stop()
	rounds.Run(over)
	d := desk.New(desk.Config{Node: home.Node, Practice: home.Practice, Rounds: rounds, Log: slog.New(slog.DiscardHandler), Echo: echo})
	d.At("http://localhost", "http://localhost", true)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with the test
		defer close(done)
		d.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-done })
	return d
}

func TestTestCallSaysThatItsGuestHasCome(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	d := open(t, home, func(ctx context.Context, gateway, link string) error {
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
	})
	a, err := d.As(desk.Practitioner(home.Practitioner.ID)).TestCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if seats := home.Seats(a.ID); seats[a.Guests[0].Member] != wire.SeatWaiting {
		t.Errorf("seats %v", seats)
	}
	if err := home.Cancel(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
}

// Whoever asked for it hears that it failed; a log is not enough.
func TestTestCallSaysThatItsGuestCannotCome(t *testing.T) {
	for _, end := range []error{errors.New("no such program"), nil} {
		home := nodetest.Start(t, "A", nodetest.Options{})
		d := open(t, home, func(context.Context, string, string) error { return end })
		_, err := d.As(desk.Practitioner(home.Practitioner.ID)).TestCall(t.Context())
		if refusal, ok := errors.AsType[*api.Refusal](err); !ok || refusal.Code != wire.CodeTimeout {
			t.Errorf("got %v", err)
		}
		polltest.Eventually(t, "it is cleared away", func() bool {
			list, err := home.Practice.Appointments(t.Context(), home.Practitioner.ID, home.Practice.Now(), home.Practice.Now())
			return err == nil && len(list) == 1 && list[0].State(home.Practice.Now()) == practice.StateCancelled
		})
	}
}
