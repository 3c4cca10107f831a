package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestOperatorsGuide: every command in the guide exists, with its flags.
func TestOperatorsGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`anteroom ((?:serve|open|status|doctor|peer|config) ?[a-z]*(?: --?[a-z][a-z-]*(?: [/A-Z][^\s`+"`"+`]*)?)*)`).FindAllStringSubmatch(string(guide), -1)
	if len(commands) < 6 {
		t.Fatalf("only %d commands found", len(commands))
	}
	for _, found := range commands {
		args := strings.Fields(found[1])
		cmd, rest, err := newProgram().rootCommand().Find(args)
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err != nil || cmd.Name() == "anteroom" || cmd.Flags().NArg() > 0 {
			t.Errorf("%q: %v", found[1], err)
		}
	}
}
