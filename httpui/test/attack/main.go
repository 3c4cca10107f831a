// Attack plays a stranger, and a guest who behaves badly, against real daemons
// in a network of its own, while real guests come and go. It prints what was
// tried, what was opened, and what it did to the others, and ends with 1 if
// anything was opened or a real guest was kept out.
//
//	go run ./httpui/test/attack            # seconds each: what the tests run
//	go run ./httpui/test/attack -full      # minutes each: the table in SECURITY.md
//
// It needs bin/anteroom, and the right to make a network namespace. With -guest
// it is one guest instead, whom standard input describes (badGuest), against
// whatever browser the practitioner has.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"
)

func main() {
	full := flag.Bool("full", false, "take the time of a whole attack")
	only := flag.String("only", "", "run the attacks of this name alone")
	guest := flag.Bool("guest", false, "be one guest who behaves badly")
	inside := flag.Bool("inside", false, "for this program itself: the network is there")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *full, *only, *guest, *inside); err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, full bool, only string, guest, inside bool) error {
	if guest {
		return runBadGuest(ctx)
	}
	if !inside {
		return enterNetwork(ctx)
	}
	if err := makeNetwork(ctx); err != nil {
		return err
	}
	p, err := newPractice(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "attack\tagainst\ttries\t/s\topened\treal guests\tkept out\tlost once\tp50 ms\tp95 ms")
	bad := 0
	for _, a := range attacks {
		if only != "" && only != a.name {
			continue
		}
		amount := a.smoke
		if full {
			amount = a.full
		}
		began := time.Now()
		result, err := a.run(ctx, p, amount)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		verdict := ""
		if result.opened > 0 || result.real.keptOut() {
			verdict, bad = "  <- must not be", bad+1
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%.0f\t%d\t%d\t%d\t%d\t%d\t%d%s\n", a.name, a.against, result.tries, float64(result.tries)/time.Since(began).Seconds(),
			result.opened, result.real.tried, result.real.failed, result.real.again, result.real.percentile(50).Milliseconds(), result.real.percentile(95).Milliseconds(), verdict)
		if err := table.Flush(); err != nil {
			return err
		}
		for reason, n := range result.real.reasons {
			fmt.Printf("  %d × %s\n", n, reason)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d attacks did what they must not do", bad)
	}
	return nil
}
