//go:build unix

package store

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Foreign says in a sentence whose path is and what to do, if it is not the
// user's that this program runs as; nil if it is, or if nobody can see.
//
// The owner of a directory is whose the practice is, so that never changes:
// whoever comes as another user must come as that one. A single file that is
// another's came there by mistake, as when root put back a copy of it.
func Foreign(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return foreign(path, info)
}

func foreign(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return nil
	}
	us, owner, word := os.Geteuid(), int(stat.Uid), shellWord(path)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s belongs to %s, and this runs as %s: run sudo chown %s %s", path, userName(owner), userName(us), chownName(us), word)
	case owner == 0:
		return fmt.Errorf("%s belongs to root, and this runs as %s: if Anteroom runs as root, run this with sudo; if root only made or put back the directory, run sudo chown -R %s %s",
			path, userName(us), chownName(us), word)
	}
	return fmt.Errorf("%s belongs to %s, and this runs as %s: run this as that user, with sudo -u %s in front and --data-dir %s behind",
		path, userName(owner), userName(us), sudoName(owner), word)
}

// userName is what people call a user.
func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "user " + strconv.Itoa(uid)
}

// chownName and sudoName are what the two programs call one.
func chownName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return shellWord(u.Username)
	}
	return strconv.Itoa(uid)
}

func sudoName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return shellWord(u.Username)
	}
	return "'#" + strconv.Itoa(uid) + "'"
}
