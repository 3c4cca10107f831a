package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nobody is a user who is not root, whatever the tests run as.
const nobody = 65534

// asOrdinaryUser makes cmd run as one.
func asOrdinaryUser(cmd *exec.Cmd) {
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

// start starts this program with args as an ordinary user: root may look into
// every process. It returns the process and what it says first on stdout.
func start(t *testing.T, dir string, args ...string) (pid int, said *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...) // whose folder may be closed to that user
	cmd.Args[0] = "anteroom"
	cmd.Dir, cmd.Env = "/", []string{"HOME=" + dir}
	asOrdinaryUser(cmd)
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	stdin, err := cmd.StdinPipe() // a media process goes when this ends
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process.Pid, bufio.NewScanner(stdout)
}

// TestNoCoreDumpsAndNobodyLooksIn: the kernel gives the files of a process that
// cannot be attached to to root, and refuses their memory to its own user.
func TestNoCoreDumpsAndNobodyLooksIn(t *testing.T) {
	dir, err := os.MkdirTemp("", "anteroom-harden-") // not t.TempDir, which is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	noCores := regexp.MustCompile(`(?m)^Max core file size +0 +0 +bytes`)
	for name, args := range map[string][]string{
		"daemon": {"serve", "--no-open", "--data-dir", dir + "/data", "--listen", "localhost:0"},
		"media":  {mediaName},
	} {
		t.Run(name, func(t *testing.T) {
			pid, said := start(t, dir, args...)
			if name == "daemon" && (!said.Scan() || !strings.HasPrefix(said.Text(), "READY ")) {
				t.Fatalf("not ready: %q", said.Text())
			}
			proc := fmt.Sprintf("/proc/%d/", pid)
			var limits []byte
			var owner uint32
			for late := time.Now().Add(20 * time.Second); time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
				limits, err = os.ReadFile(proc + "limits")
				if err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(proc + "mem")
				if err != nil {
					t.Fatal(err)
				}
				if owner = info.Sys().(*syscall.Stat_t).Uid; owner == 0 && noCores.Match(limits) {
					break
				}
			}
			if owner != 0 {
				t.Errorf("its memory is user %d's to read", owner)
			}
			if !noCores.Match(limits) {
				t.Errorf("core dumps are allowed:\n%s", limits)
			}
			if status, err := os.ReadFile(proc + "status"); err != nil || strings.Contains(string(status), "Uid:\t0") {
				t.Errorf("the process is root's, so this says nothing: %v", err)
			}
			look := exec.Command("/bin/cat", proc+"mem", proc+"environ")
			asOrdinaryUser(look)
			if out, err := look.CombinedOutput(); strings.Count(string(out), "Permission denied") != 2 {
				t.Errorf("its own user may read it: %v, %q", err, out)
			}
		})
	}
}
