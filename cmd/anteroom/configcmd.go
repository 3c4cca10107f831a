package main

import (
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
	check := &cobra.Command{
		Use:   "check",
		Short: "Report everything that is wrong with the configuration",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := p.config(cmd); err != nil {
				return failure{exitCheck, err}
			}
			fmt.Fprintln(p.stderr, "The configuration is in order.")
			return nil
		},
	}
	addServeFlags(show.Flags())
	addServeFlags(check.Flags())
	cmd.AddCommand(show, check)
	return cmd
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
