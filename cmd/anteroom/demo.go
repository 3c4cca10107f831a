package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/daemon"
	"anteroom/cmd/anteroom/exit"
)

func (p *program) demoCommand() *cobra.Command {
	var output outputFlag
	level := "error"
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try a call between three nodes on this computer; keeps nothing",
		Long: `Start three separate nodes on this computer: a practice's home node, its front
node, and the node of another practice that knows the first by its card only.
There is one appointment, open now, with a guest's link through each of them.
All of it is deleted when the demo is interrupted.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"config", "data-dir"} {
				if cmd.Flags().Changed(name) {
					return usage("demo is always the same and keeps nothing: leave --%s out", name)
				}
			}
			plan, err := config.Loopback(os.TempDir(), level) // there need be no home
			if err != nil {
				return exit.With(exit.Usage, err)
			}
			return p.demo(cmd.Context(), level, p.logger(plan.LogFormat, plan.LogLevel), output)
		},
	}
	cmd.Flags().StringVar(&level, "log-level", level, "debug, info, warn or error")
	output.add(cmd)
	return cmd
}

// demo runs until ctx ends.
func (p *program) demo(ctx context.Context, level string, log *slog.Logger, output outputFlag) (err error) {
	defer outliveReaders()()
	ctx, _, stop := p.untilClosed(ctx)
	defer stop()
	exe, err := p.executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	dir, err := os.MkdirTemp("", "anteroom-demo-")
	if err != nil {
		return fmt.Errorf("make temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	demo, err := daemon.NewDemo(ctx, dir, level, log, newEcho(exe, log))
	if err != nil {
		return err
	}
	if err := output.print(p.stdout, demo.Reply, demo.Reply.Text); err != nil {
		return errors.Join(err, demo.Close())
	}
	return demo.Run(ctx)
}
