package main

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
	_ "time/tzdata" // whatever this computer has

	"github.com/google/go-cmp/cmp"

	"anteroom/cmd/anteroom/control"
	"anteroom/node/desk/api"
)

func TestParseStart(t *testing.T) {
	zone := time.FixedZone("EST", -5*3600)
	now := time.Date(2026, 3, 4, 23, 30, 15, 7, zone)
	for _, c := range []struct {
		text string
		want time.Time // zero: refused
	}{
		{"now", now},
		{"14:45", time.Date(2026, 3, 4, 14, 45, 0, 0, zone)},
		{"9:05", time.Date(2026, 3, 4, 9, 5, 0, 0, zone)},
		{"2026-12-24 08:00", time.Date(2026, 12, 24, 8, 0, 0, 0, zone)},
		{"2026-12-24T08:00:00Z", time.Date(2026, 12, 24, 8, 0, 0, 0, time.UTC)},
		{"2026-12-24T08:00:00+02:00", time.Date(2026, 12, 24, 6, 0, 0, 0, time.UTC)},
		{"", time.Time{}},
		{"noon", time.Time{}},
		{"24:00", time.Time{}},
		{"2026-02-30 08:00", time.Time{}},
		{"14.45", time.Time{}},
	} {
		got, err := parseStart(c.text, now)
		if !got.Equal(c.want) || (err == nil) == c.want.IsZero() {
			t.Errorf("%q: got %v, %v, want %v", c.text, got, err, c.want)
		}
	}
}

func TestParseStartInTheHourThatIsNot(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2027, 3, 28, 0, 10, 0, 0, berlin) // clocks go from 2:00 to 3:00
	for _, text := range []string{"2:30", "2027-03-28 02:30"} {
		if got, err := parseStart(text, now); err == nil {
			t.Errorf("%s: got %v", text, got)
		}
	}
	for text, want := range map[string]int{"0:30": 0, "1:59": 1, "3:00": 3} {
		if got, err := parseStart(text, now); err != nil || got.Hour() != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
}

// A link that nobody got to see must not look like success.
func TestWhatCannotBePrintedIsAnError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	a := api.Appointment{Guests: []api.Guest{{URL: "https://call.example/j#"}}}
	if err := control.PrintAppointment(full, a); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("an appointment: %v", err)
	}
	if err := control.PrintAppointments(full, []api.Appointment{a}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a list of them: %v", err)
	}
	if err := control.PrintPeers(full, nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("peers: %v", err)
	}
}

func TestOpener(t *testing.T) {
	for _, c := range []struct {
		system  string
		environ []string
		want    []string
	}{
		{"linux", nil, nil},
		{"linux", []string{"DISPLAY="}, nil},
		{"linux", []string{"DISPLAY=:0"}, []string{"xdg-open"}},
		{"freebsd", []string{"WAYLAND_DISPLAY=wayland-0"}, []string{"xdg-open"}},
		{"darwin", nil, []string{"open"}},
		{"windows", nil, []string{"rundll32", "url.dll,FileProtocolHandler"}},
	} {
		p := &program{environ: c.environ}
		if diff := cmp.Diff(c.want, p.opener(c.system)); diff != "" {
			t.Errorf("%s %q: %s", c.system, c.environ, diff)
		}
	}
}
