package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// planned is what there is of package config for the others: plans, how they
// come about, and what one may ask of a flag.
var planned = []string{
	"AddFileFlags", "AddServeFlags", "Bound", "DidYouMean", "Dir", "IsLoopbackHost", "Load", "Loopback", "Passing", "Plan", "TLSBehindProxy", "TLSFiles", "TLSOff",
}

// readers turn what somebody wrote into what it means, by the package that has
// them.
var readers = map[string][]string{
	"net":                                   {"ParseIP", "ParseCIDR", "SplitHostPort"},
	"net/netip":                             {"ParseAddr", "ParseAddrPort", "ParsePrefix"},
	"net/url":                               {"Parse", "ParseRequestURI"},
	"github.com/libp2p/go-libp2p/core/peer": {"Decode", "AddrInfoFromString"},
	"github.com/multiformats/go-multiaddr":  {"NewMultiaddr", "StringCast"},
}

// TestOnlyConfigReadsWhatIsConfigured: the others go by a plan. None of them
// sees a Config, and the daemon reads none of what was written in it again.
func TestOnlyConfigReadsWhatIsConfigured(t *testing.T) {
	files := token.NewFileSet()
	seen := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && (entry.Name() == "config" || isTestSupport(entry.Name())) {
			return skip(err)
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		imported := make(map[string]string)
		for _, i := range file.Imports {
			from, _ := strconv.Unquote(i.Path.Value)
			name := from[strings.LastIndex(from, "/")+1:]
			if i.Name != nil {
				name = i.Name.Name
			}
			imported[name] = from
		}
		ast.Inspect(file, func(n ast.Node) bool {
			selected, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			of, ok := selected.X.(*ast.Ident)
			if !ok {
				return true
			}
			from, what := imported[of.Name], selected.Sel.Name
			if from == module+"cmd/anteroom/config" {
				seen++
				if !slices.Contains(planned, what) {
					t.Errorf("%s uses config.%s", files.Position(n.Pos()), what)
				}
			}
			if filepath.Dir(path) == "daemon" && slices.Contains(readers[from], what) {
				t.Errorf("%s reads with %s.%s", files.Position(n.Pos()), of.Name, what)
			}
			return true
		})
		return nil
	})
	if err != nil || seen < len(planned) {
		t.Errorf("%d uses of package config found, %v", seen, err)
	}
}

// skip is err, or that a folder is not looked into.
func skip(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}
