package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

func (p *program) configCommand() *cobra.Command {
	cmd := group("config", "What the daemon is told, and whether it can work")
	var output outputFlag
	show := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration in force: file, environment and flags merged",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.config(cmd)
			if err != nil {
				return err
			}
			return showConfig(p.stdout, output.String(), cfg)
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
			cfg, err := p.config(cmd)
			if err == nil {
				err = errors.Join(prepare(cfg), checkPorts(cmd.Context(), cfg))
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
				return failure{exitCheck, err}
			}
			if !checked.json {
				fmt.Fprintln(p.stderr, "The configuration is in order.")
			}
			return nil
		},
	}
	checked.add(check)
	addServeFlags(show.Flags())
	addServeFlags(check.Flags())
	cmd.AddCommand(show, check)
	return cmd
}

// checkReply is what "config check --output json" prints.
type checkReply struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems"` // one sentence each
}

// showConfig writes cfg in a form that Load reads.
func showConfig(w io.Writer, output string, cfg Config) error {
	if output == "json" {
		return printJSON(w, tree(&cfg))
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(cfg); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return enc.Close()
}

// tree returns the settings of cfg under their YAML names.
func tree(cfg *Config) map[string]any {
	root := make(map[string]any)
	for _, s := range settings(cfg) {
		at, leaf := root, s.path
		for section, rest, ok := strings.Cut(leaf, "."); ok; section, rest, ok = strings.Cut(leaf, ".") {
			below, made := at[section].(map[string]any)
			if !made {
				below = make(map[string]any)
				at[section] = below
			}
			at, leaf = below, rest
		}
		if list, ok := s.value.Interface().([]string); ok && list == nil {
			at[leaf] = []string{}
		} else {
			at[leaf] = s.value.Interface()
		}
	}
	return root
}
