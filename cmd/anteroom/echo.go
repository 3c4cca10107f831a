package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"anteroom/cmd/anteroom/daemon"
	"anteroom/cmd/anteroom/logs"
	"anteroom/node/media"
)

// mediaName is the hidden command that the echo guest's process runs.
const mediaName = "media"

// newEcho returns an echoFunc that runs each guest in a process of its own, as
// program exe: what that process does with other people's media cannot harm
// this one.
func newEcho(exe string, log *slog.Logger) daemon.EchoFunc {
	return func(ctx context.Context, gateway, link string) error {
		return media.Run(ctx, exe, []string{mediaName}, media.Job{Gateway: gateway, Link: link, Name: "Echo", Log: log})
	}
}

// mediaCommand is the whole of that process. It has no configuration, no
// environment and no files: what it needs comes over its standard input.
func (p *program) mediaCommand() *cobra.Command {
	return &cobra.Command{
		Use:    mediaName,
		Short:  "Take part in one call as the echo guest (started by the daemon)",
		Hidden: true,
		Args:   noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := slog.New(logs.NewHandler(p.stderr, "json", slog.LevelInfo, false, nil))
			err := media.Child(cmd.Context(), p.stdin, p.stdout, log)
			if errors.Is(err, context.Canceled) {
				return nil // the daemon ends; so do we
			}
			return err
		},
	}
}
