package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"anteroom/discovery"
	"anteroom/discovery/identity"
	"anteroom/node/polltest"
)

// A started program runs in a process of its own, in a session of its own.
type started struct {
	cmd   *exec.Cmd
	said  *bufio.Reader // its stdout
	ended chan error    // receives what Wait returned, once
	errs  string        // the file that its stderr goes to, if nothing else was said
}

// launch starts a program with what prepare does to it, and kills it at the
// latest with the test.
func launch(t *testing.T, prepare func(*exec.Cmd), name string, args ...string) *started {
	t.Helper()
	s := &started{cmd: exec.Command(name, args...), ended: make(chan error, 1), errs: filepath.Join(t.TempDir(), "stderr")}
	log, err := os.Create(s.errs)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stderr, s.cmd.SysProcAttr = log, &syscall.SysProcAttr{Setsid: true}
	s.cmd.Env = append(os.Environ(), "JOURNAL_STREAM=", "NOTIFY_SOCKET=", "INVOCATION_ID=")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s.cmd.Stdout, s.said = in, bufio.NewReader(out)
	prepare(s.cmd)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }() // ends with the program
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.end(t)
		out.Close()
	})
	return s
}

// line waits for a line on stdout that begins with prefix.
func (s *started) line(t *testing.T, prefix string) {
	t.Helper()
	late := time.AfterFunc(60*time.Second, func() { s.cmd.Process.Kill() })
	defer late.Stop()
	for {
		line, err := s.said.ReadString('\n')
		if strings.HasPrefix(line, prefix) {
			return
		}
		if err != nil {
			t.Fatalf("ended before it said %q: %v\n%s", prefix, err, s.talk())
		}
	}
}

func (s *started) talk() string {
	said, _ := os.ReadFile(s.errs)
	return string(said)
}

// end waits for the end and returns it, each time.
func (s *started) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ended:
		s.ended <- err
		return err
	case <-time.After(30 * time.Second):
		t.Fatalf("does not end\n%s", s.talk())
		return nil
	}
}

// terminal returns the two ends of a new one.
func terminal(t *testing.T) (screen, line *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	line, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { line.Close() })
	return screen, line
}

// closeTerminal does what a terminal's window does.
func closeTerminal(screen, line *os.File) {
	line.Close()
	screen.Close()
}

// TestClosedTerminalEndsGracefully: whichever of its files leads there, and if
// none does.
func TestClosedTerminalEndsGracefully(t *testing.T) {
	for name, attach := range map[string]func(*exec.Cmd, *os.File){
		"everything but stdout": func(c *exec.Cmd, f *os.File) { c.Stdin, c.Stderr = f, f },
		"stdin":                 func(c *exec.Cmd, f *os.File) { c.Stdin = f },
		"nothing":               func(c *exec.Cmd, f *os.File) { c.ExtraFiles, c.SysProcAttr.Ctty = []*os.File{f}, 3 },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			screen, line := terminal(t)
			s := launch(t, func(c *exec.Cmd) {
				c.SysProcAttr.Setctty = true
				attach(c, line)
				if name == "nothing" { // the shell has it, and passes the signal on to what it started
					c.Path, c.Args = "/bin/sh", append([]string{"sh", "-c", `trap 'kill -HUP $!; wait $!; exit $?' HUP; "$@" 3>&- & wait $!`, "sh"}, c.Args...)
				}
			}, "anteroom", "serve", "--no-open", "--data-dir", dir+"/d", "--listen", "localhost:0")
			s.line(t, "READY ")
			closeTerminal(screen, line)
			if err := s.end(t); err != nil {
				t.Errorf("ended with %v\n%s", err, s.talk())
			}
			for _, left := range []string{"control.sock", "anteroom.db-wal"} {
				if _, err := os.Stat(dir + "/d/" + left); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s is left: %v", left, err)
				}
			}
		})
	}
}

