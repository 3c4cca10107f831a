// Package words holds what the pages say: a catalogue for each language, with
// whole sentences in the part of MessageFormat 2 (Unicode LDML, part 9) that
// README.md describes. The page formats them itself (static/kit/words.js); this
// package does it for what is written without a page, and must say the same.
package words

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	xmessage "golang.org/x/text/message"

	"anteroom/node/desk/api"
)

// A Catalogue is the sentences of one language.
type Catalogue struct {
	Language string            `json:"language"` // BCP 47: what the pages' lang attribute says
	Locale   string            `json:"locale"`   // whose way to write numbers and dates it follows
	Dir      string            `json:"dir"`      // "ltr" or "rtl"
	Messages map[string]string `json:"messages"` // by code, in MessageFormat 2

	tag     language.Tag
	printer *xmessage.Printer
	parsed  map[string]sentence
}

//go:embed en.json
var english []byte

// English is the catalogue that every other one is a translation of.
var English = mustParse(english)

func mustParse(text []byte) *Catalogue {
	c, err := Parse(text)
	if err != nil {
		panic(err) // what is embedded is tested
	}
	return c
}

// Parse reads a catalogue. The error names the first message that is not in the
// part of MessageFormat 2 that is used here.
func Parse(text []byte) (*Catalogue, error) {
	c := new(Catalogue)
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	return c, c.compile()
}

func (c *Catalogue) compile() (err error) {
	if c.tag, err = language.Parse(c.Locale); err != nil {
		return fmt.Errorf("read catalogue: locale: %w", err)
	}
	c.printer = xmessage.NewPrinter(c.tag)
	c.parsed = make(map[string]sentence, len(c.Messages))
	for _, code := range slices.Sorted(maps.Keys(c.Messages)) {
		if c.parsed[code], err = parse(c.Messages[code]); err != nil {
			return fmt.Errorf("read catalogue: message %s: %w", code, err)
		}
	}
	return nil
}

// Say returns the sentence of m. A code that is not in the catalogue is said as
// it is, and an argument that is missing as its name in braces: something wrong
// that can be read is better than nothing.
func (c *Catalogue) Say(m api.Message) string {
	if m.Code == "" {
		return ""
	}
	s, ok := c.parsed[m.Code]
	if !ok {
		return m.Code
	}
	var b strings.Builder
	for _, p := range s.choose(c, m.Args) {
		if p.variable == "" {
			b.WriteString(p.text)
		} else {
			b.WriteString(c.format(p, m.Args))
		}
	}
	return b.String()
}

// format returns the argument that p stands for.
func (c *Catalogue) format(p part, args api.Args) string {
	switch v := args[p.variable].(type) {
	case string:
		return v
	case int:
		return c.printer.Sprint(v)
	case api.Message:
		return c.Say(v)
	case []string:
		return c.list(v)
	case []api.Message:
		said := make([]string, len(v))
		for i, m := range v {
			said[i] = c.Say(m)
		}
		return c.list(said)
	}
	return "{$" + p.variable + "}"
}

// The codes of what stands between the members of a list.
const (
	listMiddle = "list.middle"
	listLast   = "list.last"
)

func (c *Catalogue) list(items []string) string {
	if len(items) == 0 {
		return ""
	}
	list := items[0]
	for i, item := range items[1:] {
		code := listMiddle
		if i == len(items)-2 {
			code = listLast
		}
		list = c.Say(api.NewMessage(code, api.Args{"before": list, "after": item}))
	}
	return list
}

// category is the plural category of n: "one", "few" and so on.
func (c *Catalogue) category(n int) string {
	return [...]string{plural.Other: "other", plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many"}[plural.Cardinal.MatchPlural(c.tag, max(n, -n), 0, 0, 0, 0)]
}

// Page returns the catalogue as JSON for a page that needs the messages whose
// codes begin with one of those prefixes.
func (c *Catalogue) Page(prefixes ...string) []byte {
	page := Catalogue{Language: c.Language, Locale: c.Locale, Dir: c.Dir, Messages: map[string]string{}}
	for code, text := range c.Messages {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(code, prefix) }) {
			page.Messages[code] = text
		}
	}
	data, err := json.Marshal(page) // sorted, and "<" is escaped
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return data
}
