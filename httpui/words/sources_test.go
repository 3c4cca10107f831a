package words

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sentence is what only a person reads: errors and logs begin with a small
// letter and have no full stop.
var sentenceForm = regexp.MustCompile(`^[A-Z“].* .*[.?!:]$|\. [A-Z]`)

// query is not for people, though it may look like a question.
var query = regexp.MustCompile(`^(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA)\b`)

// terminal is what speaks to the operator on the terminal and in the log.
var terminal = []string{"cmd/anteroom", "node/store"}

// unmoved are the packages whose sentences are still to be moved.
var unmoved = []string{"httpui", "node", "node/desk", "node/people", "node/practice"}

// A sentence for people stands in a catalogue, and not in Go.
func TestNoSentenceStandsInGo(t *testing.T) {
	const root = "../.."
	files := token.NewFileSet()
	for _, top := range []string{"cmd", "discovery", "httpui", "node", "rendezvous"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				if entry != nil && (entry.Name() == "node_modules" || entry.Name() == "test") {
					return fs.SkipDir
				}
				return err
			}
			dir, _ := filepath.Rel(root, filepath.Dir(path))
			if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(dir, "test") || slices.Contains(slices.Concat(terminal, unmoved), dir) {
				return nil
			}
			file, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if fun, ok := call.Fun.(*ast.Ident); ok && fun.Name == "panic" {
						return false
					}
				}
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				if text, err := strconv.Unquote(literal.Value); err == nil && sentenceForm.MatchString(text) && !query.MatchString(text) {
					t.Errorf("%s: %q", files.Position(literal.Pos()), text)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
