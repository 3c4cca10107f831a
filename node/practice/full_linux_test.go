package practice

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"anteroom/node/people"
)

// fullDirEnv tells a child that it may mount a small disk there.
const fullDirEnv = "ANTEROOM_TEST_FULL_DIR"

// onSmallDisk runs the rest of the test in a child of its own, on a disk of 8 MB
// that nobody else sees, and returns true in that child.
func onSmallDisk(t *testing.T) (dir string, inside bool) {
	t.Helper()
	if dir := os.Getenv(fullDirEnv); dir != "" {
		must(t, syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
		must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=700"))
		return dir, true
	}
	program, err := os.Executable()
	must(t, err)
	child := exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), fullDirEnv+"="+t.TempDir())
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		child.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		child.SysProcAttr.AmbientCaps = []uintptr{21} // CAP_SYS_ADMIN, within its own namespace
	}
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return "", false
}

// fillDisk leaves no block free.
func fillDisk(t *testing.T, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	f, err := os.OpenFile(ballast, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer f.Close()
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return ballast
}

// TestAFullDiskTakesNothingAway: what must not wait is done with what was set
// aside, what can wait is refused by name, and nothing is lost.
func TestAFullDiskTakesNothingAway(t *testing.T) {
	disk, inside := onSmallDisk(t)
	if !inside {
		return
	}
	f := newEmpty(t)
	must(t, f.Close())
	f.dir = filepath.Join(disk, "data")
	f.open()
	var err error
	f.who, err = f.People.SetUp(t.Context(), people.SetUp{Practice: "Riverside Practice", Name: "Dr. Ada Lee", Password: goodPassword})
	must(t, err)
	var made []Made
	for range 20 {
		made = append(made, f.create("Ann", "Ben"))
	}
	ballast := fillDisk(t, disk)

	for err == nil { // the log may have had some room
		_, err = f.Create(t.Context(), f.who.ID, New{Starts: f.Now().Add(time.Hour), Minutes: 30, Guests: []string{"Col"}})
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	f.set(made[0].Opens())
	for i, a := range made {
		ann, ben := a.Invites[0].Member, a.Invites[1].Member
		must(t, f.Revoke(t.Context(), f.who.ID, ben))
		must(t, f.Bind(t.Context(), ann, device(i)))
		must(t, f.MarkAdmitted(t.Context(), ann))
		_, err := f.People.Authenticate(t.Context(), "", goodPassword)
		must(t, err)
		must(t, f.People.Sessions().Commit("token", []byte("x"), f.Now().Add(time.Hour)))
		if i%2 == 0 {
			_, err := f.Rotate(t.Context(), f.who.ID, ann)
			must(t, err)
			must(t, f.Cancel(t.Context(), f.who.ID, a.ID))
		}
	}

	// It stops, and starts again, with nothing free.
	if err := f.Close(); err != nil {
		t.Errorf("stop: %v", err)
	}
	fillDisk(t, disk)
	if err := f.tryOpen(); errors.Is(err, ErrFull) {
		must(t, os.Remove(ballast))
		f.open()
	} else {
		must(t, err)
		must(t, os.Remove(ballast))
	}
	for i, a := range made {
		got := f.reread(a.ID)
		if got.Damaged || got.Cancelled != (i%2 == 0) || got.Invites[1].State != InviteRevoked {
			t.Errorf("got %+v", got)
		}
	}
	must(t, f.Check(t.Context()))
	f.events()

	// With room again, some is set aside again.
	f.reopen()
	if info, err := os.Stat(filepath.Join(f.dir, "anteroom.reserve")); err != nil || info.Size() != 1<<20 {
		t.Errorf("nothing is set aside: %v", err)
	}
}
