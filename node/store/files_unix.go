//go:build unix

package store

import (
	"fmt"
	"io/fs"
	"os"
)

// private fails if anyone but us owns the file or may do anything with it.
// The error names the command that mends it; mode is its argument.
func private(path string, info fs.FileInfo, mode string) error {
	if err := foreign(path, info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to other users (mode %04o): run chmod %s %s", path, info.Mode().Perm(), mode, shellWord(path))
	}
	return nil
}

// syncDir puts the names in dir on the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