// TestDemoInAClosedTerminal leaves nothing behind.
func TestDemoInAClosedTerminal(t *testing.T) {
	dir := t.TempDir()
	screen, line := terminal(t)
	s := launch(t, func(c *exec.Cmd) {
		c.SysProcAttr.Setctty = true
		c.Stdin, c.Stderr = line, line
		c.Env = append(c.Env, "TMPDIR="+dir)
	}, "anteroom", "demo", "--output", "json")
	s.line(t, "{")
	closeTerminal(screen, line)
	if err := s.end(t); err != nil {
		t.Errorf("ended with %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestNohup: what was started to outlive its terminal does.
func TestNohup(t *testing.T) {
	dir := t.TempDir()
	screen, line := terminal(t)
	s := launch(t, func(c *exec.Cmd) {
		c.SysProcAttr.Setctty = true
		c.Stdin = line
	}, "nohup", "anteroom", "serve", "--no-open", "--data-dir", dir+"/d", "--listen", "localhost:0")
	s.line(t, "READY ")
	closeTerminal(screen, line)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("anteroom", "status", "--data-dir", dir+"/d").CombinedOutput(); err != nil {
		t.Errorf("it does not answer: %v, %s", err, out)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.end(t); err != nil {
		t.Errorf("ended with %v\n%s", err, s.talk())
	}
}

// TestLostReader: nobody reads what it says any more, and it goes on.
func TestLostReader(t *testing.T) {
	dir := t.TempDir()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	s := launch(t, func(c *exec.Cmd) { c.Stdout, c.Stderr = write, write },
		"anteroom", "serve", "--no-open", "--data-dir", dir+"/d", "--listen", "localhost:0", "--log-level", "debug")
	write.Close()
	for heard := bufio.NewReader(read); ; {
		line, err := heard.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "READY ") {
			break
		}
	}
	read.Close()
	for range 3 {
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil { // which is logged
			t.Fatal(err)
		}
		if out, err := exec.Command("anteroom", "doctor", "--data-dir", dir+"/d").CombinedOutput(); err != nil {
			t.Fatalf("it does not answer: %v, %s", err, out)
		}
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.end(t); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// TestHangupReadsAgain: a service takes up its peers and the level of its log,
// and says what it cannot take up.
func TestHangupReadsAgain(t *testing.T) {
	key, err := identity.LoadOrCreate(filepath.Join(t.TempDir(), "identity.key"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := discovery.New(discovery.Config{Identity: key})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	card, err := other.Card("Other practice")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	tell := func(format string, args ...any) {
		t.Helper()
		text := fmt.Sprintf("{data_dir: %s/d, http: {listen: [\"localhost:0\"]}, "+format+"}", append([]any{dir}, args...)...)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tell("log: {level: error}")
	s := launch(t, func(*exec.Cmd) {}, "anteroom", "serve", "--no-open", "--config", file)
	s.line(t, "READY ")
	hangUp := func(until string) {
		t.Helper()
		before := strings.Count(s.talk(), until)
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		polltest.Eventually(t, until, func() bool { return strings.Count(s.talk(), until) > before })
	}
	peers := func() string {
		out, err := exec.Command("anteroom", "peer", "list", "--data-dir", dir+"/d").CombinedOutput()
		if err != nil {
			t.Fatalf("%v, %s", err, out)
		}
		return string(out)
	}
	configuration := func() string {
		out, _ := exec.Command("anteroom", "doctor", "--data-dir", dir+"/d").CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "Configuration:") {
				return line
			}
		}
		return string(out)
	}

	tell("log: {level: info}, discovery: {peers: [%q]}", card)
	if got := configuration(); !strings.HasPrefix(got, "warn") {
		t.Errorf("before it was told: %s", got)
	}
	hangUp("configuration read again")
	if got := peers(); !strings.Contains(got, "Other practice") || !strings.Contains(got, other.ID().String()) {
		t.Errorf("not taken up: %s", got)
	}
	if got := configuration(); !strings.HasPrefix(got, "pass") {
		t.Errorf("all was taken up: %s", got)
	}

	tell("log: {level: info}, discovery: {lan: maybe}")
	hangUp("it has a problem: see anteroom config check")
	if got := peers(); !strings.Contains(got, "Other practice") {
		t.Errorf("a bad configuration changed something: %s", got)
	}

	tell("log: {level: info}, relay: {max_mbit: 5}")
	hangUp("restart Anteroom")
	if got := peers(); strings.Contains(got, "Other practice") {
		t.Errorf("a peer that is gone is still known: %s", got)
	}
	if got := configuration(); !strings.HasPrefix(got, "warn") {
		t.Errorf("it has not taken up relay.max_mbit: %s", got)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.end(t); err != nil {
		t.Errorf("ended with %v\n%s", err, s.talk())
	}
}

// TestSetUpAddressStaysOutOfTheJournal: it opens the practice to whoever reads.
func TestSetUpAddressStaysOutOfTheJournal(t *testing.T) {
	for _, manager := range []string{"JOURNAL_STREAM=9:1234", "NOTIFY_SOCKET=/nonexistent", "INVOCATION_ID=5ee23", ""} {
		dir := t.TempDir()
		s := launch(t, func(c *exec.Cmd) { c.Env = append(c.Env, manager) },
			"anteroom", "serve", "--no-open", "--data-dir", dir+"/d", "--listen", "localhost:0")
		s.line(t, "READY ")
		if written := strings.Contains(s.talk(), "#launch="); written != (manager == "") {
			t.Errorf("%q: written: %v\n%s", manager, written, s.talk())
		}
		if !strings.Contains(s.talk(), "anteroom open") && manager != "" {
			t.Errorf("%q: it does not say what to do:\n%s", manager, s.talk())
		}
		if out, err := exec.Command("anteroom", "open", "--data-dir", dir+"/d").Output(); err != nil || !strings.Contains(string(out), "#launch=") {
			t.Errorf("open: %v, %s", err, out)
		}
	}
}
