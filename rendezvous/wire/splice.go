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
	wg.Go(func() { forward(a, b, stop) }) // ends when either Conn closes
	forward(b, a, stop)
	wg.Wait()
	<-closed
	return context.Cause(ctx)
}

// forward carries frames from src to dst until one of them fails. Why src did
// it hands to stop; why dst did is for the other direction to find out, which may
// have its last words to carry.
func forward(dst, src Conn, stop context.CancelCauseFunc) {
	for {
		frame, err := src.Recv()
		if err != nil {
			stop(err)
			return
		}
		if dst.Send(frame) != nil {
			return
		}
	}
}
