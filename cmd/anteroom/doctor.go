package main

import (
	"io"

	"github.com/spf13/cobra"

	"anteroom/cmd/anteroom/control"
	"anteroom/cmd/anteroom/daemon"
	"anteroom/cmd/anteroom/exit"
	"anteroom/node/doctor"
)

// doctorCommand finds out whether patients can reach the node.
func (p *program) doctorCommand() *cobra.Command {
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out whether patients can reach you, and if not, why",
		Long: `Find out whether patients can reach you, and if not, why and what to do. Peers
are asked to look at this node from outside. Without a running daemon only what
can be seen on this computer is checked.

It ends with 0 if nothing fails, with 4 if something does, and with 3 if no
daemon is running.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := p.examine(cmd)
			if err != nil {
				return err
			}
			if err := output.print(p.stdout, report, func(w io.Writer) error { return control.PrintReport(w, report) }); err != nil {
				return err
			}
			return control.Verdict(report)
		},
	}
	output.add(cmd)
	return cmd
}

// examine has the daemon looked at, or without one, what it would need.
func (p *program) examine(cmd *cobra.Command) (control.Report, error) {
	plan, err := p.plan(cmd)
	if err != nil {
		return control.NewReport(doctor.Unreadable(err)), nil
	}
	report, err := control.Call[control.Report](cmd.Context(), control.NewClient(plan.Dir), "doctor", control.Nothing{})
	if exit.Code(err) == exit.NotRunning {
		return control.NewReport(daemon.Examine(cmd.Context(), plan)), nil
	}
	return report, err
}
