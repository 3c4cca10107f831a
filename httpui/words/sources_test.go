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
var query = regexp.MustCompile(`^(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|WHERE)\b`)

// terminal is what speaks to the operator on the terminal and in the log.
var terminal = []string{"cmd/anteroom", "cmd/anteroom/control", "cmd/anteroom/daemon", "node/store"}

// A sentence for people stands in a catalogue, and not in Go.
func TestNoSentenceStandsInGo(t *testing.T) {
	eachGoFile(t, func(dir string, files *token.FileSet, file *ast.File) {
		if slices.Contains(terminal, dir) {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if fun, ok := call.Fun.(*ast.Ident); ok && fun.Name == "panic" {
					return false
				}
			}
			if text, ok := textOf(n); ok && sentenceForm.MatchString(text) && !query.MatchString(text) {
				t.Errorf("%s: %q", files.Position(n.Pos()), text)
			}
			return true
		})
	})
}

const root = "../.."

// eachGoFile visits the sources of what ships.
func eachGoFile(t *testing.T, visit func(dir string, files *token.FileSet, file *ast.File)) {
	t.Helper()
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
			if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(dir, "test") {
				return nil
			}
			file, err := parser.ParseFile(files, path, nil, 0)
			if err == nil {
				visit(dir, files, file)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// textOf returns what a literal says, or what stands in the literals of a sum,
// with three dots for what is computed.
func textOf(n ast.Node) (text string, ok bool) {
	switch n := n.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(n.Value)
		return text, err == nil && n.Kind == token.STRING
	case *ast.BinaryExpr:
		if n.Op != token.ADD {
			return "", false
		}
		x, literalX := textOf(n.X)
		y, literalY := textOf(n.Y)
		if !literalX {
			x = "…"
		}
		if !literalY {
			y = "…"
		}
		return x + y, literalX || literalY
	}
	return "", false
}
