package wire

import (
	"context"
	"sync"
)

// Splice carries frames between a and b, unread, until either ends or ctx
// does. It closes both with the first reason and returns it.
func Splice(ctx context.Context, a, b Conn) error {
	ctx, stop := context.WithCancelCause(ctx)
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(closed)
		reason := context.Cause(ctx)
		a.Close(reason)
		b.Close(reason)
	})

	var wg sync.WaitGroup
	wg.Go(func() { stop(forward(a, b)) }) // ends when either Conn closes
	stop(forward(b, a))
	wg.Wait()
	<-closed
	return context.Cause(ctx)
}

// forward carries frames from src to dst until one of them fails.
func forward(dst, src Conn) error {
	for {
		frame, err := src.Recv()
		if err != nil {
			return err
		}
		if err := dst.Send(frame); err != nil {
			return err
		}
	}
}
