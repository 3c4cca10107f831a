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

	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// maxLine bounds one line between a process and its supervisor, bytes.
const maxLine = 4 << 10

// A Job is one call for a child process to take part in. The first line of the
// child's standard input is a Job in JSON: nothing of it is in the arguments or
// the environment, which every user of the machine can read.
type Job struct {
	Gateway string `json:"gateway"` // as for Dial
	Link    string `json:"link"`    // as for invite.ParseLink
	Name    string `json:"name"`    // as for Guest

	// Event and Log are the supervisor's, and may be nil. Event hears what the
	// child says, from the goroutine that waits for it; Log what it writes to
	// its standard error, at debug level.
	Event func(Event)  `json:"-"`
	Log   *slog.Logger `json:"-"`
}

// Format implements fmt.Formatter for every verb: a job holds a link.
func (Job) Format(f fmt.State, _ rune) { io.WriteString(f, "[media job]") }

// LogValue implements slog.LogValuer.
func (Job) LogValue() slog.Value { return slog.StringValue("[media job]") }

// Child is the whole of a child process: it reads one Job from stdin, takes
// part in the call as a Guest, and writes each Event to stdout as a line of
// JSON, EventEnded last. It returns what EventEnded says the code of.
//
// The call ends early when stdin or ctx does; stdin's end is how the child
// learns that its supervisor is gone, however that came about. One read of
// stdin may be going on when Child returns.
func Child(ctx context.Context, stdin io.Reader, stdout io.Writer, log *slog.Logger) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	say := func(e Event) {
		line, err := json.Marshal(e)
		if err == nil {
			_, err = stdout.Write(append(line, '\n'))
		}
		if err != nil {
			stop(fmt.Errorf("write event: %w", err))
		}
	}
	err := attendJob(ctx, stop, bufio.NewReaderSize(stdin, maxLine), say, log)
	end := Event{Kind: EventEnded}
	switch {
	case errors.Is(err, errStdin):
		err = nil
	case errors.Is(err, context.Canceled): // somebody stopped the process, not the call
		end.Code = wire.CodeGoingAway
	case err != nil:
		end.Code = wire.Public(err).Code
	}
	say(end)
	return err
}

// errStdin ends a call that its supervisor no longer wants.
var errStdin = errors.New("standard input ended")

func attendJob(ctx context.Context, stop context.CancelCauseFunc, stdin *bufio.Reader, say func(Event), log *slog.Logger) error {
	line, err := stdin.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	job, err := readJob(line)
	if err != nil {
		return err
	}
	link, err := invite.ParseLink(job.Link)
	if err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	go func() { // ends with stdin, at the latest with the process
		io.Copy(io.Discard, stdin)
		stop(errStdin)
	}()
	conn, err := Dial(ctx, job.Gateway)
	if err != nil {
		return err
	}
	guest := Guest{Conn: conn, Link: link, Name: job.Name, Log: log, Event: say}
	return guest.Run(ctx)
}

// readJob decodes a Job in the one spelling that Start gives it.
func readJob(line []byte) (Job, error) {
	var job Job
	err := json.Unmarshal(line, &job)
	again, _ := json.Marshal(job)
	if err != nil || !bytes.Equal(again, bytes.TrimSuffix(line, []byte("\n"))) {
		return Job{}, errors.New("read job: malformed") // the decoder's error quotes it
	}
	return job, nil
}
