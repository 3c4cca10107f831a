package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"anteroom/node/practice"
	"anteroom/node/store"
)

func TestRecords(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "d")
	expect(t, newRun(t, Config{DataDir: dir}).store(ctx), Skip, "There are no records yet.", "")
	p, err := practice.Open(ctx, practice.Config{Dir: dir})
	check(t, err)
	running := Config{Running: true, DataDir: dir, Records: p.Check}
	expect(t, newRun(t, running).store(ctx), Pass, "The records can be read, are whole, and are for you alone.", "")

	for name, mode := range map[string][2]os.FileMode{"": {0o755, 0o700}, "store.key": {0o644, 0o600}, "anteroom.db": {0o640, 0o600}} {
		path := filepath.Join(dir, name)
		check(t, os.Chmod(path, mode[0]))
		expect(t, newRun(t, running).store(ctx), Fail, fmt.Sprintf("is open to other users (mode %04o).", mode[0]), fmt.Sprintf("Run chmod %03o %s.", mode[1], path))
		check(t, os.Chmod(path, mode[1]))
	}
	check(t, os.Rename(filepath.Join(dir, "store.key"), filepath.Join(dir, "lost")))
	expect(t, newRun(t, running).store(ctx), Fail, "The records cannot be read: key file", "Look at the files in ")
	check(t, os.Rename(filepath.Join(dir, "lost"), filepath.Join(dir, "store.key")))
	check(t, p.Close())

	// A disk that returns something else than was written.
	file := filepath.Join(dir, "anteroom.db")
	content, err := os.ReadFile(file)
	check(t, err)
	copy(content[len(content)/2:], bytes.Repeat([]byte{0x5a}, 3*4096))
	p, err = practice.Open(ctx, practice.Config{Dir: dir})
	check(t, err)
	defer p.Close()
	running.Records = p.Check
	busy, cancel := context.WithCancel(ctx)
	cancel()
	expect(t, newRun(t, running).store(busy), Warn, "This check did not end in time.", "how busy this computer and its network are")
	check(t, os.WriteFile(file, content, 0o600))
	expect(t, newRun(t, running).store(ctx), Fail, "The database with your records is damaged", "restore the last good backup")

	running.Records = func(context.Context) error { return &store.UnreadableError{Damaged: 2, All: 40} }
	expect(t, newRun(t, running).store(ctx), Fail, "2 of 40 records cannot be opened", "make them again")
	running.Records = nil
	expect(t, newRun(t, running).store(ctx), Skip, "what is in them was not looked at", "")
}

func TestDiskSpace(t *testing.T) {
	expect(t, judgeSpace(19<<20), Fail, "The disk is full: 19 MB are free, and appointments cannot be kept.", "Delete what is not needed")
	expect(t, judgeSpace(199<<20), Warn, "The disk is nearly full: 199 MB are free.", "Delete")
	expect(t, judgeSpace(5<<30), Pass, "5120 MB are free for the records.", "")
	expect(t, newRun(t, Config{DataDir: ""}).disk(t.Context()), Warn, "How much space is free cannot be seen: no such file or directory.", "Look at the disk")
	if runtime.GOOS == "linux" { // where this is a disk that has no space
		expect(t, newRun(t, Config{DataDir: "/proc"}).disk(t.Context()), Fail, "The disk is full: 0 MB are free, and appointments cannot be kept.", "Delete what is not needed")
	}
	if got := newRun(t, Config{DataDir: t.TempDir() + "/not/yet"}).disk(t.Context()); got.status == Skip || !strings.Contains(english(got.found), " MB are free") {
		t.Errorf("%+v", got)
	}
}

