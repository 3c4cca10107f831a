package desk

import (
	"context"
	"errors"
	"time"

	"anteroom/node/practice"
)

// echoName is what the guest of a test call says it is called.
const echoName = "Echo"

// ErrNoEcho is returned by TestCall of a node that has no echo guest.
var ErrNoEcho = errors.New("this node has no echo guest")

// ErrEchoFailed is returned by TestCall when the echo guest did not come.
var ErrEchoFailed = errors.New("the echo guest did not come")

// echoPatience is how long the echo guest may take to knock. It is a process
// that has to start; the page waits for 30 s.
const echoPatience = 20 * time.Second

// testCall makes an appointment that is open now, to which an echo guest comes
// through the page here, as any guest would. It returns when the guest
// has knocked; if they do not, the appointment is cancelled.
func (d *Desk) testCall(ctx context.Context, practitioner, by string) (practice.Made, error) {
	if d.echo == nil {
		return practice.Made{}, ErrNoEcho
	}
	a, err := d.practice.Create(ctx, practitioner, practice.New{
		Starts: d.practice.Now().Truncate(time.Second), Minutes: 5, Guests: []string{echoName}, Test: true, By: by,
	})
	if err != nil {
		return practice.Made{}, err
	}
	changed, unwatch := d.node.Watch()
	defer unwatch()
	link := a.Links[0].Link.URL(d.here)
	life, stop := context.WithCancel(d.lifetime)
	gone := make(chan struct{})
	d.echoes.Go(func() { // ends with the call, or with the node
		defer stop()
		err := d.echo(life, d.here, link)
		close(gone)
		if err != nil && d.lifetime.Err() == nil {
			d.log.Warn("echo guest stopped", "err", err)
		}
		if err := d.node.Cancel(d.lifetime, by, a.ID); err != nil && d.lifetime.Err() == nil {
			d.log.Warn("test call not cleared away", "err", err)
		}
	})
	late := time.NewTimer(echoPatience)
	defer late.Stop()
	for len(d.node.Seats(a.ID)) == 0 {
		select {
		case <-changed:
			continue
		case <-gone:
		case <-late.C:
		case <-ctx.Done():
		}
		stop()
		return practice.Made{}, ErrEchoFailed
	}
	return a, nil
}
