package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// privateDir makes dir, or checks that only its owner, who is us, may enter.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	return private(dir, info, "700")
}

// privateDatabase checks the database file and those beside it. It reports
// whether there is nothing in it, or no such file.
func privateDatabase(path string) (empty bool, err error) {
	empty = true
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if err := private(name, info, "600"); err != nil {
			return false, err
		}
		if name == path {
			empty = info.Size() == 0
		}
	}
	return empty, nil
}

// readKey returns the root key. A key that others can read is refused, and so
// is any length but KeySize. The error is fs.ErrNotExist if there is no file.
func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	if err := private(path, info, "600"); err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	key, err := io.ReadAll(io.LimitReader(f, KeySize+1))
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	if len(key) != KeySize {
		return nil, fmt.Errorf("key file %s does not hold %d bytes: put back the one that belongs to the database", path, KeySize)
	}
	return key, nil
}

// writeKey writes the root key to path, which does not exist. When it returns,
// the key is on the disk, whole, under its name.
func writeKey(path string, key []byte) error {
	dir := filepath.Dir(path)
	err := func() error {
		f, err := os.CreateTemp(dir, ".key-*") // mode 0600
		if err != nil {
			return err
		}
		defer os.Remove(f.Name()) // after the rename: nothing
		_, err = f.Write(key)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
		if err := os.Rename(f.Name(), path); err != nil {
			return err
		}
		return syncDir(dir)
	}()
	if err != nil {
		return fmt.Errorf("make key file: %w", err)
	}
	return nil
}

// shellWord returns s so that a shell takes it as one word.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
