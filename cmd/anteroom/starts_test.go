package main

import (
	"strings"
	"testing"
	"time"
)

func TestStartsAsClocksShowIt(t *testing.T) {
	for _, test := range []struct{ zone, text, want, refusal string }{
		{"Europe/Berlin", "2026-12-01 14:45", "2026-12-01T14:45:00+01:00", ""},
		{"Europe/Berlin", "2027-03-28 02:30", "", "there is no 02:30 on that day"},
		{"Europe/Berlin", "2026-10-25 01:59", "2026-10-25T01:59:00+02:00", ""},
		{"Europe/Berlin", "2026-10-25 02:30", "", "say 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"},
		{"Europe/Berlin", "2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00+01:00", ""},
		{"Europe/Berlin", "2026-10-25 03:00", "2026-10-25T03:00:00+01:00", ""},
		{"America/New_York", "2026-11-01 01:15", "", "comes twice"},
		{"Australia/Lord_Howe", "2027-04-04 01:45", "", "comes twice"},
		{"Australia/Lord_Howe", "2026-10-04 02:15", "", "there is no 02:15"},
		{"America/New_York", "tomorrow", "", "must be now"},
	} {
		zone, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseStart(test.text, time.Date(2026, 10, 20, 12, 0, 0, 0, zone))
		switch {
		case test.refusal == "" && (err != nil || got.Format(time.RFC3339) != test.want):
			t.Errorf("%s %q: %v, %v", test.zone, test.text, got, err)
		case test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal)):
			t.Errorf("%s %q: %v, %v; want %q", test.zone, test.text, got, err, test.refusal)
		}
	}
}
