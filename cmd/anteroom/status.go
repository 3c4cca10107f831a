package main

import (
	"io"

	"github.com/spf13/cobra"

	"anteroom/cmd/anteroom/control"
)

func (p *program) statusCommand() *cobra.Command {
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what the daemon is doing",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client(cmd)
			if err != nil {
				return err
			}
			s, err := control.Call[control.Status](cmd.Context(), c, "status", control.Nothing{})
			if err != nil {
				return err
			}
			return output.print(p.stdout, s, func(w io.Writer) error { return control.PrintStatus(w, s) })
		},
	}
	output.add(cmd)
	return cmd
}
