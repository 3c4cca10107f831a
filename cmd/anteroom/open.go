package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"

	"anteroom/cmd/anteroom/control"
)

// openCommand prints an address that signs in, and opens it.
func (p *program) openCommand() *cobra.Command {
	var noOpen bool
	var practitioner string
	cmd := &cobra.Command{
		Use:   "open",
		Short: "Open the practitioner's page, signed in",
		Long: `Open the practitioner's page in the browser, signed in. Where there is no
display, or with --no-open, the address is only printed; it works once, for ten
minutes, and until then for whoever knows it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client(cmd)
			if err != nil {
				return err
			}
			launch, err := control.Call[control.Launch](cmd.Context(), c, "launch", control.LaunchRequest{Practitioner: practitioner})
			if err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, launch.URL)
			if !noOpen {
				p.open(cmd.Context(), launch.URL)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&practitioner, "practitioner", "", "`name` of whose page it is; needed if several work here")
	cmd.Flags().BoolVar(&noOpen, "no-open", false, "only print the address")
	return cmd
}

// open shows url in the desktop's browser, if there is a desktop. Whoever
// called it has printed url: that nothing opens is no failure.
func (p *program) open(ctx context.Context, url string) {
	args := p.opener(runtime.GOOS)
	if args == nil {
		return
	}
	// Not tied to ctx: a browser that this starts outlives the daemon.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), args[0], append(args[1:], url)...)
	if err := cmd.Start(); err != nil {
		return
	}
	go cmd.Wait() // ends with the opener, at the latest with the process
}

// opener returns the program that opens an address on system, or nil if there
// is no display.
func (p *program) opener(system string) []string {
	switch system {
	case "darwin":
		return []string{"open"}
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	if p.getenv("DISPLAY") == "" && p.getenv("WAYLAND_DISPLAY") == "" {
		return nil
	}
	return []string{"xdg-open"}
}
