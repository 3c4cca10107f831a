package certs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// LetsEncrypt is the directory that is used if none is named.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

const (
	// shortLived is the profile under which Let's Encrypt issues certificates
	// for IP addresses, good for six days.
	shortLived = "shortlived"

	obtainTime  = 5 * time.Minute  // for one certificate, from the first request to the last
	requestTime = 30 * time.Second // for one request
	askInterval = 6 * time.Hour    // how often the directory is asked for its advice (RFC 9773)
	reachTime   = 5 * time.Second  // without Config.Reached, before Status says so

	// A failed attempt is repeated after retryPause, then after twice as long
	// each time, up to retryMost pauses; see also mostFailed. One of which the directory has not heard is repeated
	// after a tenth.
	retryPause = 10 * time.Minute
	retryMost  = 6
)

// fromACME is a certificate that an ACME directory issues. The library beneath
// keeps to the protocol; when, which and where is decided here, because the
// manager that is usually put around it opens sockets and goroutines of its
// own and consents to the authority's terms by itself.
type fromACME struct {
	client  acmez.Client
	patient *patient // client's
	name    string
	email   string
	dir     string // of this directory: one authority's files are no use to another
	reached func(context.Context) error
	log     *slog.Logger
	retry   time.Duration

	failures *failures
	fails    int           // attempts since the last certificate of which the directory has heard
	asked    bool          // a challenge was shown in this attempt
	account  *acme.Account // nil until it is registered in this run
	unkept   []byte        // a certificate in use that could not be written yet
}

func newACME(cfg Config, s solver) (*fromACME, *tls.Certificate, error) {
	if !cfg.Agreed {
		return nil, nil, errors.New("certificate: no authority issues one without consent to its terms")
	}
	if cfg.Directory == "" {
		cfg.Directory = LetsEncrypt
	}
	u, err := url.Parse(cfg.Directory)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, nil, errors.New("certificate: the directory must be an https URL")
	}
	roots, err := readRoots(cfg.CAFile)
	if err != nil {
		return nil, nil, err
	}
	p := &patient{RoundTripper: &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true, // a few requests a month: nothing is left open
	}}
	a := &fromACME{
		client: acmez.Client{Client: &acme.Client{
			Directory:  cfg.Directory,
			UserAgent:  "anteroom",
			HTTPClient: &http.Client{Timeout: requestTime, Transport: p},
		}},
		patient: p,
		name:    cfg.Name,
		email:   cfg.Email,
		dir:     filepath.Join(cfg.Dir, fileName(u.Host+u.Path)),
		reached: cfg.Reached,
		log:     cfg.Log,
		retry:   retryPause,
	}
	s.shown = func() {
		a.asked = true
		a.failures.add()
	}
	a.client.ChallengeSolvers = map[string]acmez.Solver{acme.ChallengeTypeTLSALPN01: s}
	if cfg.HTTP {
		a.client.ChallengeSolvers[acme.ChallengeTypeHTTP01] = s
	}
	for _, dir := range []string{cfg.Dir, a.dir} {
		if err := privateDir(dir); err != nil {
			return nil, nil, fmt.Errorf("certificate: %w", err)
		}
	}
	a.failures = loadFailures(filepath.Join(a.dir, fileName(a.name)+".failed"))
	cert, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	return a, cert, nil
}

// next implements source.
func (a *fromACME) next(ctx context.Context, old *tls.Certificate) (*tls.Certificate, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, obtainTime)
	defer cancel()
	if old != nil {
		due := renewAt(old.Leaf)
		if time.Now().Before(due) {
			due = a.advised(ctx, old.Leaf, due)
		}
		if wait := time.Until(due); wait > 0 {
			if a.email != "" {
				a.register(ctx) // it may be another address than before; what fails is done again
			}
			return nil, min(wait, askInterval), a.keep()
		}
	}
	if err := a.awaitReached(ctx); err != nil {
		return nil, 0, err // not an attempt: the directory has heard nothing
	}
	if wait := a.mayFail(); wait > 0 {
		return nil, wait, errOften
	}
	a.asked = false
	cert, err := a.obtain(ctx, old)
	if err != nil {
		return nil, a.pause(err), explain(err)
	}
	a.fails = 0
	if a.asked {
		a.failures.forgive()
	}
	return cert, a.retry, a.keep() // not at once, whatever the directory advises
}

// pause returns how long it is until the next attempt after one that failed.
func (a *fromACME) pause(err error) time.Duration {
	wait := a.retry / 10
	_, answered := errors.AsType[acme.Problem](err)
	if answered || a.asked || errors.Is(err, errUnusable) {
		wait = a.retry * time.Duration(min(1<<a.fails, retryMost))
		a.fails = min(a.fails+1, retryMost)
	}
	return max(wait, a.patient.wait(), a.mayFail())
}

// mayFail is how long it is until an attempt may fail, with every challenge.
func (a *fromACME) mayFail() time.Duration { return a.failures.wait(len(a.client.ChallengeSolvers)) }

// awaitReached waits until the directory's challenges would arrive, because it
// counts those that do not.
func (a *fromACME) awaitReached(ctx context.Context) error {
	if a.reached == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	return a.reached(ctx)
}

// keep writes a new certificate down. It is used even if that fails: authorities
// limit how many there are.
func (a *fromACME) keep() error {
	if a.unkept == nil {
		return nil
	}
	if err := writeFile(a.file(), a.unkept); err != nil {
		return fmt.Errorf("keep certificate: %w", err)
	}
	a.unkept = nil
	return nil
}

