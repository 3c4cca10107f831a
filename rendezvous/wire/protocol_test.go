package wire

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// The tables of PROTOCOL.md and this package say the same.
func TestProtocolDocumentListsEveryTypeAndCode(t *testing.T) {
	text, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	var types, codes []string
	for typ := range bodies {
		types = append(types, string(typ))
	}
	for _, code := range Codes {
		codes = append(codes, string(code))
	}
	for _, c := range []struct {
		heading string
		want    []string
	}{{"Messages", types}, {"Error codes", codes}} {
		got := firstColumn(t, text, c.heading)
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: the document has %v, the package %v", c.heading, got, c.want)
		}
	}
}

// firstColumn returns the code-quoted first cells of the table under heading.
func firstColumn(t *testing.T, text []byte, heading string) (cells []string) {
	t.Helper()
	section := regexp.MustCompile(`(?s)\n## ` + heading + `\n(.*?)\n##`).FindSubmatch(text)
	if section == nil {
		t.Fatalf("no section %q", heading)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllSubmatch(section[1], -1) {
		cells = append(cells, string(row[1]))
	}
	if len(cells) == 0 {
		t.Fatalf("no table under %q", heading)
	}
	return cells
}
