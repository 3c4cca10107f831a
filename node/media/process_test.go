package media

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"anteroom/node/media/mediatest"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// A spawned is a child process and the test that waits for it.
type spawned struct {
	*Process
	t      *testing.T
	events chan Event // of every kind
	done   chan error
}

// spawn starts the test binary as the named kind of child.
func spawn(t *testing.T, ctx context.Context, kind string, job Job) *spawned {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &spawned{t: t, events: make(chan Event, 256), done: make(chan error, 1)}
	job.Event = func(e Event) { s.events <- e }
	if s.Process, err = Start(ctx, exe, []string{kind}, job); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.Wait() }() // ends with the child
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.done
	})
	return s
}

func (s *spawned) ends() error {
	s.t.Helper()
	select {
	case err := <-s.done:
		s.done <- err
		return err
	case <-time.After(patience):
		s.t.Fatal("child did not end")
		return nil
	}
}

// expect waits for an event of a kind, passing over others.
func (s *spawned) expect(want EventKind) Event {
	s.t.Helper()
	for {
		select {
		case e := <-s.events:
			if e.Kind == want {
				return e
			}
		case <-time.After(patience):
			s.t.Fatalf("no event %s", want)
		}
	}
}

func (h *home) job(name string) (Job, wire.MemberID) {
	link, member := h.invite()
	gateway := h.gateway()
	return Job{Gateway: gateway, Link: link.URL(gateway), Name: name}, member
}

func TestChildTakesPartInACall(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	dr := h.attend(mediatest.Lies{})
	job, member := h.job("Echo")
	child := spawn(t, t.Context(), "child", job)
	dr.admit(member)
	dr.echoed(member, 3)
	for _, kind := range []EventKind{EventJoined, EventAdmitted, EventVerified} {
		child.expect(kind)
	}
	if e := child.expect(EventFrames); e.Audio == 0 && e.Video == 0 {
		t.Errorf("frames: %+v", e)
	}
	dr.do(dr.End())
	if err := child.ends(); err != nil {
		t.Errorf("child ended with %v", err)
	}
	if e := child.expect(EventEnded); e.Code != "" {
		t.Errorf("ended with %s", e.Code)
	}
}

func TestKilledChildEndsOnlyItsOwnCall(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	dr := h.attend(mediatest.Lies{})
	firstJob, first := h.job("First")
	secondJob, second := h.job("Second")
	killed, other := spawn(t, t.Context(), "child", firstJob), spawn(t, t.Context(), "child", secondJob)
	for _, member := range []wire.MemberID{first, second} {
		dr.admit(member)
		dr.echoed(member, 3)
	}

	if err := syscall.Kill(killed.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := killed.ends(); !errors.Is(err, ErrCrashed) || !strings.Contains(err.Error(), "killed") {
		t.Errorf("killed child ended with %v", err)
	}
	dr.await(first, func(g mediatest.Guest) bool { return g.State == wire.SeatAway })
	dr.echoed(second, 10)
	dr.do(dr.Remove(second))
	if err := other.ends(); !errors.Is(err, wire.ErrRemoved) {
		t.Errorf("the other child ended with %v", err)
	}
}

func TestChildLeavesWhenItIsAskedTo(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(*spawned, context.CancelFunc){
		"by the supervisor":   func(s *spawned, _ context.CancelFunc) { s.Leave() },
		"when a context ends": func(_ *spawned, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			dr := h.attend(mediatest.Lies{})
			job, member := h.job("Echo")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			child := spawn(t, ctx, "child", job)
			dr.admit(member)
			dr.echoed(member, 1)
			ask(child, cancel)
			if err := child.ends(); !errors.Is(err, ctx.Err()) {
				t.Errorf("child ended with %v, want %v", err, ctx.Err())
			}
			child.expect(EventEnded) // it said goodbye, so its seat is free
			dr.sees(func(v mediatest.View) bool { return len(v.Guests) == 0 })
		})
	}
}

