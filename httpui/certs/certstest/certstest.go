// Package certstest helps tests with certificates: it makes some, and runs
// Let's Encrypt's own test authority, Pebble, with a DNS server of its own.
package certstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Pair returns a new certificate that is its own root, and its key, as PEM.
func Pair(t testing.TB, name string, notBefore, notAfter time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "test " + name},
		NotBefore:    notBefore,
		NotAfter:     notAfter,
		IsCA:         true, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// WritePair writes a pair that is good for an hour into dir.
func WritePair(t testing.TB, dir, name string) (certFile, keyFile string) {
	t.Helper()
	cert, key := Pair(t, name, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, certFile, cert)
	write(t, keyFile, key)
	return certFile, keyFile
}

func write(t testing.TB, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A Pebble is an authority in processes of its own. Every domain leads to
// 127.0.0.1 there.
type Pebble struct {
	Directory string         // its URL
	CAFile    string         // the root of its own certificate
	Roots     *x509.CertPool // what it issues is good by these; others after each Start

	t       testing.TB
	dir     string // programs and configuration
	dns     string
	manage  string
	running *exec.Cmd
}

// Profiles are how many seconds certificates are good for, by profile.
type Profiles map[string]int

// NewPebble builds and starts one. It asks for challenges at two ports of
// 127.0.0.1: httpPort for http-01, tlsPort for tls-alpn-01.
func NewPebble(t testing.TB, httpPort, tlsPort int, profiles Profiles) *Pebble {
	t.Helper()
	p := &Pebble{t: t, dir: t.TempDir(), dns: FreePort(t).String(), manage: FreePort(t).String()}
	build := exec.Command("go", "build", "-o", p.dir+"/",
		"github.com/letsencrypt/pebble/v2/cmd/pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv")
	build.Dir = toolsDir(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build Pebble: %v\n%s", err, out)
	}
	address := FreePort(t).String()
	p.Directory = "https://" + address + "/dir"
	cert, key := Pair(t, "127.0.0.1", time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
	p.CAFile = filepath.Join(p.dir, "own.pem")
	write(t, p.CAFile, cert)
	write(t, filepath.Join(p.dir, "own-key.pem"), key)
	offered := map[string]any{}
	for name, seconds := range profiles {
		offered[name] = map[string]any{"description": name, "validityPeriod": seconds}
	}
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress":           address,
		"managementListenAddress": p.manage,
		"certificate":             p.CAFile,
		"privateKey":              filepath.Join(p.dir, "own-key.pem"),
		"httpPort":                httpPort,
		"tlsPort":                 tlsPort,
		"keyAlgorithm":            "ecdsa",
		"retryAfter":              map[string]int{"authz": 1, "order": 1},
		"profiles":                offered,
	}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(p.dir, "config.json"), config)
	p.start("pebble-challtestsrv", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "",
		"-dnsserver", p.dns, "-management", FreePort(t).String(), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "")
	p.Start()
	t.Cleanup(p.Stop)
	return p
}

// Start starts it again after Stop. It has forgotten everything, and is another
// authority at the same place.
func (p *Pebble) Start() {
	p.t.Helper()
	p.running = p.start("pebble", "-config", filepath.Join(p.dir, "config.json"), "-dnsserver", p.dns)
	own := x509.NewCertPool()
	content, err := os.ReadFile(p.CAFile)
	if err != nil || !own.AppendCertsFromPEM(content) {
		p.t.Fatalf("read %s: %v", p.CAFile, err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: own}, DisableKeepAlives: true}}
	for deadline := time.Now().Add(20 * time.Second); ; {
		root, err := fetch(client, "https://"+p.manage+"/roots/0")
		if err == nil {
			_, err = fetch(client, p.Directory)
		}
		if err == nil {
			p.Roots = x509.NewCertPool()
			p.Roots.AppendCertsFromPEM(root)
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("Pebble does not start: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop kills it.
func (p *Pebble) Stop() {
	if p.running != nil {
		p.running.Process.Kill()
		p.running.Wait()
		p.running = nil
	}
}

func (p *Pebble) start(program string, args ...string) *exec.Cmd {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(p.dir, program), args...)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
	log, err := os.Create(filepath.Join(p.dir, program+".log"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	if program != "pebble" { // see Stop
		p.t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
	}
	p.t.Cleanup(func() {
		if p.t.Failed() {
			said, _ := os.ReadFile(log.Name())
			p.t.Logf("%s said:\n%s", program, said[max(0, len(said)-4000):])
		}
	})
	return cmd
}

func fetch(client *http.Client, url string) ([]byte, error) {
	resp, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// FreePort returns an address of 127.0.0.1 at which nobody listens yet, and
// that the system does not give away by itself.
func FreePort(t testing.TB) netip.AddrPort {
	t.Helper()
	for range 100 {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(10_000+mathrand.IntN(10_000)))
		if l, err := net.Listen("tcp", at.String()); err == nil {
			l.Close()
			return at
		}
	}
	t.Fatal("no port is free")
	panic("unreachable")
}

// Port returns the port of a listener.
func Port(t testing.TB, l net.Listener) int {
	t.Helper()
	_, text, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// toolsDir returns the module that names Pebble's version.
func toolsDir(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "tools", "go.mod")); err == nil {
			return filepath.Join(dir, "tools")
		}
	}
	t.Fatalf("no tools/go.mod above the test: %v", err)
	return ""
}