// renewAt is when a certificate is renewed: when a third of its life is left,
// and of one that lives for less than ten days, half.
func renewAt(leaf *x509.Certificate) time.Time {
	share := life(leaf) / 3
	if life(leaf) < 10*24*time.Hour {
		share = life(leaf) / 2
	}
	return leaf.NotAfter.Add(-share)
}

// advised returns due, or an earlier time if the directory wants the
// certificate replaced by then, perhaps because it must revoke it. Without an
// answer we keep our own time.
func (a *fromACME) advised(ctx context.Context, leaf *x509.Certificate, due time.Time) time.Time {
	info, err := a.client.GetRenewalInfo(ctx, leaf)
	if err == nil && info.HasWindow() && info.SelectedTime.Before(due) {
		return info.SelectedTime
	}
	return due
}

var (
	// errUnusable: one has been issued all the same, and authorities limit how
	// many.
	errUnusable = errors.New("the directory sent no certificate that can be used")

	errNoAnswer = errors.New("the directory does not answer")
)

// obtain orders a certificate with a new key.
func (a *fromACME) obtain(ctx context.Context, old *tls.Certificate) (*tls.Certificate, error) {
	account, err := a.register(ctx)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	csr, err := acmez.NewCSR(key, []string{a.name})
	if err != nil {
		return nil, err
	}
	order, err := acmez.OrderParametersFromCSR(account, csr)
	if err != nil {
		return nil, err
	}
	if order.Profile, err = a.profile(ctx); err != nil {
		return nil, err
	}
	if old != nil && a.fails == 0 { // it may be the old one that the order fails for
		order.Replaces = old.Leaf
	}
	chains, err := a.client.ObtainCertificate(ctx, order)
	if problem, ok := errors.AsType[acme.Problem](err); ok && problem.Type == acme.ProblemTypeAccountDoesNotExist {
		a.account = nil // the next attempt registers it again
	}
	if err != nil {
		return nil, err
	}
	if len(chains) == 0 {
		return nil, errUnusable
	}
	secret, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	cert, err := parse(chains[0].ChainPEM, secret, a.name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnusable, err)
	}
	a.unkept = append(secret, chains[0].ChainPEM...)
	return cert, nil
}

// profile returns the one to order, if the directory has it: private ones
// mostly know no profiles, and issue for addresses without.
func (a *fromACME) profile(ctx context.Context) (string, error) {
	if !isIP(a.name) {
		return "", nil
	}
	directory, err := a.client.GetDirectory(ctx)
	if err != nil {
		return "", err
	}
	if directory.Meta == nil || directory.Meta.Profiles[shortLived] == "" {
		return "", nil
	}
	return shortLived, nil
}

// register returns the account of our key. The directory makes one if it does
// not know the key, so nothing but the key needs to be kept.
func (a *fromACME) register(ctx context.Context) (acme.Account, error) {
	if a.account != nil {
		return *a.account, nil
	}
	key, err := accountKey(filepath.Join(a.dir, "account.key"))
	if err != nil {
		return acme.Account{}, err
	}
	account := acme.Account{PrivateKey: key, TermsOfServiceAgreed: true} // newACME has seen to it
	var contact []string
	if a.email != "" {
		contact = []string{"mailto:" + a.email}
	}
	account.Contact = slices.Clone(contact) // the answer is decoded into it
	if account, err = a.client.NewAccount(ctx, account); err != nil {
		return acme.Account{}, fmt.Errorf("register with the directory: %w", err)
	}
	// An account that existed keeps the contact that it had. Directories that do
	// not say which have none to change.
	if contact != nil && !slices.Equal(account.Contact, contact) {
		change := acme.Account{PrivateKey: key, Location: account.Location, Contact: contact}
		if _, err := a.client.UpdateAccount(ctx, change); err != nil {
			a.log.Warn("address for the authority's mail not changed", "err", err) // the certificate matters more
		}
	}
	a.account = &account
	return account, nil
}

func (a *fromACME) file() string { return filepath.Join(a.dir, fileName(a.name)+".pem") }

// load returns the certificate of an earlier run; nil if there is none.
func (a *fromACME) load() (*tls.Certificate, error) {
	content, err := os.ReadFile(a.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	if err := checkKey(a.file()); err != nil {
		return nil, err
	}
	cert, err := parse(content, content, a.name)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w; remove %s to have a new one", err, a.file())
	}
	return cert, nil
}

// explain puts the directory's own words for what went wrong first: they are
// written for people, and name what it could not reach.
func explain(err error) error {
	if problem, ok := errors.AsType[acme.Problem](err); ok && problem.Detail != "" {
		return fmt.Errorf("the directory says: %s (%s)", problem.Detail, strings.TrimPrefix(problem.Type, "urn:ietf:params:acme:error:"))
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return err
}

// accountKey reads the key at path, or makes one.
func accountKey(path string) (crypto.Signer, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		secret, err := keyPEM(key)
		if err != nil {
			return nil, err
		}
		return key, writeFile(path, secret)
	}
	if err != nil {
		return nil, fmt.Errorf("read account key: %w", err)
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("read account key: %s is damaged; remove it to have a new account", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if signer, ok := key.(crypto.Signer); ok {
		return signer, nil
	}
	return nil, fmt.Errorf("read account key: %s is damaged; remove it to have a new account: %w", path, err)
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// readRoots returns the certificates in a file; nil, the system's, for none.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read roots of the directory: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("read roots of the directory: %s holds no certificate in PEM", file)
	}
	return roots, nil
}

// fileName makes a name of a file, on every system, of a host or an address.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, s)
}

// privateDir makes a directory that only its owner can enter.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// writeFile puts data at path, for its owner only. A crash leaves the old
// content or the new one.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once renamed
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
