package config

import (
	"strings"
	"testing"
	"time"
)

// shape has a key of every kind that a configuration can have.
type shape struct {
	Name  string `yaml:"name"`
	Limit struct {
		On    bool          `yaml:"on"`
		After time.Duration `yaml:"after"`
	} `yaml:"limit"`
	Listen []string `yaml:"listen"`
}

func TestYAMLThatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          []string // one problem each
	}{
		{"empty", "", nil},
		{"comments only", "# nothing\n", nil},
		{"null", "---\n~\n", nil},
		{"all right", "name: a\nlimit: {on: true, after: 1m30s}\nlisten: [a, \"b\"]\n", nil},
		{"quoted number", "name: \"5\"\n", nil},

		{"unknown key", "nmae: a\n", []string{"f:1: nmae: unknown key, did you mean name?"}},
		{"unknown key without value", "name: a\ncolour:\n", []string{"f:2: colour: unknown key"}},
		{"upper case", "Name: a\n", []string{"f:1: Name: unknown key, did you mean name?"}},
		{"unknown key below", "limit:\n  on: true\n  aftr: 5s\n", []string{"f:3: limit.aftr: unknown key, did you mean limit.after?"}},
		{"key in the wrong place", "after: 5s\n", []string{"f:1: after: unknown key, did you mean limit.after?"}},
		{"merge key", "limit:\n  <<: {on: true}\n", []string{"f:2: limit.<<: unknown key"}},
		{"twice", "name: a\nname: b\n", []string{"f:2: name: given twice, first in line 1: remove one"}},
		{"twice below", "limit:\n  on: true\n  on: true\n", []string{"f:3: limit.on: given twice, first in line 2: remove one"}},

		{"no unit", "limit: {after: 5}\n", []string{"f:1: limit.after: must be a duration with its unit, such as 30s, 5m or 1h30m"}},
		{"no unit in quotes", "limit: {after: \"5\"}\n", []string{"f:1: limit.after: must be a duration with its unit, such as 30s, 5m or 1h30m"}},
		{"unit of days", "limit: {after: 5d}\n", []string{"f:1: limit.after: must be a duration with its unit, such as 30s, 5m or 1h30m"}},
		{"number for text", "name: 5\n", []string{"f:1: name: must be text: put it in quotes"}},
		{"yes for text", "name: true\n", []string{"f:1: name: must be text: put it in quotes"}},
		{"date for text", "name: 2026-01-02\n", []string{"f:1: name: must be text: put it in quotes"}},
		{"list for text", "name: [a]\n", []string{"f:1: name: must be a single value"}},
		{"text for list", "listen: a\n", []string{`f:1: listen: must be a list: [] or ["one", "two"]`}},
		{"nothing for list", "listen:\n", []string{`f:1: listen: must be a list: [] or ["one", "two"]`}},
		{"number in list", "listen:\n- a\n- 7600\n", []string{"f:3: listen[1]: must be text: put it in quotes"}},
		{"text for bool", "limit: {on: \"true\"}\n", []string{"f:1: limit.on: must be true or false, without quotes"}},
		{"yes for bool", "limit: {on: yes}\n", []string{"f:1: limit.on: must be true or false, without quotes"}},
		{"no value", "name:\n", []string{"f:1: name: has no value: give it one or remove the line"}},
		{"no keys", "limit:\n", []string{"f:1: limit: must have keys below it, indented: put one there or remove this"}},
		{"text for section", "limit: none\n", []string{"f:1: limit: must have keys below it, indented: put one there or remove this"}},
		{"list at the top", "- name: a\n", []string{"f:1: must have keys below it, indented: put one there or remove this"}},
		{"alias", "name: &x a\nlisten: [*x]\n", []string{
			"f:1: name: anchors and aliases are not read here: write the value out",
			"f:2: listen[0]: anchors and aliases are not read here: write the value out",
		}},
		{"two documents", "name: a\n---\nname: b\n", []string{"f: has more than one document: keep the first, remove the rest from the line ---"}},
		{"not YAML", "name: a\n\tlisten: b\n", []string{"f: yaml: line 2: found a tab character that violates indentation"}},
		{"all at once", "nme: a\nlimit: {after: 5, of: true}\nlisten: b\n", []string{
			"f:1: nme: unknown key, did you mean name?",
			"f:2: limit.after: must be a duration with its unit, such as 30s, 5m or 1h30m",
			"f:2: limit.of: unknown key, did you mean limit.on?",
			`f:3: listen: must be a list: [] or ["one", "two"]`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			if err := checkYAML("f", []byte(c.content), new(shape)); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if g, w := strings.Join(got, "\n"), strings.Join(c.want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

// FuzzYAML: whatever a file holds, checking it ends, and what it lets through
// can be loaded.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{"", "http:\n  listen: [\"localhost:1\"]\n", "log: {level: debug}\n", "a: &a [*a]\n", "? [x]\n: y\n", "http: {listen: []}\nhttp: {}\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		cfg := Default()
		if checkYAML("f", content, &cfg) != nil {
			return
		}
		cfg, err := merge("f", content, nil, testFlags(t))
		if err != nil {
			t.Errorf("passed the check, but: %v", err)
		}
		_, _ = cfg.Plan() // may refuse it, and does not panic
	})
}

func TestDidYouMean(t *testing.T) {
	known := []string{"http.listen", "discovery.listen", "log.level", "ANTEROOM_LOG_LEVEL"}
	for name, want := range map[string]string{
		"log.levle":          ", did you mean log.level?",
		"listen":             ", did you mean http.listen or discovery.listen?",
		"ANTEROOM_LOGLEVEL":  ", did you mean ANTEROOM_LOG_LEVEL?",
		"colour":             "",
		"log.verbosity":      "",
		"":                   "",
		"anteroom_log_level": "",
	} {
		if got := DidYouMean(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
