package media

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"anteroom/rendezvous/wire"
)

// leaveTime is how long a child may take to say goodbye before it is killed.
const leaveTime = 3 * time.Second

// ErrCrashed says that a child process went away without saying how its call
// ended: it panicked or was killed. Nothing but that call is affected, and
// nothing starts it again.
var ErrCrashed = errors.New("media process crashed")

// A Process is a child process with a call in it. Wait must be called.
type Process struct {
	cmd    *exec.Cmd
	cause  error // why it was asked to leave; set before cmd.Wait returns
	stdin  io.Closer
	stdout io.Reader
	stderr *lastWords
	event  func(Event)
}

// Start starts exe, an absolute path, with args that make it call Child, and
// hands it job. The child gets an empty environment, the root directory and
// three pipes. When ctx ends it is asked to leave, and killed if it has not
// gone within a few seconds.
func Start(ctx context.Context, exe string, args []string, job Job) (*Process, error) {
	line, err := json.Marshal(job)
	if err != nil || len(line) >= maxLine {
		return nil, errors.New("start media process: job too long")
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = []string{} // nil would mean ours
	cmd.Dir = "/"
	cmd.WaitDelay = leaveTime
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start media process: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start media process: %w", err)
	}
	p := &Process{cmd: cmd, stdin: stdin, stdout: stdout, stderr: &lastWords{log: job.Log}, event: job.Event}
	cmd.Stderr = p.stderr
	cmd.Cancel = func() error {
		p.cause = context.Cause(ctx)
		p.Leave()
		return nil
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start media process: %w", err)
	}
	// A pipe holds more than a line, so this does not wait for the child. If it
	// is gone already, Wait says why.
	stdin.Write(append(line, '\n'))
	return p, nil
}

// Run starts a child process and waits until its call has ended.
func Run(ctx context.Context, exe string, args []string, job Job) error {
	p, err := Start(ctx, exe, args, job)
	if err != nil {
		return err
	}
	return p.Wait()
}

// Leave asks the child to say goodbye and go. Wait reports when it has.
func (p *Process) Leave() { p.stdin.Close() }

// PID returns the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Wait passes on what the child says until it has gone, and returns how its
// call ended: nil as planned, the *wire.Error it named, ctx's cause, or
// ErrCrashed.
func (p *Process) Wait() error {
	end, err := p.follow()
	if err != nil {
		p.cmd.Process.Kill() // it says what no child of ours says
	}
	waitErr := p.cmd.Wait()
	switch {
	case p.cause != nil:
		return p.cause
	case err != nil:
		return err
	case end == nil:
		return p.stderr.verdict(waitErr)
	case end.Code != "":
		return wire.ErrorFor(end.Code)
	}
	return nil
}

// follow passes events on until the child closes its standard output. It
// returns the last of them if that is EventEnded.
func (p *Process) follow() (*Event, error) {
	lines := bufio.NewScanner(p.stdout)
	lines.Buffer(nil, maxLine)
	var end *Event
	for lines.Scan() {
		var e Event
		decoder := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&e); err != nil || end != nil {
			return nil, fmt.Errorf("follow media process: %w", wire.ErrBadMessage)
		}
		if e.Kind == EventEnded {
			end = &e
		}
		if p.event != nil {
			p.event(e)
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, os.ErrClosed) {
		return nil, fmt.Errorf("follow media process: %w", err)
	}
	return end, nil
}

// lastWords is a child's standard error: it passes lines on to a log, without
// addresses, and remembers why the runtime gave up.
type lastWords struct {
	log *slog.Logger // may be nil

	mu    sync.Mutex // held for a line; exec copies from a goroutine of its own
	part  []byte     // of a line; what is beyond maxLine is dropped
	crash string
}

// Write implements io.Writer. It takes everything.
func (w *lastWords) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for rest := b; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		w.part = append(w.part, line[:min(len(line), maxLine-len(w.part))]...)
		if ended {
			w.lineLocked(scrub(string(w.part)))
			w.part = w.part[:0]
		}
		rest = after
	}
	return len(b), nil
}

func (w *lastWords) lineLocked(line string) {
	// Other panics may quote what someone sent.
	if w.crash == "" && (strings.HasPrefix(line, "panic: runtime error: ") || strings.HasPrefix(line, "fatal error: ")) {
		w.crash = line
	}
	if w.log != nil {
		w.log.Debug("media process wrote", "err", line)
	}
}

// verdict returns why the child went away without a word.
func (w *lastWords) verdict(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	why := w.crash
	if why == "" && err != nil {
		why = err.Error() // "signal: killed"
	}
	if why == "" {
		return ErrCrashed
	}
	return fmt.Errorf("%w: %s", ErrCrashed, why)
}
