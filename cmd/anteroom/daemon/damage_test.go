package daemon

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/control"
	"anteroom/cmd/anteroom/daemon/daemontest"
	"anteroom/node/desk/api"
	"anteroom/node/practice"
)

// TestADamagedAppointmentIsListedForWhatItIs damages one of two, and looks at
// what its practitioner sees and can do.
func TestADamagedAppointmentIsListedForWhatItIs(t *testing.T) {
	cfg := config.Default()
	cfg.DataDir = t.TempDir() + "/d"
	cfg.HTTP.Listen = []string{"localhost:0"}
	plan := daemontest.Plan(t, cfg)
	start := func() *Daemon {
		t.Helper()
		d, err := New(t.Context(), plan, nil, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := start()
	who := setUpDaemon(t, d)
	var made []api.Appointment
	for _, label := range []string{"Knee", "Elbow"} {
		a, err := as(d, who).CreateAppointment(t.Context(), api.NewAppointment{
			Starts: time.Now().Unix(), Minutes: 30, Label: label, Guests: []api.NewGuest{{Label: "Patient of " + label}},
		})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, a)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(cfg.DataDir, "anteroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE appointment SET plan = zeroblob(length(plan)) WHERE id = ?", made[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	// A node that does not run says it, and so does one that runs.
	if err := inspect(plan, (*practice.Practice).Check)(t.Context()); err == nil || !strings.Contains(err.Error(), "1 of ") {
		t.Errorf("without a daemon doctor finds %v", err)
	}
	d = start()
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	list, err := as(d, who).List(t.Context(), false)
	if err != nil || len(list) != 2 {
		t.Fatalf("got %+v, %v", list, err)
	}
	var out strings.Builder
	if err := control.PrintAppointments(&out, list); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if !strings.HasPrefix(lines[1], "unreadable") || !strings.Contains(lines[1], "damaged") || !strings.Contains(lines[1], "Knee") || !strings.Contains(lines[1], made[0].ID) {
		t.Errorf("the damaged one is listed as %q", lines[1])
	}
	if !strings.Contains(lines[2], "Elbow") || strings.Contains(lines[2], "damaged") || !strings.Contains(lines[2], "Patient of Elbow (unused)") {
		t.Errorf("the other one is listed as %q", lines[2])
	}
	shown, err := as(d, who).Show(t.Context(), made[0].ID)
	if err != nil || shown.State != "damaged" || !shown.Damaged || shown.Starts != 0 || shown.Closes != 0 {
		t.Errorf("got %+v, %v", shown, err)
	}
	if err := as(d, who).Cancel(t.Context(), made[0].ID); err != nil {
		t.Error(err)
	}
	if err := d.practice.Check(t.Context()); err != nil {
		t.Errorf("after cancelling: %v", err)
	}
}
