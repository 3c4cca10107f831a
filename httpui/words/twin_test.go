//go:build e2e

package words

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"anteroom/node/desk/api"
)

// The page's formatter and this one say the same of every message of the
// catalogue, with every choice of its variants.
func TestFormattersAgree(t *testing.T) {
	var said []api.Message
	for _, code := range slices.Sorted(maps.Keys(English.Messages)) {
		for _, args := range choices(English.parsed[code]) {
			said = append(said, api.NewMessage(code, args))
		}
	}
	asked, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "../test/page/words-said.mjs")
	cmd.Stdin = strings.NewReader(string(asked) + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("this test needs Node.js: %v", err)
	}
	var got []string
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(said) {
		t.Fatalf("%d answers to %d messages: %v", len(got), len(said), err)
	}
	for i, m := range said {
		if want := English.Say(m); got[i] != want || strings.ContainsAny(want, "{}") {
			t.Errorf("%s %v: the page says %q, Go %q", m.Code, m.Args, got[i], want)
		}
	}
}

// choices returns arguments for s: each value that a key of it names, and
// others of every plural category.
func choices(s sentence) []api.Args {
	values := map[string][]any{}
	for _, v := range s.variants {
		for _, p := range v.pattern {
			switch {
			case p.variable == "" || values[p.variable] != nil:
			case p.function == "list":
				values[p.variable] = []any{[]string{}, []string{"Anna"}, []string{"Anna", "Ben", "Cleo"}}
			case p.function == "number":
				values[p.variable] = []any{0, 1, 12, 1234567}
			default:
				values[p.variable] = []any{"Anna", "a <b>", 2}
			}
		}
	}
	for i, sel := range s.selectors {
		if sel.function == "number" {
			values[sel.variable] = []any{0, 1, 2, 3, 5, 11, 21, 101, 1234567}
			continue
		}
		values[sel.variable] = []any{"", "other"}
		for _, v := range s.variants {
			values[sel.variable] = append(values[sel.variable], strings.Trim(v.keys[i], "|"))
		}
	}
	all := []api.Args{{}}
	for name, list := range values {
		var more []api.Args
		for _, args := range all {
			for _, value := range list {
				with := maps.Clone(args)
				with[name] = value
				more = append(more, with)
			}
		}
		all = more
	}
	return all
}
