package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"anteroom/rendezvous/invite"
)

// A practice is two nodes: one that patients reach, and one behind it that
// nobody does, which has appointments of its own.
type practice struct {
	dir     string
	public  *daemon // serves the page, and has appointments
	hidden  *daemon // behind it
	trusted *x509.CertPool
}

// A daemon is one anteroom in a process of its own.
type daemon struct {
	name, dir string
	settings  string // its configuration, in YAML
	process   *exec.Cmd
	ended     chan struct{}
	log       *bytes.Buffer
	links     []invite.Link // of its guests
}

// page is where the practice's page is served.
const page = "10.200.0.1:443"

// binary is what "make build" makes.
const binary = "bin/anteroom"

// appointments, of three guests each, is how many every node has: enough for
// the real guests, of whom each has a link of their own.
const appointments = 8

func newPractice(ctx context.Context) (_ *practice, err error) {
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("run this at the root of the repository, after make build: %w", err)
	}
	dir, err := os.MkdirTemp("", "anteroom-attack-")
	if err != nil {
		return nil, err
	}
	p := &practice{dir: dir}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.trusted, err = certificate(dir, "public.test"); err != nil {
		return nil, err
	}
	p.public = &daemon{name: "public", dir: filepath.Join(dir, "public"), settings: fmt.Sprintf(`http:
  listen: ["localhost:7600"]
  public_url: https://public.test
  public_listen: [%q]
  redirect_listen: ""
  tls: {mode: files, cert_file: %q, key_file: %q}
relay:
  listen: ["10.200.0.1:3478"]
discovery:
  listen: ["/ip4/127.0.0.1/tcp/7601"]
  allow_private_addresses: true
  server: true
`, page, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))}
	p.hidden = &daemon{name: "hidden", dir: filepath.Join(dir, "hidden"), settings: `http:
  listen: ["localhost:7700"]
discovery:
  listen: ["/ip4/127.0.0.1/tcp/7701"]
  allow_private_addresses: true
`}
	// They name each other, so each runs once alone, to have a card.
	cards := make(map[*daemon]string)
	for _, d := range p.daemons() {
		if cards[d], err = d.prepare(ctx); err != nil {
			return nil, err
		}
	}
	p.public.settings += fmt.Sprintf("practice:\n  nodes: [%q]\n", cards[p.hidden])
	p.hidden.settings += fmt.Sprintf("practice:\n  nodes: [%q]\n  front_url: https://public.test\n", cards[p.public])
	for _, d := range p.daemons() {
		if err := d.start(ctx); err != nil {
			return nil, err
		}
	}
	return p, p.meet(ctx)
}

func (p *practice) daemons() []*daemon { return []*daemon{p.public, p.hidden} }

// meet returns when guests of the hidden node come in through the public one.
func (p *practice) meet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		_, err := p.join(ctx, address(0, 1), p.hidden.links[0], nil)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (p *practice) close() {
	for _, d := range p.daemons() {
		if d != nil {
			d.stop()
		}
	}
	os.RemoveAll(p.dir)
}

// prepare goes through the daemon's first run, makes its appointments and
// returns its card.
func (d *daemon) prepare(ctx context.Context) (card string, err error) {
	if err := d.start(ctx); err != nil {
		return "", err
	}
	defer d.stop()
	if err := d.setUp(ctx); err != nil {
		return "", err
	}
	if err := d.appoint(ctx); err != nil {
		return "", err
	}
	card, err = d.command(ctx, "peer", "card")
	return strings.TrimSpace(card), err
}

// start runs the daemon until stop; it returns when the daemon is ready.
func (d *daemon) start(ctx context.Context) error {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	config := fmt.Sprintf("data_dir: %q\nlog: {level: warn, format: json}\n%s", filepath.Join(d.dir, "data"), d.settings)
	if err := os.WriteFile(d.config(), []byte(config), 0o600); err != nil {
		return err
	}
	d.log = new(bytes.Buffer)
	d.process = exec.CommandContext(ctx, binary, "serve", "--config", d.config())
	d.process.Stderr = d.log
	d.process.Cancel = func() error { return d.process.Process.Signal(syscall.SIGTERM) }
	d.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.process.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	d.ended = ended
	go func() { // ends with the process
		_ = d.process.Wait()
		close(ended)
	}()
	for {
		if _, err := d.command(ctx, "status"); err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("%s ended: %s", d.name, d.log)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (d *daemon) stop() {
	if d.process == nil {
		return
	}
	_ = d.process.Process.Signal(syscall.SIGTERM)
	<-d.ended
	d.process = nil
}

func (d *daemon) config() string { return filepath.Join(d.dir, "config.yaml") }

// command runs one of the command line's, and returns what it prints.
func (d *daemon) command(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, binary, append(args, "--config", d.config())...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("anteroom %s: %w: %s", args[0], err, failed.Stderr)
	}
	return string(out), err
}

// setUp goes through the first run as the page does.
func (d *daemon) setUp(ctx context.Context) error {
	address, err := d.command(ctx, "open", "--no-open")
	if err != nil {
		return err
	}
	launch, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return err
	}
	jar, _ := cookiejar.New(nil) // without options it never fails
	client := &http.Client{Jar: jar, Timeout: patience}
	origin := "http://" + launch.Host
	for _, step := range []struct {
		path string
		body map[string]string
	}{
		{"/api/launch", map[string]string{"token": strings.TrimPrefix(launch.Fragment, "launch=")}},
		{"/api/setup", map[string]string{"practice": "Riverside Practice", "name": "Dr Lee", "password": "a long enough passphrase"}},
	} {
		body, err := json.Marshal(step.body)
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, origin+step.path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", origin)
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s %s: %s", d.name, step.path, answer.Status)
		}
	}
	return nil
}

// appoint makes the daemon's appointments, which last as long as any may.
func (d *daemon) appoint(ctx context.Context) error {
	for range appointments {
		out, err := d.command(ctx, "appointment", "create", "--minutes", "480", "--guest", "A", "--guest", "B", "--guest", "C", "--output", "json")
		if err != nil {
			return err
		}
		var made struct {
			Guests []struct {
				URL string `json:"url"`
			} `json:"guests"`
		}
		if err := json.NewDecoder(bufio.NewReader(strings.NewReader(out))).Decode(&made); err != nil {
			return err
		}
		for _, g := range made.Guests {
			link, err := invite.ParseLink(g.URL)
			if err != nil {
				return err
			}
			d.links = append(d.links, link)
		}
	}
	return nil
}

// certificate writes one for name to dir, and returns who believes it.
func certificate(dir, name string) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(10, 200, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return pool, nil
}

// each runs do for 0 to n-1, all at once, and returns when all have returned.
func each(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}
