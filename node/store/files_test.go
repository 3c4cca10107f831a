//go:build unix

package store

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	before := syscall.Umask(0) // the least helpful one
	defer syscall.Umask(before)
	dir := newDir(t)
	s := mustOpen(t, dir)
	mustPut(t, s, "k", []byte("v"))
	seen := map[string]bool{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		seen[filepath.Base(path)] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"anteroom.db", "anteroom.db-wal", "anteroom.db-shm", "anteroom.db.lock", "store.key"} {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
	if len(seen) != 6 { // those and the directory
		t.Errorf("unexpected files: %v", seen)
	}
}

func TestLooseModesAreRefusedWithTheFix(t *testing.T) {
	for _, tt := range []struct {
		name  string
		loose os.FileMode
		fix   string
	}{
		{"", 0o750, "chmod 700 "},
		{"", 0o701, "chmod 700 "},
		{"store.key", 0o640, "chmod 600 "},
		{"store.key", 0o604, "chmod 600 "},
		{"anteroom.db", 0o644, "chmod 600 "},
		{"anteroom.db", 0o620, "chmod 600 "},
		{"anteroom.db-wal", 0o640, "chmod 600 "},
		{"anteroom.db-shm", 0o640, "chmod 600 "},
	} {
		t.Run(tt.name+tt.loose.String(), func(t *testing.T) {
			dir := newDir(t)
			mustOpen(t, dir).mustClose(t)
			path := filepath.Join(dir, tt.name)
			if strings.HasSuffix(tt.name, "-wal") || strings.HasSuffix(tt.name, "-shm") {
				if err := os.WriteFile(path, nil, 0o600); err != nil { // as after a crash
					t.Fatal(err)
				}
			}
			if err := os.Chmod(path, tt.loose); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), config(dir))
			if err == nil || !strings.Contains(err.Error(), tt.fix+path) {
				t.Fatalf("got %v, want %s%s", err, tt.fix, path)
			}
			tight := os.FileMode(0o600)
			if tt.name == "" {
				tight = 0o700
			}
			if err := os.Chmod(path, tight); err != nil {
				t.Fatal(err)
			}
			mustOpen(t, dir)
		})
	}
}

func TestFilesOfAnotherUserAreRefused(t *testing.T) {
	dir := newDir(t)
	mustOpen(t, dir).mustClose(t)
	path := filepath.Join(dir, "store.key")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat := *info.Sys().(*syscall.Stat_t)
	stat.Uid++
	us := "chown " + chownName(os.Geteuid()) + " " + path
	err = private(path, foreignFile{info, &stat}, "600")
	if err == nil || !strings.Contains(err.Error(), us) {
		t.Errorf("got %v, want %s", err, us)
	}
}

// TestDirectoryOfAnotherUser: its owner keeps it, as a service's user must.
func TestDirectoryOfAnotherUser(t *testing.T) {
	dir := t.TempDir()
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	for owner, want := range map[uint32]string{
		uint32(os.Geteuid()) + 1: "run this as that user, with sudo -u",
		54321:                    "sudo -u '#54321'",
	} {
		stat := *info.Sys().(*syscall.Stat_t)
		stat.Uid = owner
		err := private(dir, foreignFile{info, &stat}, "700")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "chown") {
			t.Errorf("owner %d: got %v, want %s and no chown", owner, err, want)
		}
	}
}

// foreignFile is a file of another user.
type foreignFile struct {
	os.FileInfo
	stat *syscall.Stat_t
}

func (f foreignFile) Sys() any { return f.stat }

func TestKeyFile(t *testing.T) {
	write := func(t *testing.T, path string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fresh := func(t *testing.T) (dir, key string) {
		dir = newDir(t)
		mustOpen(t, dir).mustClose(t)
		return dir, filepath.Join(dir, "store.key")
	}
	other := make([]byte, KeySize)
	rand.Read(other)

	t.Run("wrong", func(t *testing.T) {
		dir, key := fresh(t)
		right, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, key, other)
		if _, err := Open(t.Context(), config(dir)); !errors.Is(err, ErrWrongKey) || !strings.Contains(err.Error(), key) {
			t.Errorf("got %v, want ErrWrongKey naming the file", err)
		}
		write(t, key, right)
		mustOpen(t, dir)
	})
	t.Run("missing", func(t *testing.T) {
		dir, key := fresh(t)
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), config(dir)); err == nil || !strings.Contains(err.Error(), "put it back") {
			t.Errorf("got %v, want the missing key named", err)
		}
		if _, err := os.Stat(key); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a new key took the place of the lost one, %v", err)
		}
	})
	t.Run("wrong length", func(t *testing.T) {
		for _, n := range []int{0, 31, 33, 64} {
			dir, key := fresh(t)
			write(t, key, make([]byte, n))
			if _, err := Open(t.Context(), config(dir)); err == nil || !strings.Contains(err.Error(), "32 bytes") {
				t.Errorf("%d bytes: got %v", n, err)
			}
		}
	})
	t.Run("elsewhere and read-only", func(t *testing.T) {
		dir, key := newDir(t), filepath.Join(t.TempDir(), "root")
		cfg := config(dir)
		cfg.KeyFile = key
		var made []byte
		for range 2 {
			s, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			s.mustClose(t)
			got, err := os.ReadFile(key)
			if err != nil || made != nil && !bytes.Equal(got, made) {
				t.Errorf("the key was changed, %v", err)
			}
			made = got
			if err := os.Chmod(key, 0o400); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "store.key")); err == nil {
			t.Error("a second key was made")
		}
	})
	t.Run("first run was cut short", func(t *testing.T) {
		dir := newDir(t)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "anteroom.db"), nil) // made, and then the power went
		mustOpen(t, dir)
	})
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b-c_d.e+1": "/a/b-c_d.e+1",
		"/a b":         "'/a b'",
		"/it's":        `'/it'\''s'`,
		"/$(x)":        "'/$(x)'",
		"":             "''",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
