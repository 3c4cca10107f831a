package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// harden keeps what this process remembers, keys among it, out of core dumps
// and from other programs of the same user: none may attach to it or read its
// memory. It holds until exec, so each process of ours calls it for itself.
func harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep other programs out of the memory: %w", err)
	}
	return nil
}
