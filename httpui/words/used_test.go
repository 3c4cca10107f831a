package words

import (
	"go/ast"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// built is which codes are put together, by what they begin with, and what may
// follow. Where nothing is said of that, it is whatever the catalogue has: these
// prefixes are of codes that come from elsewhere, such as the wire's.
var built = map[string][]string{
	"call.check.path.":   {"blocked", "good", "slow", "testing"},
	"call.device.":       nil,
	"call.line.":         {"good", "lost", "poor"},
	"call.reason.":       nil,
	"desk.check.":        {"fail", "pass", "skip", "warn"},
	"desk.chip.":         {"cancelled", "damaged", "early", "ended"},
	"desk.guest.":        {"admitted", "damaged", "revoked", "unused", "used", "waiting"},
	"desk.refused-todo.": nil,
	"desk.refused.":      nil,
	"desk.tested.":       {"blocked", "good", "slow"},
	"doctor.title.":      nil,
	"guest.head.":        nil,

	// errors.js writes ${kind} for their first word.
	"call.todo.":  nil,
	"call.why.":   nil,
	"desk.todo.":  nil,
	"desk.why.":   nil,
	"guest.todo.": nil,
	"guest.why.":  nil,
}

// varied is what node/doctor appends to a code, for another form of the same.
var varied = []string{"-line", "-now"}

const codeForm = `(?:call|desk|doctor|guest|input|list|page|refusal)(?:\.[a-z0-9-]+)+`

var (
	isCode      = regexp.MustCompile(`^` + codeForm + `$`)
	codeInJS    = regexp.MustCompile(`'(` + codeForm + `)'|\{\{(` + codeForm + `)\}\}`)
	builtInJS   = regexp.MustCompile("`((?:[a-z-]+|\\$\\{kind\\})(?:\\.[a-z0-9-]+)*\\.)\\$\\{[^}`]+\\}`")
	ofAPage     = regexp.MustCompile(`\.(html|js)$`)
	kindsOfCode = []string{"call", "desk", "guest"}
)

// Every message is said somewhere, and what is said is in the catalogue.
func TestEveryMessageIsUsed(t *testing.T) {
	named := map[string]string{}  // codes, and where they stand
	begins := map[string]string{} // what codes that are put together begin with
	ends := map[string]bool{}
	eachGoFile(t, func(dir string, files *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if text, ok := textOf(n); ok && isCode.MatchString(text) && !ofAPage.MatchString(text) {
					named[text] = files.Position(n.Pos()).String()
				}
			case *ast.BinaryExpr:
				if text, ok := textOf(n.X); ok && isCode.MatchString(strings.TrimSuffix(text, ".")) {
					begins[text] = files.Position(n.Pos()).String()
				}
				if text, ok := textOf(n.Y); ok && dir == "node/doctor" {
					ends[text] = true
				}
			}
			return true
		})
	})
	for path, text := range pageFiles(t) {
		for _, m := range codeInJS.FindAllStringSubmatch(text, -1) {
			named[m[1]+m[2]] = path
		}
		for _, m := range builtInJS.FindAllStringSubmatch(text, -1) {
			for _, kind := range kindsOfCode {
				if prefix := strings.Replace(m[1], "${kind}", kind, 1); isCode.MatchString(strings.TrimSuffix(prefix, ".")) {
					begins[prefix] = path
				}
			}
		}
	}

	used := map[string]bool{}
	for code, where := range named {
		used[code] = true
		if English.Messages[code] == "" {
			t.Errorf("%s: there is no message %s", where, code)
		}
	}
	for prefix, where := range begins {
		if _, listed := built[prefix]; !listed {
			t.Errorf("%s: codes that begin with %s are not listed as being put together", where, prefix)
		}
	}
	for prefix, values := range built {
		if begins[prefix] == "" {
			t.Errorf("no code is put together with %s", prefix)
		}
		for _, value := range values {
			used[prefix+value] = true
			if English.Messages[prefix+value] == "" {
				t.Errorf("there is no message %s%s", prefix, value)
			}
		}
	}
	for _, suffix := range varied {
		if !ends[suffix] {
			t.Errorf("no code is put together with %s", suffix)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(English.Messages)) {
		prefix := code[:strings.LastIndex(code, ".")+1]
		values, listed := built[prefix]
		said := used[code] || listed && values == nil
		for _, suffix := range varied {
			said = said || used[strings.TrimSuffix(code, suffix)]
		}
		if !said {
			t.Errorf("nothing says %s", code)
		}
	}
}

// pageFiles returns the texts of the pages and their modules.
func pageFiles(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir("../static", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "vendor" {
			return fs.SkipDir
		}
		if err != nil || !ofAPage.MatchString(path) {
			return err
		}
		text, err := os.ReadFile(path)
		texts[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
