package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/cmd/anteroom/exit"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	testscript.Main(leakFree{m}, commands)
}

// commands are programs that tests can run, as processes of their own.
var commands = map[string]func(){"anteroom": main}

// leakFree runs tests and fails if goroutines are left over.
type leakFree struct{ *testing.M }

func (m leakFree) Run() int {
	code := m.M.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// TestScripts runs the program as people do. Beside testscript's own commands
// there are
//
//	exit CODE PROGRAM ARGS…    runs it and checks the exit code
//	daemon NAME [ARGS…]        starts a daemon with the data directory $WORK/NAME
//	                           and waits until it is ready; sets $NAME_URL (its
//	                           page) and $NAME_LAUNCH (the address on stderr)
//	setup NAME                 sets its practice up, as the page would
//	talk NAME REGEXP           matches what it wrote to stderr so far
//	end NAME                   interrupts it; it must exit with 0 within 20 s
//	kill9 NAME                 kills it
//	await FILE                 waits until there is such a file, at most 20 s
//	setenv VAR FILE REGEXP     sets VAR to the first group found in a file
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_DATA_HOME", env.WorkDir+"/share")
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/config")
			env.Values[daemonsKey{}] = make(map[string]*testDaemon)
			// Modes matter to the program, and archives have none.
			return chmodConfigs(env.WorkDir)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exit":   scriptExit,
			"daemon": scriptDaemon,
			"setup":  scriptSetup,
			"talk":   scriptTalk,
			"end":    scriptEnd,
			"kill9":  scriptKill,
			"await":  scriptAwait,
			"setenv": scriptSetenv,
		},
	})
}

func chmodConfigs(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".yaml") {
			err = errors.Join(err, os.Chmod(dir+"/"+e.Name(), 0o600))
		}
	}
	return err
}

type daemonsKey struct{}

func daemonOf(ts *testscript.TestScript, name string) *testDaemon {
	d, ok := ts.Value(daemonsKey{}).(map[string]*testDaemon)[name]
	if !ok {
		ts.Fatalf("no daemon %s", name)
	}
	return d
}

func scriptExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE PROGRAM ARGS…")
	}
	got := exit.OK
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = failed.ExitCode()
	}
	if want := args[0]; strconv.Itoa(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

// A testDaemon is a daemon in a process of its own.
type testDaemon struct {
	cmd    *exec.Cmd
	url    string
	launch string
	ended  chan error // receives what Wait returned, once

	mu      sync.Mutex
	stderr  bytes.Buffer
	address chan string // receives the address on stderr, once
}

func (d *testDaemon) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stderr.Write(b)
	if found := address.FindString(d.stderr.String()); found != "" && d.address != nil {
		d.address <- strings.TrimSpace(found)
		d.address = nil
	}
	return len(b), nil
}

func (d *testDaemon) talk() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stderr.String()
}

var address = regexp.MustCompile(`http://localhost:\d+\S*\n`)

func scriptDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: daemon NAME [ARGS…]")
	}
	name := args[0]
	found := make(chan string, 1)
	d := &testDaemon{ended: make(chan error, 1), address: found}
	flags := append([]string{"serve", "--data-dir", ts.MkAbs(name), "--listen", "localhost:0"}, args[1:]...)
	d.cmd = exec.Command("anteroom", flags...)
	for _, v := range []string{"PATH", "HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "TMPDIR"} {
		d.cmd.Env = append(d.cmd.Env, v+"="+ts.Getenv(v))
	}
	d.cmd.Dir = ts.MkAbs(".")
	d.cmd.Stderr = d
	stdout, err := d.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(d.cmd.Start())
	ready := make(chan string, 1)
	go func() { // ends with the daemon
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if url, ok := strings.CutPrefix(lines.Text(), "READY "); ok {
				ready <- url
			}
		}
		d.ended <- d.cmd.Wait()
	}()
	ts.Defer(func() { // for scripts that fail; a second time does nothing
		d.cmd.Process.Kill()
		select {
		case <-d.ended:
		case <-time.After(20 * time.Second):
		}
	})
	late := time.After(20 * time.Second)
	for d.url == "" || d.launch == "" {
		select {
		case d.url = <-ready:
		case d.launch = <-found:
		case err := <-d.ended:
			d.ended <- err
			ts.Fatalf("%s ended: %v\n%s", name, err, d.talk())
		case <-late:
			ts.Fatalf("%s is not ready\n%s", name, d.talk())
		}
	}
	ts.Value(daemonsKey{}).(map[string]*testDaemon)[name] = d
	ts.Setenv(name+"_URL", d.url)
	ts.Setenv(name+"_LAUNCH", d.launch)
	ts.Setenv(name+"_PORT", d.url[strings.LastIndex(d.url, ":")+1:])
}

func scriptTalk(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: talk NAME REGEXP")
	}
	said := daemonOf(ts, args[0]).talk()
	if found := regexp.MustCompile("(?m)" + args[1]).MatchString(said); found == neg {
		ts.Fatalf("match of %s is %v in\n%s", args[1], found, said)
	}
}

func scriptEnd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: end NAME")
	}
	d := daemonOf(ts, args[0])
	ts.Check(d.cmd.Process.Signal(os.Interrupt))
	select {
	case err := <-d.ended:
		d.ended <- err
		if err != nil {
			ts.Fatalf("%s ended: %v\n%s", args[0], err, d.talk())
		}
	case <-time.After(20 * time.Second):
		ts.Fatalf("%s does not stop\n%s", args[0], d.talk())
	}
}

func scriptKill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: kill9 NAME")
	}
	d := daemonOf(ts, args[0])
	ts.Check(d.cmd.Process.Kill())
	d.ended <- <-d.ended
}

func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("no %s", args[0])
		}
	}
}

func scriptSetup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: setup NAME")
	}
	d := daemonOf(ts, args[0])
	_, token, _ := strings.Cut(d.launch, "#launch=")
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	browser := &http.Client{Jar: jar, Transport: transport, Timeout: 20 * time.Second}
	for _, step := range []struct {
		path string
		body map[string]string
	}{
		{"/api/launch", map[string]string{"token": token}},
		{"/api/setup", map[string]string{"practice": "Riverside Practice", "name": "Dr Lee", "password": "violet tractor seventeen"}},
	} {
		body, err := json.Marshal(step.body)
		ts.Check(err)
		req, err := http.NewRequest(http.MethodPost, d.url+step.path, bytes.NewReader(body))
		ts.Check(err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", d.url)
		res, err := browser.Do(req)
		ts.Check(err)
		answer, err := io.ReadAll(res.Body)
		ts.Check(errors.Join(err, res.Body.Close()))
		if res.StatusCode != http.StatusOK {
			ts.Fatalf("POST %s: %s %s", step.path, res.Status, answer)
		}
	}
}

func scriptSetenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: setenv VAR FILE REGEXP")
	}
	found := regexp.MustCompile(args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) != 2 {
		ts.Fatalf("no %s in %s", args[2], args[1])
	}
	ts.Setenv(args[0], found[1])
}
