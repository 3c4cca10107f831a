// Anteroom is a telehealth daemon: a practice runs it, practitioners use its
// page on their own computer, and patients open a link in an ordinary browser.
//
// This package is everything that reads the environment, flags, files of
// configuration and signals, and that decides exit codes. In run.go the parts
// are put together; the packages below know nothing of each other's existence
// but what the table of imports allows (imports_test.go).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"anteroom/cmd/anteroom/exit"
)

func main() {
	if err := harden(); err != nil {
		fmt.Fprintf(os.Stderr, "anteroom: %v\n", err)
		os.Exit(exit.Failed)
	}
	// A second signal ends the program at once: stop gives the first one back
	// its default meaning.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(newProgram().run(ctx, os.Args[1:]))
}
