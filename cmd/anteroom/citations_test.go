package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// citation is a document, and perhaps one or two of its headings: "X.md",
	// "X.md, "Heading"", "X.md, "One" and "Two"". A line of a comment may end
	// between any two words of it.
	citation = regexp.MustCompile(`([A-Za-z_][A-Za-z_/]*)\.md\b(?:,?(?: section)? ([0-9][0-9.]*))?(?:, "([^"]+)"(?: and "([^"]+)")?)?`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	wrapped  = regexp.MustCompile(`\n[\t ]*(?://|\*|#)+ ?`)
)

// Where each document is that sources may cite by its name alone.
var documents = map[string]string{"PROTOCOL": "rendezvous/PROTOCOL", "README": "README", "SECURITY": "SECURITY", "ARCHITECTURE": "ARCHITECTURE", "CHANGES": "CHANGES"}

// What the sources cite can be opened, and has the heading that they name.
func TestCitedDocumentsAreHere(t *testing.T) {
	const root = "../.."
	headings := map[string][]string{}
	cited := 0
	eachFile(t, root, func(path, content string) {
		if !slices.Contains([]string{".go", ".js", ".mjs", ".yaml"}, filepath.Ext(path)) || filepath.Base(path) == "citations_test.go" {
			return
		}
		text := wrapped.ReplaceAllString(content, " ")
		for _, m := range citation.FindAllStringSubmatch(text, -1) {
			name := m[1]
			if at, ok := documents[name]; ok {
				name = at
			}
			if beside := filepath.Join(filepath.Dir(path), m[1]+".md"); m[1] != "PROTOCOL" && exists(beside) {
				name, _ = filepath.Rel(root, strings.TrimSuffix(beside, ".md"))
			}
			if _, ok := headings[name]; !ok {
				content, err := os.ReadFile(filepath.Join(root, name+".md"))
				if err != nil {
					t.Errorf("%s cites %s.md, which is not here", path, m[1])
					continue
				}
				headings[name] = []string{}
				for _, h := range heading.FindAllStringSubmatch(string(content), -1) {
					headings[name] = append(headings[name], strings.ReplaceAll(h[1], "`", ""))
				}
			}
			if m[2] != "" {
				t.Errorf("%s cites section %s of %s.md, whose headings have no numbers", path, m[2], m[1])
			}
			for _, h := range m[3:] {
				if h == "" {
					continue
				}
				cited++
				if !slices.ContainsFunc(headings[name], func(is string) bool { return is == h || strings.HasPrefix(is, h+": ") }) {
					t.Errorf("%s cites %q, which is no heading of %s.md", path, h, m[1])
				}
			}
		}
	})
	if cited < 40 {
		t.Errorf("found %d citations of headings: the pattern no longer finds them", cited)
	}
}

// eachFile gives do the content of each source and document of the project.
func eachFile(t *testing.T, root string, do func(path, content string)) {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", "node_modules", "vendor", "bin", "out"}, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.Contains([]string{".go", ".js", ".mjs", ".yaml", ".md"}, filepath.Ext(path)) {
			return nil
		}
		content, err := os.ReadFile(path)
		if err == nil {
			do(path, string(content))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// Each stay of the walks in ARCHITECTURE.md is a file that is here, and a name
// that stands in it.
func TestWalksGoWhereTheySay(t *testing.T) {
	const root = "../.."
	content, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, walks, _ := strings.Cut(string(content), "\n## Four walks\n")
	walks, _, _ = strings.Cut(walks, "\n## ")
	stays := regexp.MustCompile("`([a-z0-9_/.-]+\\.(?:go|js)): (\\w+)`").FindAllStringSubmatch(walks, -1)
	if len(stays) < 30 {
		t.Errorf("%d stays: the pattern no longer finds them", len(stays))
	}
	for _, stay := range stays {
		source, err := os.ReadFile(filepath.Join(root, stay[1]))
		if err != nil {
			t.Error(err)
		} else if !regexp.MustCompile(`\b` + stay[2] + `\b`).Match(source) {
			t.Errorf("%s has no %s", stay[1], stay[2])
		}
	}
}

// Each Go test that a document names, as what holds a promise, is there.
func TestNamedTestsAreHere(t *testing.T) {
	const root = "../.."
	there := map[string]bool{}
	documents := map[string]string{}
	name := regexp.MustCompile(`\bTest[A-Z]\w+`)
	eachFile(t, root, func(path, content string) {
		if filepath.Ext(path) == ".md" {
			documents[path] = content
		}
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(content, -1) {
			there[m[1]] = true
		}
	})
	named := 0
	for path, text := range documents {
		for _, test := range name.FindAllString(text, -1) {
			named++
			if !there[test] {
				t.Errorf("%s names %s, which is not here", path, test)
			}
		}
	}
	if named < 100 {
		t.Errorf("%d tests are named: the pattern no longer finds them", named)
	}
}
