package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// checkYAML reports whatever in content does not fit cfg, a pointer to a
// struct: keys that it does not have, keys given twice, values of another type.
// viper's UnmarshalExact comes after it and would miss some of these: a wrong
// key without a value, the first of two equal keys, a duration without a unit.
func checkYAML(file string, content []byte, cfg any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var doc, second yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil // empty, or comments only
	} else if err != nil {
		return fmt.Errorf("%s: %w", file, err) // has the line
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: has more than one document: keep the first, remove the rest from the line ---", file)
	}
	w := yamlWalk{file: file}
	w.each(reflect.ValueOf(cfg).Elem(), "", func(path string) { w.paths = append(w.paths, path) })
	if root := doc.Content[0]; root.Tag != "!!null" {
		w.value(root, "", reflect.TypeOf(cfg).Elem())
	}
	return errors.Join(w.problems...)
}

type yamlWalk struct {
	file     string
	paths    []string // of every key, sections included
	problems []error
}

// each calls do with the path of every key below v.
func (w *yamlWalk) each(v reflect.Value, prefix string, do func(path string)) {
	for i := range v.NumField() {
		path := prefix + yamlName(v.Type().Field(i))
		do(path)
		if v.Field(i).Kind() == reflect.Struct {
			w.each(v.Field(i), path+".", do)
		}
	}
}

func (w *yamlWalk) problem(at *yaml.Node, path, format string, args ...any) {
	says := fmt.Sprintf(format, args...)
	if path != "" {
		says = path + ": " + says
	}
	w.problems = append(w.problems, fmt.Errorf("%s:%d: %s", w.file, at.Line, says))
}

// value checks that node can become a value of type t.
func (w *yamlWalk) value(node *yaml.Node, path string, t reflect.Type) {
	switch {
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		w.problem(node, path, "anchors and aliases are not read here: write the value out")
	case t.Kind() == reflect.Struct:
		if node.Kind != yaml.MappingNode {
			w.problem(node, path, "must have keys below it, indented: put one there or remove this")
			return
		}
		w.mapping(node, path, t)
	case t.Kind() == reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			w.problem(node, path, `must be a list: [] or ["one", "two"]`)
			return
		}
		for i, item := range node.Content {
			w.value(item, fmt.Sprintf("%s[%d]", path, i), t.Elem())
		}
	case node.Kind != yaml.ScalarNode:
		w.problem(node, path, "must be a single value")
	case node.Tag == "!!null":
		w.problem(node, path, "has no value: give it one or remove the line")
	case t == reflect.TypeFor[time.Duration]():
		if _, err := time.ParseDuration(node.Value); err != nil || node.Tag != "!!str" {
			w.problem(node, path, "must be a duration with its unit, such as 30s, 5m or 1h30m")
		}
	case t.Kind() == reflect.Bool:
		if node.Tag != "!!bool" {
			w.problem(node, path, "must be true or false, without quotes")
		}
	case t.Kind() == reflect.Int:
		if node.Tag != "!!int" {
			w.problem(node, path, "must be a whole number, without quotes")
		}
	default: // text: the only other kind there is
		if node.Tag != "!!str" {
			w.problem(node, path, "must be text: put it in quotes")
		}
	}
}

func (w *yamlWalk) mapping(node *yaml.Node, path string, t reflect.Type) {
	known := make(map[string]reflect.Type)
	for i := range t.NumField() {
		known[yamlName(t.Field(i))] = t.Field(i).Type
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		below := strings.TrimPrefix(path+"."+key.Value, ".")
		field, ok := known[key.Value]
		switch first, twice := seen[key.Value]; {
		case !ok:
			w.problem(key, below, "unknown key%s", DidYouMean(below, w.paths))
		case twice:
			w.problem(key, below, "given twice, first in line %d: remove one", first)
		default:
			seen[key.Value] = key.Line
			w.value(value, below, field)
		}
	}
}

// DidYouMean returns the end of a sentence about an unknown name: the known
// one that it was probably meant to be, or nothing.
func DidYouMean(name string, known []string) string {
	leaf := name[strings.LastIndex(name, ".")+1:]
	best, least := "", 1+min(max(len(leaf)/2, 1), 3) // so many slips of the pen, fewer in a short word
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf(", did you mean %s?", best)
	}
	// The right key in the wrong place, such as listen at the top.
	elsewhere := slices.DeleteFunc(slices.Clone(known), func(k string) bool {
		return k != leaf && !strings.HasSuffix(k, "."+leaf)
	})
	if len(elsewhere) > 0 {
		return fmt.Sprintf(", did you mean %s?", strings.Join(elsewhere, " or "))
	}
	return ""
}

// distance returns how many letters must be put in, taken out or replaced to
// turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
