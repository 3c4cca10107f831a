//go:build linux || darwin

package doctor

import "syscall"

// freeSpace returns how many bytes a user may still write below path.
func freeSpace(path string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}
