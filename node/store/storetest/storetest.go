// Package storetest is what tests of records do to a database: whatever somebody
// can who has the file, and not its key.
package storetest

import (
	"database/sql"
	"path/filepath"
	"testing"

	"anteroom/node/store"
)

// Open opens the store in dir, or makes a new one there.
func Open(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Tamper runs queries on the database in dir, which is not open.
func Tamper(t testing.TB, dir string, queries ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "anteroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, query := range queries {
		if _, err := db.Exec(query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}
