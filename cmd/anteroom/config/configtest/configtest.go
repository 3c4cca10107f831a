// Package configtest helps tests that read configurations.
package configtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Write returns the name of a file with content, and mode 0600.
func Write(t testing.TB, content string) string {
	name := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
