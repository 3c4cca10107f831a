package daemon

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/control"
	"anteroom/cmd/anteroom/daemon/daemontest"
	"anteroom/httpui/certs"
	"anteroom/node/admit"
	"anteroom/node/passthrough"
)

func TestStatusNamesAClockThatLeapt(t *testing.T) {
	var out strings.Builder
	if err := control.PrintStatus(&out, control.Status{Clock: "gone from here to there"}); err != nil || !strings.Contains(out.String(), "Clock") || !strings.Contains(out.String(), "gone from here to there\n") {
		t.Errorf("%v\n%s", err, &out)
	}
	out.Reset()
	if err := control.PrintStatus(&out, control.Status{}); err != nil || strings.Contains(out.String(), "Clock") {
		t.Errorf("%v\n%s", err, &out)
	}
}

// TestStatusOfACertificate: why there is none, and when it is tried again.
func TestStatusOfACertificate(t *testing.T) {
	at := time.Date(2026, 3, 4, 15, 6, 0, 0, time.Local)
	failed := certs.Status{Mode: certs.ACME, Names: []string{daemontest.PublicName}, Alert: true, Reason: "the directory says:\n nobody answers (connection)"}
	for _, c := range []struct {
		next              time.Time
		status, inDoctors string
	}{
		{time.Time{}, "Problem      the directory says: nobody answers (connection)\n", "the directory says:\n nobody answers (connection)"},
		{at, "Next try     2026-03-04 15:06\n", "the directory says:\n nobody answers (connection); the next attempt is on 2026-03-04 at 15:06"},
	} {
		failed.Next = c.next
		var out strings.Builder
		if err := control.PrintStatus(&out, control.Status{Certificate: &failed}); err != nil || !strings.Contains(out.String(), c.status) ||
			strings.Contains(out.String(), "Next try") != !c.next.IsZero() {
			t.Errorf("%v\n%s, want %s", err, &out, c.status)
		}
		if got := forDoctor(failed); got.Reason != c.inDoctors || !got.Alert || got.Mode != certs.ACME || got.Names[0] != daemontest.PublicName {
			t.Errorf("%+v, want %s", got, c.inDoctors)
		}
	}
}

// TestStatusTellsLimits: what is open, of how much, by the key that changes it.
func TestStatusTellsLimits(t *testing.T) {
	d := idleDaemon(t, func(c *config.Config) {
		c.HTTP.Limits.Sockets, c.Front.Limits.Searches, c.Discovery.Limits.Strangers = 321, 7, 99
	})
	s, err := d.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := control.PrintStatus(&out, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"http.limits.sockets: 0 of 321\n", "http.limits.sockets (strangers): 0 of 321\n", "http.limits.connections_per_network: 0 of 60\n", "front.limits.searches: 0 of 7\n", "discovery.limits.handshakes: 0 of 64\n", "discovery.limits.strangers: 0 of 99\n", "discovery.limits.strangers (in use): 0 of 99\n", "discovery.limits.strangers_per_network: 0 of 3\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nlacks %s", &out, want)
		}
	}
}

// TestStatusTellsOfSilentConnections: where they are counted, and as full as
// they are.
func TestStatusTellsOfSilentConnections(t *testing.T) {
	d := idleDaemon(t, func(c *config.Config) {
		c.Relay.Limits = config.RelayLimits{Silent: 40, SilentPerNetwork: 30}
		c.Front.Limits = config.FrontLimits{Silent: 20, SilentPerNetwork: 15, Handshakes: 16, HandshakesPerNetwork: 7, Passed: 50, PassedPerNetwork: 40, Searches: 1, SearchesPerNetwork: 1}
	})
	if got := fmt.Sprint(d.limits()); got != "[{front.limits.searches 0 1}]" {
		t.Errorf("without a place for them: %s", got)
	}
	d.entrance.unsorted, d.entrance.unnamed = admit.NewBacklog(40, 30), admit.NewBacklog(20, 15)
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "203.0.113.1"} {
		d.entrance.unnamed.Enter(netip.MustParseAddr(a), nil)
	}
	d.entrance.front = passthrough.NewFront(nil, nil, d.entrance.unnamed, passthrough.DefaultLimits, d.log)
	want := "[{relay.limits.silent 0 40} {relay.limits.silent_per_network 0 30} {front.limits.silent 3 20} {front.limits.silent_per_network 2 15} {front.limits.handshakes 0 16} {front.limits.handshakes_per_network 0 7} {front.limits.passed 0 50} {front.limits.passed_per_network 0 40} {front.limits.searches 0 1}]"
	if got := fmt.Sprint(d.limits()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
