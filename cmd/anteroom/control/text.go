package control

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"anteroom/httpui/words"
	"anteroom/node/desk/api"
)

func PrintStatus(w io.Writer, s Status) error {
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

func PrintAppointments(w io.Writer, list []api.Appointment) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STARTS\tENDS\tSTATE\tLABEL\tGUESTS\tID")
	for _, a := range list {
		var guests []string
		for _, g := range a.Guests {
			guests = append(guests, fmt.Sprintf("%s (%s)", named(g.Label), g.State))
		}
		starts, ends, state := clock(a.Starts), time.Unix(a.Ends, 0).Format("15:04"), a.State
		if state == "damaged" {
			starts, ends = "unreadable", "–"
		} else if a.Damaged {
			state += ", damaged"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", starts, ends, state, named(labelOf(a)), strings.Join(guests, ", "), a.ID)
	}
	return t.Flush()
}

// labelOf is what an appointment is called; a test call has no label of its own.
func labelOf(a api.Appointment) string {
	if a.Label == "" && a.Test {
		return words.English.Say(api.NewMessage("desk.appointment.test", nil))
	}
	return a.Label
}

func PrintAppointment(to io.Writer, a api.Appointment) error {
	w := new(strings.Builder)
	lost := a.State == "damaged" // and with it the times
	if lost {
		fmt.Fprint(w, a.State)
	} else {
		fmt.Fprintf(w, "%s to %s, %s", clock(a.Starts), time.Unix(a.Ends, 0).Format("15:04"), a.State)
	}
	if label := labelOf(a); label != "" {
		fmt.Fprintf(w, ", %s", label)
	}
	fmt.Fprintf(w, "\nid %s", a.ID)
	if !lost {
		fmt.Fprintf(w, "; guests may knock from %s to %s", time.Unix(a.Opens, 0).Format("15:04"), time.Unix(a.Closes, 0).Format("15:04"))
	}
	fmt.Fprintln(w)
	if a.Damaged {
		fmt.Fprintln(w, "Something of its record cannot be read. A new link mends a guest's; otherwise cancel the appointment and make it again.")
	}
	for _, g := range a.Guests {
		state := g.State
		if g.Damaged && state != "damaged" {
			state += ", damaged"
		}
		fmt.Fprintf(w, "\n%s (%s, member %s)\n", named(g.Label), state, g.Member)
		if g.URL != "" {
			fmt.Fprintln(w, g.URL)
		}
		if g.Local {
			fmt.Fprintln(w, "This link works on this computer only.")
		}
	}
	_, err := io.WriteString(to, w.String())
	return err
}

func clock(unix int64) string { return time.Unix(unix, 0).Format("Mon 2006-01-02 15:04") }

// named returns a label that a person gave, or a dash.
func named(label string) string {
	if label == "" {
		return "–"
	}
	return label
}

func PrintPeers(w io.Writer, list []Peer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tFROM\tCONNECTED\tPEER ID\tADDRESSES")
	for _, peer := range list {
		connected := "no"
		if peer.Connected {
			connected = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", named(peer.Name), peer.Source, connected, peer.PeerID, strings.Join(peer.Addresses, " "))
	}
	return t.Flush()
}
