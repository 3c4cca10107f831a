//go:build e2e

package main

import (
	"log/slog"
	"testing"
	"time"

	"anteroom/httpui/certs/certstest"
)

// TestCertificateFromTheFirstStart: a node that is given a name and two ports
// gets its certificate by itself. The authority can reach port 80 only, so it
// falls back on that.
func TestCertificateFromTheFirstStart(t *testing.T) {
	https, plain, closed := localListener(t), localListener(t), localListener(t)
	closed.Close()
	pebble := certstest.NewPebble(t, certstest.Port(t, plain), certstest.Port(t, closed), certstest.Profiles{"default": 90 * 24 * 3600})
	cfg := Default()
	cfg.DataDir = t.TempDir() + "/d"
	cfg.HTTP.Listen = []string{"localhost:0"}
	cfg.HTTP.PublicURL = "https://" + publicName
	cfg.HTTP.TLS = TLS{Mode: tlsACME, AgreeTerms: true, Directory: pebble.Directory, CAFile: pebble.CAFile}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	d, err := newDaemon(t.Context(), cfg, sockets{socketHTTPS: {https}, socketHTTP: {plain}}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, d)
	for deadline := time.Now().Add(time.Minute); d.entrance.certs.Status().NotAfter.IsZero(); time.Sleep(20 * time.Millisecond) {
		if s := d.entrance.certs.Status(); s.Reason != "" || time.Now().After(deadline) {
			t.Fatalf("no certificate: %+v", s)
		}
	}
	expectGuestPage(t, visitor(pebble.Roots, https.Addr().String(), plain.Addr().String()))
	s, err := d.status(t.Context())
	if err != nil || s.Certificate == nil || s.Certificate.Alert || s.Certificate.Mode != tlsACME || s.Certificate.Names[0] != publicName {
		t.Errorf("status: %+v, %v", s.Certificate, err)
	}
	if reach := d.desk.Reach(); english(reach.Text) != "Links open at https://"+publicName+"." {
		t.Errorf("%+v", reach)
	}
}
