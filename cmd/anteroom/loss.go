package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"anteroom/node/practice"
)

// acceptLossCommand makes a database that is not complete one that is, without
// what is missing.
func (p *program) acceptLossCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "accept-loss",
		Short: "Go on without the records that were in a missing write-ahead log",
		Long: `Go on without the records that were in a missing write-ahead log. Anteroom does
not start while anteroom.db is there and the anteroom.db-wal that belongs to it
is not, because what was recorded last is in that file. If it cannot be put
back, this accepts that it is lost. The audit trail says so. Anteroom must not
be running.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := p.plan(cmd)
			if err != nil {
				return err
			}
			lost, err := practice.AcceptLoss(cmd.Context(), practice.Config{Dir: string(plan.Dir), KeyFile: plan.KeyFile})
			if err != nil {
				return err
			}
			if lost {
				fmt.Fprintln(p.stderr, "Accepted: Anteroom can start, without what was recorded last.")
			} else {
				fmt.Fprintln(p.stderr, "Nothing is missing.")
			}
			return nil
		},
	}
}
