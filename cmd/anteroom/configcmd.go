package main

import (
	"errors"
	"fmt"
	"strings"

	"anteroom/cmd/anteroom/exit"

	"github.com/spf13/cobra"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/daemon"
)

func (p *program) configCommand() *cobra.Command {
	cmd := group("config", "What the daemon is told, and whether it can work")
	var output outputFlag
	show := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration in force: file, environment and flags merged",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := p.plan(cmd)
			if err != nil {
				return err
			}
			return plan.Show(p.stdout, output.String())
		},
	}
	output.add(show)
	var checked outputFlag
	check := &cobra.Command{
		Use:   "check",
		Short: "Report everything that is wrong with the configuration, and whether it can work here",
		Long: `Report everything that is wrong with the configuration, and what on this computer
keeps it from working: files that are missing or not for this user, a certificate
that cannot be used, ports that are taken. Nothing is made or changed.

Ports are not looked at while the daemon has them, nor those that systemd is set
up to pass. It ends with 0 if all is in order, and with 4 if not.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := p.plan(cmd)
			if err == nil {
				err = errors.Join(daemon.Prepare(plan), daemon.CheckPorts(cmd.Context(), plan))
			}
			if checked.json {
				reply := checkReply{OK: err == nil, Problems: []string{}}
				if err != nil {
					reply.Problems = strings.Split(err.Error(), "\n")
				}
				if printErr := printJSON(p.stdout, reply); printErr != nil {
					return printErr
				}
			}
			if err != nil {
				return exit.With(exit.Check, err)
			}
			if !checked.json {
				fmt.Fprintln(p.stderr, "The configuration is in order.")
			}
			return nil
		},
	}
	checked.add(check)
	config.AddServeFlags(show.Flags())
	config.AddServeFlags(check.Flags())
	cmd.AddCommand(show, check)
	return cmd
}

// checkReply is what "config check --output json" prints.
type checkReply struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems"` // one sentence each
}
