package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// SIGHUP has two meanings. Whoever closes the terminal that a program runs in
// ends it, as with SIGTERM; whoever sends it to a service, which has no
// terminal, wants its files read again.

// hangups returns what hears of SIGHUP until stop is called. Where it is
// ignored already, as under nohup, it stays so and nothing is heard.
func hangups() (heard <-chan os.Signal, stop func()) {
	if signal.Ignored(syscall.SIGHUP) {
		return nil, func() {}
	}
	c := make(chan os.Signal, 1) // full: what is waiting says as much
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// untilClosed returns ctx, which also ends when the terminal is closed, and
// what is told of each SIGHUP that means something else. All of it ends with
// ctx, and with stop.
func (p *program) untilClosed(ctx context.Context) (_ context.Context, again <-chan struct{}, stop func()) {
	ctx, end := context.WithCancel(ctx)
	heard, deaf := hangups()
	asked := make(chan struct{}, 1) // full: it will be done
	go func() {                     // ends with ctx
		for {
			select {
			case <-heard:
			case <-ctx.Done():
				return
			}
			if p.terminalClosed() {
				end() // what is heard after that changes nothing
				return
			}
			select {
			case asked <- struct{}{}:
			default:
			}
		}
	}()
	return ctx, asked, func() { end(); deaf() }
}

// terminalClosed reports whether a SIGHUP came from the end of the terminal
// that this program was started in.
func (p *program) terminalClosed() bool {
	return p.interactive || p.attached && !hasTerminal()
}

// hasTerminal reports whether this process belongs to a terminal, even if none
// of its files leads there.
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// outliveReaders makes a write to stdout or stderr that nobody reads any more,
// as when a log driver goes away, an error; without it the program would end.
func outliveReaders() (stop func()) {
	c := make(chan os.Signal, 1)      // nobody looks
	signal.Notify(c, syscall.SIGPIPE) // to ignore it would be passed on to a browser
	return func() { signal.Stop(c) }
}
