package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// show writes cfg in a form that Load reads.
func show(w io.Writer, output string, cfg Config) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(tree(&cfg))
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
