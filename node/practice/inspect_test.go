package practice

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anteroom/node/store"
)

// TestInspectFindsWhatOpenWould looks at a practice that is not open, and at
// what may have become of it.
func TestInspectFindsWhatOpenWould(t *testing.T) {
	for _, tt := range []struct {
		what    string
		queries []string
		harm    func(*testing.T, string)
		want    error
		words   string
	}{
		{what: "whole"},
		{what: "another key", want: store.ErrWrongKey, harm: func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "store.key"), bytes.Repeat([]byte{7}, store.KeySize), 0o600))
		}},
		{what: "no database", want: store.ErrNoDatabase, harm: func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, "anteroom.db")))
		}},
		{what: "a newer schema", queries: []string{"PRAGMA user_version = 99"}, words: "newer Anteroom"},
		{what: "a damaged record", queries: []string{"UPDATE appointment SET plan = x'00'"}, words: "1 of "},
		{what: "a changed trail", queries: []string{"DROP TRIGGER audit_stays", "UPDATE audit SET entry = x'00' WHERE seq = 2"}, words: "entry 2 was changed"},
		{what: "not closed and without its log", queries: []string{"UPDATE lineage SET open = 1"}, want: store.ErrLogMissing},
	} {
		t.Run(tt.what, func(t *testing.T) {
			f := newFixture(t)
			f.create("Ann")
			f.tamper(tt.queries...)
			if tt.harm != nil {
				tt.harm(t, f.dir)
			}
			for _, name := range []string{"anteroom.db-wal", "anteroom.db-shm"} { // of tampering
				os.Remove(filepath.Join(f.dir, name))
			}
			before := f.names()
			p, err := Inspect(t.Context(), Config{Dir: f.dir})
			if err == nil {
				err = errors.Join(p.Check(t.Context()), p.Trail.Check(t.Context()), p.Leave())
			}
			switch {
			case tt.want == nil && tt.words == "" && err != nil,
				tt.want != nil && !errors.Is(err, tt.want),
				tt.words != "" && (err == nil || !strings.Contains(err.Error(), tt.words)):
				t.Errorf("got %v, want %v %q", err, tt.want, tt.words)
			}
			if after := f.names(); after != before {
				t.Errorf("there was %s, and now %s", before, after)
			}
		})
	}
}

// names lists the files of the practice.
func (f *fixture) names() string {
	f.t.Helper()
	entries, err := os.ReadDir(f.dir)
	must(f.t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}
