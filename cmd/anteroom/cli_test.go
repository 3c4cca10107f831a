package main

import (
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

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

func TestDidYouMean(t *testing.T) {
	known := []string{"http.listen", "discovery.listen", "log.level", "ANTEROOM_LOG_LEVEL"}
	for name, want := range map[string]string{
		"log.levle":          ", did you mean log.level?",
		"listen":             ", did you mean http.listen or discovery.listen?",
		"ANTEROOM_LOGLEVEL":  ", did you mean ANTEROOM_LOG_LEVEL?",
		"colour":             "",
		"log.verbosity":      "",
		"":                   "",
		"anteroom_log_level": "",
	} {
		if got := didYouMean(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