func TestPorts(t *testing.T) {
	ctx := t.Context()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	free := fmt.Sprintf("127.0.0.1:%d", nobody(t))
	taken := Port{"http.public_listen", "patients", "tcp", l.Addr().String()}
	expect(t, newRun(t, Config{Ports: []Port{taken}}).ports(ctx), Fail,
		"Address "+taken.Addr+" (TCP), which the patients' page needs, is in use by another program.", `See with "ss -lntup" which one; stop it or change http.public_listen`)
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	defer u.Close()
	expect(t, newRun(t, Config{Ports: []Port{{"relay.listen", "relay", "udp", u.LocalAddr().String()}}}).ports(ctx), Fail,
		"Address "+u.LocalAddr().String()+" (UDP), which the relay needs, is in use by another program.", "stop it or change relay.listen")
	expect(t, newRun(t, Config{Ports: []Port{{"http.listen", "page", "tcp", "127.0.0.1:99999"}}}).ports(ctx), Fail,
		"Address 127.0.0.1:99999 (TCP), which your page needs, cannot be used: ", "Change http.listen.")
	expect(t, newRun(t, Config{Ports: []Port{{"relay.listen", "relay", "udp", "192.0.2.1:3478"}}}).ports(ctx), Fail,
		"Address 192.0.2.1:3478 (UDP), which the relay needs, is not one of this computer.", "Change relay.listen.")
	expect(t, cannotBind(taken, &net.OpError{Err: os.NewSyscallError("bind", syscall.EACCES)}), Fail, "is not for every program.", "setcap")
	expect(t, newRun(t, Config{Ports: []Port{{"a", "page", "tcp", free}, {"b", "relay", "udp", free}}}).ports(ctx), Pass,
		"Nothing is in the way for your page at "+free+" (TCP) and for the relay at "+free+" (UDP).", "")
	expect(t, newRun(t, Config{Running: true, Ports: []Port{taken}}).ports(ctx), Pass, "Anteroom listens for the patients' page at "+taken.Addr+" (TCP).", "")
}

func TestConfiguration(t *testing.T) {
	ctx := t.Context()
	running := true
	says := func(changed bool, err error) *run {
		return newRun(t, Config{Running: running, Configuration: func() (bool, error) { return changed, err }})
	}
	expect(t, says(false, nil).configuration(ctx), Pass, "The configuration has no problem.", "")
	expect(t, says(true, nil).configuration(ctx), Warn, "was changed after Anteroom started", "Restart Anteroom.")
	expect(t, says(false, errors.New("a: is bad")).configuration(ctx), Warn, "has a problem: a: is bad; Anteroom goes on with the old one, and would not start again.", "Correct it")
	running = false
	expect(t, says(false, errors.New("a: is bad")).configuration(ctx), Fail, "The configuration has a problem: a: is bad.", `"anteroom config check"`)
	expect(t, says(false, errors.New("a: is bad\nb: is worse")).configuration(ctx), Fail, "has 2 problems, of which the first is: a: is bad.", "See all of them")
	report := Unreadable(errors.New("http.listen: is empty"))
	if report.Ready || english(report.Summary) != "Anteroom cannot start: The configuration has a problem: http.listen: is empty." {
		t.Errorf("%+v", report)
	}
}

func TestAuditTrail(t *testing.T) {
	dir := records(t)
	cfg := Config{Running: true, DataDir: dir}
	expect(t, newRun(t, cfg).audit(t.Context()), Skip, "The audit trail was not looked at.", "")
	cfg.Audit = func(context.Context) error { return nil }
	expect(t, newRun(t, cfg).audit(t.Context()), Pass, "The audit trail is as it was recorded.", "")
	cfg.Audit = func(context.Context) error {
		return fmt.Errorf("verify: %w", &store.TrailError{Seq: 3, Was: "is missing"})
	}
	expect(t, newRun(t, cfg).audit(t.Context()), Fail, "entry 3 is missing.", "Keep a copy")
	cfg.Audit = func(context.Context) error { return errors.New("no such thing") }
	expect(t, newRun(t, cfg).audit(t.Context()), Fail, "cannot be verified: no such thing.", "Look at what is said of the records.")
}
