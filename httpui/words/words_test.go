package words

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"anteroom/node/desk/api"
)

func catalogue(t *testing.T, messages map[string]string) *Catalogue {
	t.Helper()
	c := &Catalogue{Language: "en", Locale: "en-GB", Dir: "ltr", Messages: messages}
	if err := c.compile(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSay(t *testing.T) {
	c := catalogue(t, map[string]string{
		"plain": `Nothing to say.`, "escaped": `\{a\} \\ \|`, "name": `{$who} is here.`,
		"links": ".input {$n :number}\n.match $n\n0 {{No link.}}\none {{{$n} link.}}\n* {{{$n} links.}}",
		"two":   ".input {$n :number}\n.input {$kind :string}\n.match $n $kind\none far {{One far.}}\n* far {{{$n} far.}}\none * {{One near.}}\n* * {{{$n} near.}}",
		"call":  ".input {$practice :string}\n.match $practice\n|| {{Call the practice.}}\n* {{Call {$practice}.}}",
		"list":  "Of {$names :list}.", "list.middle": "{$before}, {$after}", "list.last": "{$before} and {$after}",
	})
	for _, row := range []struct {
		code string
		args api.Args
		want string
	}{
		{"", nil, ""},
		{"plain", nil, "Nothing to say."},
		{"escaped", nil, `{a} \ |`},
		{"name", api.Args{"who": "Dr Lee {$x}"}, "Dr Lee {$x} is here."},
		{"name", api.Args{"who": api.NewMessage("plain", nil)}, "Nothing to say. is here."},
		{"name", nil, "{$who} is here."}, // it can be read all the same
		{"links", api.Args{"n": 0}, "No link."},
		{"links", api.Args{"n": 1}, "1 link."},
		{"links", api.Args{"n": 1234}, "1,234 links."},
		{"two", api.Args{"n": 1, "kind": "far"}, "One far."},
		{"two", api.Args{"n": 2, "kind": "far"}, "2 far."},
		{"two", api.Args{"n": 1, "kind": "x"}, "One near."},
		{"two", api.Args{"n": 2, "kind": "x"}, "2 near."},
		{"call", api.Args{"practice": ""}, "Call the practice."},
		{"call", api.Args{"practice": "Lee & Co"}, "Call Lee & Co."},
		{"list", api.Args{"names": []string{}}, "Of ."},
		{"list", api.Args{"names": []string{"A"}}, "Of A."},
		{"list", api.Args{"names": []string{"A", "B", "C"}}, "Of A, B and C."},
		{"list", api.Args{"names": []api.Message{api.NewMessage("plain", nil), api.NewMessage("plain", nil)}}, "Of Nothing to say. and Nothing to say.."},
		{"unknown", nil, "unknown"},
	} {
		if got := c.Say(api.NewMessage(row.code, row.args)); got != row.want {
			t.Errorf("%s %v: %q, want %q", row.code, row.args, got, row.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"{", "}", "{name}", "{$name", "{$name :date}", "{$name :number x=1}", "{#b}{/b}", "{|x|}", `\n`, `\`,
		".match $n * {{x}}", ".input {$n :number} .match $n one {{x}}", ".input {$n :number} .match $n one {{x}} * {{y}", ".input {$n} .match $n * {{x}}",
		".input {$n :list} .match $n * {{x}}", ".input {$n :number} .match $n * * {{x}}", ".local $n = {1} {{x}}", ".input {$n :number} {{x}}",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestPseudo(t *testing.T) {
	c := catalogue(t, map[string]string{
		"name": `Hello {$who}`, "links": ".input {$n :number}\n.match $n\none {{{$n} link}}\n* {{{$n} links}}", "escaped": `\{a\}`,
	}).Pseudo()
	for want, m := range map[string]api.Message{
		"Ĥéļļó Ann~~": api.NewMessage("name", api.Args{"who": "Ann"}),
		"2 ļíñķš~~":   api.NewMessage("links", api.Args{"n": 2}),
		"{á}~":        api.NewMessage("escaped", nil),
	} {
		if got := c.Say(m); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The catalogue is sorted, so that two who add to it meet only where they add
// the same.
func TestCatalogueIsInOrder(t *testing.T) {
	text, err := os.ReadFile("en.json")
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, m := range regexp.MustCompile(`(?m)^    "([^"]+)": "`).FindAllStringSubmatch(string(text), -1) {
		codes = append(codes, m[1])
	}
	if len(codes) != len(English.Messages) {
		t.Errorf("%d lines with a message, and %d messages", len(codes), len(English.Messages))
	}
	if !slices.IsSorted(codes) {
		t.Error("the catalogue is not sorted by code")
	}
	for _, code := range slices.Sorted(maps.Keys(English.Messages)) {
		if !regexp.MustCompile(`^(call|desk|doctor|guest|input|list|page|refusal)(\.[a-z0-9-]+)+$`).MatchString(code) {
			t.Errorf("%s: no such part of the product", code)
		}
		if text := English.Messages[code]; text == "" || text != strings.TrimSpace(text) || strings.Contains(text, "  ") {
			t.Errorf("%s: %q has spaces that nobody sees", code, text)
		}
	}
}
