package control

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"anteroom/cmd/anteroom/exit"
	"anteroom/httpui/words"
	"anteroom/node/doctor"
)

// NewReport is a report as a terminal and the programs at it read it.
func NewReport(r doctor.Report) Report {
	say := words.English.Say
	reply := Report{
		Summary: say(r.Summary), Ready: r.Ready, Confirmed: r.Confirmed, Running: r.Running, Checked: r.Checked, Checks: make([]Finding, len(r.Checks)),
	}
	for i, c := range r.Checks {
		reply.Checks[i] = Finding{c.ID, say(c.Title), c.Status, say(c.Finding), say(c.Todo)}
	}
	return reply
}

// Verdict is how the program ends after a report.
func Verdict(r Report) error {
	failed := 0
	for _, c := range r.Checks {
		if c.Status == doctor.Fail {
			failed++
		}
	}
	switch {
	case len(r.Checks) > 1 && !r.Running:
		return exit.With(exit.NotRunning, errors.New(`no daemon is running: start it with "anteroom serve", and check again`))
	case failed == 1:
		return exit.With(exit.Check, errors.New("1 check failed"))
	case failed > 1:
		return exit.With(exit.Check, fmt.Errorf("%d checks failed", failed))
	}
	return nil
}

// PrintReport ends with the summary, where a terminal stays.
func PrintReport(w io.Writer, r Report) error {
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%-4s  %s: %s\n", c.Status, c.Title, c.Finding)
		if c.Todo != "" {
			fmt.Fprintf(&b, "      → %s\n", c.Todo)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", r.Summary)
	_, err := io.WriteString(w, b.String())
	return err
}