func TestChildThatDoesNotBehave(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		kind string
		want error
		says string
	}{
		{"child-that-panics", ErrCrashed, "index out of range"},
		{"child-that-prattles", wire.ErrBadMessage, ""},
	} {
		t.Run(row.kind, func(t *testing.T) {
			t.Parallel()
			child := spawn(t, t.Context(), row.kind, Job{})
			if err := child.ends(); !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("child ended with %v", err)
			}
			if len(child.events) > 0 {
				t.Errorf("heard %+v", <-child.events)
			}
		})
	}
	t.Run("child-that-stays", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		child := spawn(t, ctx, "child-that-stays", Job{})
		child.expect(EventJoined)
		cancel()
		if err := child.ends(); !errors.Is(err, context.Canceled) {
			t.Errorf("child ended with %v", err)
		}
	})
}

func TestChildOfNothing(t *testing.T) {
	if _, err := Start(t.Context(), "/nonexistent", nil, Job{}); err == nil {
		t.Error("started a program that is not there")
	}
	if _, err := Start(t.Context(), "/nonexistent", nil, Job{Name: strings.Repeat("x", maxLine)}); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("job too long: %v", err)
	}
}

// TestChildGetsNothingElse looks at a child's environment, directory, arguments
// and open files.
func TestChildGetsNothingElse(t *testing.T) {
	t.Setenv("CANARY", "secret")
	key, err := os.Create(filepath.Join(t.TempDir(), "store.key"))
	if err != nil {
		t.Fatal(err)
	}
	defer key.Close()
	child := spawn(t, t.Context(), "child-that-stays", Job{})
	child.expect(EventJoined)
	proc := fmt.Sprintf("/proc/%d/", child.PID())
	if env, err := os.ReadFile(proc + "environ"); err != nil || len(env) > 0 {
		t.Errorf("environment %q, %v", env, err)
	}
	if dir, err := os.Readlink(proc + "cwd"); err != nil || dir != "/" {
		t.Errorf("directory %q, %v", dir, err)
	}
	if args, err := os.ReadFile(proc + "cmdline"); err != nil || strings.Count(string(args), "\x00") != 2 {
		t.Errorf("arguments %q, %v", args, err)
	}
	fds, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if target, _ := os.Readlink(proc + "fd/" + fd.Name()); target == key.Name() {
			t.Errorf("descriptor %s is %s", fd.Name(), target)
		}
	}
}

func TestChildRefusesOtherJobs(t *testing.T) {
	link, err := invite.New()
	if err != nil {
		t.Fatal(err)
	}
	good := Job{Gateway: "http://127.0.0.1:1", Link: link.Link.Payload(), Name: "Echo"}
	line, _ := json.Marshal(good)
	for name, input := range map[string]string{
		"nothing":          "",
		"no line":          string(line),
		"no JSON":          "hello\n",
		"unknown field":    strings.Replace(string(line), "{", `{"x":1,`, 1) + "\n",
		"duplicate field":  strings.Replace(string(line), "{", `{"name":"x",`, 1) + "\n",
		"wrong case":       strings.Replace(string(line), "name", "Name", 1) + "\n",
		"no link":          strings.Replace(string(line), link.Link.Payload(), "x", 1) + "\n",
		"line without end": strings.Repeat("x", 2*maxLine) + "\n",
		"nobody there":     string(line) + "\n",
	} {
		out, err := runChild(t, input)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		if want := `{"event":"ended","code":"internal"}` + "\n"; out != want {
			t.Errorf("%s: said %q, want %q", name, out, want)
		}
		if strings.Contains(err.Error(), link.Link.Payload()) {
			t.Errorf("%s: the error has the link in it", name)
		}
	}
	for _, s := range []string{fmt.Sprint(good), fmt.Sprintf("%+v %#v %q", good, &good, good), slog.AnyValue(good).Resolve().String()} {
		if strings.Contains(s, good.Link) || strings.Contains(s, good.Name) {
			t.Errorf("a job prints as %s", s)
		}
	}
}

// runChild runs Child in this process, its standard input staying open.
func runChild(t *testing.T, input string) (string, error) {
	t.Helper()
	stdin, write := io.Pipe()
	go func() { // ends when stdin is closed
		w := bufio.NewWriter(write)
		w.WriteString(input)
		w.Flush()
		if !strings.HasSuffix(input, "\n") {
			write.Close()
		}
	}()
	defer stdin.Close()
	var out strings.Builder
	err := Child(t.Context(), stdin, &out, slog.New(slog.DiscardHandler))
	return out.String(), err
}
