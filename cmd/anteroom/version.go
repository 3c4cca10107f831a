package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"anteroom/cmd/anteroom/daemon"
)

// versionReply is what "version --output json" prints.
type versionReply struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the source; empty if the build did not note it
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion() versionReply {
	v := versionReply{Version: daemon.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	return v
}

// line is v for a person; "--version" prints it, too.
func (v versionReply) line() string {
	return fmt.Sprintf("anteroom %s (%s, %s)", v.Version, v.Go, v.Platform)
}

func (p *program) versionCommand() *cobra.Command {
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := newVersion()
			return output.print(p.stdout, v, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, v.line())
				return err
			})
		},
	}
	output.add(cmd)
	return cmd
}
