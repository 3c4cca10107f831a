//go:build e2e

package daemon

import (
	"log/slog"
	"testing"
	"time"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/daemon/daemontest"
	"anteroom/httpui/certs/certstest"
)

// TestCertificateFromTheFirstStart: a node that is given a name and two ports
// gets its certificate by itself. The authority can reach port 80 only, so it
// falls back on that.
func TestCertificateFromTheFirstStart(t *testing.T) {
	https, plain, closed := daemontest.Listener(t), daemontest.Listener(t), daemontest.Listener(t)
	closed.Close()
	pebble := certstest.NewPebble(t, certstest.Port(t, plain), certstest.Port(t, closed), certstest.Profiles{"default": 90 * 24 * 3600})
	cfg := config.Default()
	cfg.DataDir = t.TempDir() + "/d"
	cfg.HTTP.Listen = []string{"localhost:0"}
	cfg.HTTP.PublicURL = "https://" + daemontest.PublicName
	cfg.HTTP.TLS = config.TLS{Mode: config.TLSACME, AgreeTerms: true, Directory: pebble.Directory, CAFile: pebble.CAFile}
	d, err := New(t.Context(), daemontest.Plan(t, cfg), sockets{SocketHTTPS: {https}, SocketHTTP: {plain}}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, d)
	for deadline := time.Now().Add(time.Minute); d.entrance.certs.Status().NotAfter.IsZero(); time.Sleep(20 * time.Millisecond) {
		if s := d.entrance.certs.Status(); s.Reason != "" || time.Now().After(deadline) {
			t.Fatalf("no certificate: %+v", s)
		}
	}
	daemontest.ExpectGuestPage(t, daemontest.Visitor(pebble.Roots, https.Addr().String(), plain.Addr().String()))
	s, err := d.status(t.Context())
	if err != nil || s.Certificate == nil || s.Certificate.Alert || s.Certificate.Mode != config.TLSACME || s.Certificate.Names[0] != daemontest.PublicName {
		t.Errorf("status: %+v, %v", s.Certificate, err)
	}
	if reach := d.desk.Reach(); english(reach.Text) != "Links open at https://"+daemontest.PublicName+"." {
		t.Errorf("%+v", reach)
	}
}
