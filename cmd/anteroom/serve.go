package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/daemon"
	"anteroom/cmd/anteroom/logs"
)

// serveCommand returns the command that serves; the root is one as well.
func (p *program) serveCommand(name string) *cobra.Command {
	var noOpen bool
	cmd := &cobra.Command{
		Use:   name,
		Short: "Run the node and its pages until interrupted",
		Long: `Run the node and its pages until interrupted, or until the terminal that it was
started in is closed. Where there is no terminal, as in a service, SIGHUP makes
it read again its certificate, discovery.peers and log.level.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := p.plan(cmd)
			if err != nil {
				return err
			}
			return p.serve(cmd.Context(), plan, func() (config.Plan, error) { return p.plan(cmd) }, !noOpen)
		},
	}
	config.AddServeFlags(cmd.Flags())
	cmd.Flags().BoolVar(&noOpen, "no-open", false, "do not open a browser on the first run")
	return cmd
}

// gcPercent is how much garbage may gather, in percent of what is in use, before
// it is collected, where GOGC does not say. What a crowd leaves behind in the
// seconds in which it comes stays resident for as long as it then waits: by
// "make bench-waiting" on a busy machine, 39 kB for each of 1,000 guests, and
// 43 kB with Go's 100.
const gcPercent = 50

// serve runs a daemon until ctx ends. It says where the page is on stderr, and
// READY on stdout and to systemd once whoever comes is answered. reload reads
// plan again.
func (p *program) serve(ctx context.Context, plan config.Plan, reload func() (config.Plan, error), open bool) error {
	defer outliveReaders()()
	p.limitGarbage()
	ctx, again, stop := p.untilClosed(ctx)
	defer stop()
	level := new(slog.LevelVar)
	level.Set(plan.LogLevel)
	log := p.logger(plan.LogFormat, level)
	exe, err := p.executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	passed, err := daemon.PassedSockets()
	if err != nil {
		return err
	}
	d, err := daemon.New(ctx, plan, passed, log, newEcho(exe, log))
	if err != nil {
		return err
	}
	d.RenewFrom(reload, again, level)
	if err := p.welcome(ctx, d, open); err != nil {
		return errors.Join(err, d.Close())
	}
	if _, err := systemd.SdNotify(true, systemd.SdNotifyReady); err != nil {
		log.Warn("systemd not told that the node is ready", "err", err)
	}
	return d.Run(ctx)
}

// limitGarbage sets gcPercent, unless the environment says otherwise.
func (p *program) limitGarbage() {
	if p.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// welcome says where to go. Listeners are bound already: a browser that comes
// before run waits a moment.
func (p *program) welcome(ctx context.Context, d *daemon.Daemon, open bool) error {
	setUp, err := d.IsSetUp(ctx)
	if err != nil {
		return err
	}
	if setUp {
		// No names: a service manager keeps what is said here.
		fmt.Fprintf(p.stderr, "The page is at %s\nSign in there, or run \"anteroom open\".\n", d.URL())
	} else if p.recorded() {
		fmt.Fprintf(p.stderr, "The page is at %s\nYour practice is not set up yet: \"anteroom open\" prints the address for that.\n", d.URL())
	} else {
		url, err := d.LaunchURL(ctx, "")
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "Open this address to set up your practice; it works once, for ten minutes:\n\n    %s\n\n", url)
		if open {
			p.open(ctx, url)
		}
	}
	fmt.Fprintf(p.stdout, "READY %s\n", d.URL())
	return nil
}

// recorded reports whether a service manager started the daemon and keeps what
// is said on stderr: an address that opens a door must not be there.
func (p *program) recorded() bool {
	return !p.terminal && (p.getenv("JOURNAL_STREAM") != "" || p.getenv("NOTIFY_SOCKET") != "" || p.getenv("INVOCATION_ID") != "")
}

// logger returns the logger of a daemon.
func (p *program) logger(format string, level slog.Leveler) *slog.Logger {
	logs.SilenceGoLog()
	return slog.New(logs.NewHandler(p.stderr, format, level, p.terminal, p.unknownKey))
}
