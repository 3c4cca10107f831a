package control

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"anteroom/node/doctor"
)

// The report of a node that does not run, as programs read it.
func TestReportAsJSON(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 3600))
	report := NewReport(doctor.Run(t.Context(), doctor.Config{
		DataDir: filepath.Join(t.TempDir(), "d"), PublicURL: "https://call.example", Resolver: nowhere{}, Clock: func() time.Time { return at },
	}))
	for i := range report.Checks {
		if report.Checks[i].ID == "disk" { // differs from one computer to another
			report.Checks[i].Finding, report.Checks[i].Todo, report.Checks[i].Status = "1 MB", "", doctor.Pass
		}
	}
	got, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	golden := filepath.Join("testdata", "report.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("run the test with -update and read the difference\n%s", got)
	}
}

var update = flag.Bool("update", false, "write testdata instead of comparing with it")

// nowhere is a DNS that has no name.
type nowhere struct{}

func (nowhere) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}
