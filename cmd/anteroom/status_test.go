package main

import (
	"strings"
	"testing"
	"time"

	"anteroom/httpui/certs"
)

func TestStatusNamesAClockThatLeapt(t *testing.T) {
	var out strings.Builder
	if err := printStatus(&out, statusReply{Clock: "gone from here to there"}); err != nil || !strings.Contains(out.String(), "Clock") || !strings.Contains(out.String(), "gone from here to there\n") {
		t.Errorf("%v\n%s", err, &out)
	}
	out.Reset()
	if err := printStatus(&out, statusReply{}); err != nil || strings.Contains(out.String(), "Clock") {
		t.Errorf("%v\n%s", err, &out)
	}
}

// TestStatusOfACertificate: why there is none, and when it is tried again.
func TestStatusOfACertificate(t *testing.T) {
	at := time.Date(2026, 3, 4, 15, 6, 0, 0, time.Local)
	failed := certs.Status{Mode: certs.ACME, Names: []string{publicName}, Alert: true, Reason: "the directory says:\n nobody answers (connection)"}
	for _, c := range []struct {
		next              time.Time
		status, inDoctors string
	}{
		{time.Time{}, "Problem      the directory says: nobody answers (connection)\n", "the directory says:\n nobody answers (connection)"},
		{at, "Next try     2026-03-04 15:06\n", "the directory says:\n nobody answers (connection); the next attempt is on 2026-03-04 at 15:06"},
	} {
		failed.Next = c.next
		var out strings.Builder
		if err := printStatus(&out, statusReply{Certificate: &failed}); err != nil || !strings.Contains(out.String(), c.status) ||
			strings.Contains(out.String(), "Next try") != !c.next.IsZero() {
			t.Errorf("%v\n%s, want %s", err, &out, c.status)
		}
		if got := forDoctor(failed); got.Reason != c.inDoctors || !got.Alert || got.Mode != certs.ACME || got.Names[0] != publicName {
			t.Errorf("%+v, want %s", got, c.inDoctors)
		}
	}
}

// TestStatusTellsLimits: what is open, of how much, by the key that changes it.
func TestStatusTellsLimits(t *testing.T) {
	d := idleDaemon(t, func(c *Config) { c.HTTP.Limits.Sockets = 321 })
	s, err := d.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := printStatus(&out, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"http.limits.sockets: 0 of 321\n", "http.limits.sockets (strangers): 0 of 321\n", "http.limits.connections_per_network: 0 of 60\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nlacks %s", &out, want)
		}
	}
}
