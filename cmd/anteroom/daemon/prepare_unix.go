//go:build unix

package daemon

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// writable reports whether this user can make files in dir.
func writable(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }

// userID is who this user is to chown and install.
func userID() string { return strconv.Itoa(os.Geteuid()) }
