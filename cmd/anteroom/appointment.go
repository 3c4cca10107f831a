package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"anteroom/cmd/anteroom/control"
	"anteroom/cmd/anteroom/exit"
	"anteroom/node/desk/api"
	"anteroom/node/practice"
)

func (p *program) appointmentCommand() *cobra.Command {
	cmd := group("appointment", "Make, list, show and cancel appointments")
	cmd.AddCommand(p.appointmentCreate(), p.appointmentList(), p.appointmentShow(), p.appointmentCancel())
	return cmd
}

func (p *program) appointmentCreate() *cobra.Command {
	var starts, label, practitioner string
	var minutes int
	var hide bool
	var guests []string
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make an appointment and print its links",
		Example: `  anteroom appointment create --starts 14:45 --guest "Mr Pereira"
  anteroom appointment create --starts "2026-03-04 09:00" --minutes 45 --guest Patient --guest Interpreter`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := parseStart(starts, time.Now())
			if err != nil {
				return exit.With(exit.Usage, err)
			}
			for _, text := range append(guests, label, practitioner) {
				if !utf8.ValidString(text) { // JSON would change it silently
					return usage("a label or a name must be text in UTF-8")
				}
			}
			for _, g := range guests {
				if strings.TrimSpace(g) == "" {
					return usage("--guest needs a label, such as Patient")
				}
			}
			wanted := practice.New{Starts: at, Minutes: minutes, Label: label, Guests: guests, RelayOnly: hide}
			if err := wanted.Check(time.Now()); err != nil {
				return exit.With(exit.Usage, err)
			}
			c, err := p.client(cmd)
			if err != nil {
				return err
			}
			n := api.NewAppointment{Starts: at.Unix(), Minutes: minutes, Label: label, HideAddresses: hide, Practitioner: practitioner}
			for _, g := range guests {
				n.Guests = append(n.Guests, api.NewGuest{Label: g})
			}
			a, err := control.Call[api.Appointment](cmd.Context(), c, "appointment/create", n)
			if err != nil {
				return err
			}
			return output.print(p.stdout, a, func(w io.Writer) error { return control.PrintAppointment(w, a) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&starts, "starts", "now", "`time`: now, 14:45, \"2026-03-04 14:45\" or RFC 3339")
	flags.IntVar(&minutes, "minutes", 30, "how long it takes")
	flags.BoolVar(&hide, "hide-addresses", false, "send the call through a relay, so that nobody in it learns another's address")
	flags.StringVar(&practitioner, "practitioner", "", "`name` of whose it is; needed if several work here")
	flags.StringVar(&label, "label", "", "what it is called in the diary")
	flags.StringArrayVar(&guests, "guest", []string{"Patient"}, "`label` of a guest; once for each, up to three")
	output.add(cmd)
	return cmd
}

// parseStart reads a time as people write it; without a zone it is local, and
// without a date it is today's.
func parseStart(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if _, err := time.Parse("15:04", text); err == nil {
		text = now.Format("2006-01-02 ") + text
	}
	const layout = "2006-01-02 15:04"
	if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
		if wall, _ := time.Parse(layout, text); t.Hour() != wall.Hour() || t.Minute() != wall.Minute() {
			return time.Time{}, fmt.Errorf("--starts: there is no %s on that day: clocks are put forward", wall.Format("15:04"))
		}
		for _, moved := range []time.Duration{-2 * time.Hour, -time.Hour, -30 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour} {
			if other := t.Add(moved); other.Format(layout) == text {
				first, second := min(t.Unix(), other.Unix()), max(t.Unix(), other.Unix())
				return time.Time{}, fmt.Errorf("--starts: clocks are put back on that day, so %s comes twice: say %s or %s", text[len(text)-5:],
					time.Unix(first, 0).In(now.Location()).Format(time.RFC3339), time.Unix(second, 0).In(now.Location()).Format(time.RFC3339))
			}
		}
		return t, nil
	}
	return time.Time{}, errors.New(`--starts must be now, a time such as 14:45, "2026-03-04 14:45", or RFC 3339`)
}

func (p *program) appointmentList() *cobra.Command {
	var all bool
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List appointments from today on",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client(cmd)
			if err != nil {
				return err
			}
			list, err := control.Call[[]api.Appointment](cmd.Context(), c, "appointment/list", control.ListRequest{All: all})
			if err != nil {
				return err
			}
			return output.print(p.stdout, list, func(w io.Writer) error { return control.PrintAppointments(w, list) })
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those of days before today")
	output.add(cmd)
	return cmd
}

func (p *program) appointmentShow() *cobra.Command {
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show an appointment with its links",
		Args:  oneArg("an appointment's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client(cmd)
			if err != nil {
				return err
			}
			a, err := control.Call[api.Appointment](cmd.Context(), c, "appointment/show", control.IdRequest{ID: args[0]})
			if err != nil {
				return err
			}
			return output.print(p.stdout, a, func(w io.Writer) error { return control.PrintAppointment(w, a) })
		},
	}
	output.add(cmd)
	return cmd
}

func (p *program) appointmentCancel() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel an appointment: its links end, and whoever is there is sent away",
		Args:  oneArg("an appointment's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client(cmd)
			if err != nil {
				return err
			}
			if _, err := control.Call[control.Nothing](cmd.Context(), c, "appointment/cancel", control.IdRequest{ID: args[0]}); err != nil {
				return err
			}
			fmt.Fprintln(p.stderr, "Cancelled.")
			return nil
		},
	}
}
