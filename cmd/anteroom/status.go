package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (p *program) statusCommand() *cobra.Command {
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what the daemon is doing",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client(cmd)
			if err != nil {
				return err
			}
			s, err := call[statusReply](cmd.Context(), c, "status", nothing{})
			if err != nil {
				return err
			}
			return output.print(p.stdout, s, func(w io.Writer) error { return printStatus(w, s) })
		},
	}
	output.add(cmd)
	return cmd
}

func printStatus(w io.Writer, s statusReply) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	practice := s.Practice
	if practice == "" {
		practice = `not set up yet: run "anteroom open"`
	}
	fmt.Fprintf(t, "Practice\t%s\n", practice)
	calls := s.Readiness.Text
	if at := s.Readiness.Checked; at != nil {
		calls += fmt.Sprintf(" (checked %s)", at.Local().Format("15:04"))
	}
	fmt.Fprintf(t, "Calls\t%s\n", calls)
	if s.Readiness.Todo != "" {
		fmt.Fprintf(t, "To do\t%s\n", s.Readiness.Todo)
	}
	if s.Clock != "" {
		fmt.Fprintf(t, "Clock\t%s\n", s.Clock)
	}
	fmt.Fprintf(t, "Page\t%s\n", s.URL)
	fmt.Fprintf(t, "Links\t%s\n", s.Links)
	if c := s.Certificate; c != nil {
		until := "none yet"
		if !c.NotAfter.IsZero() {
			until = "until " + c.NotAfter.Local().Format("2006-01-02 15:04")
		}
		fmt.Fprintf(t, "Certificate\t%s, %s (%s)\n", strings.Join(c.Names, ", "), until, c.Mode)
		if c.Reason != "" {
			fmt.Fprintf(t, "Problem\t%s\n", strings.Join(strings.Fields(c.Reason), " "))
		}
		if c.LacksIssuer {
			fmt.Fprintf(t, "Problem\tthe certificate's file does not hold that of its issuer, so phones refuse it: use fullchain.pem\n")
		}
		if !c.Next.IsZero() {
			fmt.Fprintf(t, "Next try\t%s\n", c.Next.Local().Format("2006-01-02 15:04"))
		}
	}
	for _, problem := range s.Problems {
		fmt.Fprintf(t, "Problem\t%s\n", problem)
	}
	fmt.Fprintf(t, "Guests\t%d waiting, %d in a call\n", s.Node.Waiting, s.Node.InCall)
	fmt.Fprintf(t, "Peers\t%d connected\n", s.Node.Peers)
	fmt.Fprintf(t, "Records\t%d published, %d with too few copies\n", s.Node.Published, s.Node.Failed)
	for _, l := range s.Limits {
		fmt.Fprintf(t, "Limit\t%s: %d of %d\n", l.Name, l.Used, l.Max)
	}
	fmt.Fprintf(t, "Peer id\t%s\n", s.Node.PeerID)
	for _, a := range s.Node.Addresses {
		fmt.Fprintf(t, "Address\t%s\n", a)
	}
	fmt.Fprintf(t, "Version\t%s\n", s.Version)
	return t.Flush()
}
