package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anteroom/discovery"
	"anteroom/httpui"
	"anteroom/httpui/certs/certstest"
	"anteroom/node/doctor"
	"anteroom/rendezvous/wire"
)

// publicDaemon returns a running daemon that patients come to, on loopback,
// with a certificate that is good until then.
func publicDaemon(t *testing.T, until time.Time) *daemon {
	dir := t.TempDir()
	cert, key := certstest.Pair(t, publicName, time.Now().Add(-time.Hour), until)
	for name, content := range map[string][]byte{"cert.pem": cert, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := loopbackConfig(dir + "/d")
	cfg.HTTP.PublicListen, cfg.HTTP.RedirectListen = []string{"127.0.0.1:0"}, "127.0.0.1:0"
	cfg.HTTP.TLS = TLS{Mode: tlsFiles, CertFile: dir + "/cert.pem", KeyFile: dir + "/key.pem"}
	cfg.Relay.Listen = []string{"127.0.0.1:0"}
	cfg.HTTP.PublicURL = fmt.Sprintf("https://%s:%d", publicName, closedPort(t))
	d, err := newDaemon(t.Context(), cfg, nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, d)
	return d
}

// closedPort returns a port of loopback at which nobody listens.
func closedPort(t *testing.T) int {
	l := localListener(t)
	l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func loopbackConfig(dataDir string) Config {
	cfg := Default()
	cfg.DataDir = dataDir
	cfg.HTTP.Listen = []string{"localhost:0"}
	cfg.Discovery.Listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}
	cfg.Discovery.AllowPrivateAddresses, cfg.Discovery.Server = true, true
	return cfg
}

// befriend makes two daemons peers, and waits until they are connected.
func befriend(t *testing.T, a, b *daemon) {
	for from, to := range map[*daemon]*daemon{a: b, b: a} {
		card, err := to.discovery.Card("")
		if err != nil {
			t.Fatal(err)
		}
		info, err := discovery.ParseCard(card)
		if err != nil {
			t.Fatal(err)
		}
		if err := from.discovery.AddPeer(info); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if list := a.discovery.ListPeers(); len(list) == 1 && list[0].Connected {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the daemons do not meet")
		}
	}
}

func examined(t *testing.T, d *daemon) (doctor.Report, map[string]doctor.Check) {
	report, err := d.examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byID := make(map[string]doctor.Check)
	for _, c := range report.Checks {
		byID[c.ID] = c
	}
	return report, byID
}

// TestDoctorAsksAPeer: two whole daemons. The peer finds the relay; the
// page it looks for where links lead, which is not where this one is.
func TestDoctorAsksAPeer(t *testing.T) {
	home := publicDaemon(t, time.Now().Add(time.Hour))
	other, err := newDaemon(t.Context(), loopbackConfig(t.TempDir()+"/d"), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	runDaemon(t, other)
	befriend(t, home, other)
	report, is := examined(t, home)
	for id, want := range map[string]string{
		"configuration": "pass The configuration has no problem.",
		"clock":         "pass The clock agrees with that of a peer.",
		"store":         "pass The records can be read, are whole, and are for you alone.",
		"certificate":   "pass The certificate for call.example is good until ",
		"relay-udp":     "pass The relay works over UDP, also from the same network.",
		"relay-tcp":     "pass The relay works over TCP, also from the same network.",
		"relay-tls":     "warn Of the relay: nothing answers from the same network at port ",
		"page":          "fail Nothing answers from the same network at port ",
		"peers":         "pass The only peer is connected.",
	} {
		if got := string(is[id].Status) + " " + is[id].Finding; !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
	if report.Ready || !strings.HasPrefix(report.Summary, "Patients cannot reach you because ") {
		t.Errorf("%s", report.Summary)
	}
	if f, ok := errors.AsType[failure](verdict(report)); !ok || f.code != exitCheck {
		t.Errorf("ends with %v", verdict(report))
	}
}

func TestDoctorSeesCertificates(t *testing.T) {
	_, is := examined(t, publicDaemon(t, time.Now().Add(-time.Minute)))
	if c := is["certificate"]; c.Status != doctor.Fail || !strings.HasPrefix(c.Finding, "The certificate ended on ") || c.Todo == "" {
		t.Errorf("expired: %+v", c)
	}
	_, is = examined(t, publicDaemon(t, time.Now().Add(10*time.Minute)))
	if c := is["certificate"]; c.Status != doctor.Warn || !strings.Contains(c.Finding, "should have been renewed") {
		t.Errorf("ends soon: %+v", c)
	}
	certFile, keyFile := certstest.WritePair(t, t.TempDir(), "other.example")
	cfg := Default()
	cfg.HTTP.PublicURL = "https://" + publicName
	cfg.HTTP.TLS = TLS{Mode: tlsFiles, CertFile: certFile, KeyFile: keyFile}
	if _, err := patient(cfg).Certificate(); err == nil || !strings.Contains(err.Error(), "is for other.example, not for call.example") {
		t.Errorf("for another name: %v", err)
	}
}

// TestDoctorLooksOnceAtATime: whoever clicks twice makes no second round.
func TestDoctorLooksOnceAtATime(t *testing.T) {
	d := idleDaemon(t, nil)
	who := setUpDaemon(t, d)
	d.examining.Lock()
	_, err := d.pages.Doctor(t.Context(), who)
	if refusal, ok := errors.AsType[*httpui.Refusal](err); !ok || refusal.Code != wire.CodeTooMany {
		t.Errorf("got %v", err)
	}
	d.examining.Unlock()
	report, err := d.pages.Doctor(t.Context(), who)
	if err != nil || !report.Ready || report.Summary != "Ready for calls on this computer." || len(report.Checks) == 0 || report.Checks[0].Status != "pass" {
		t.Errorf("got %+v, %v", report, err)
	}
}
