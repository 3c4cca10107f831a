package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// A fakeDirectory is an ACME directory without a network, so that its clients
// can live in simulated time. It issues for 90 days, and believes a challenge
// only if it is shown.
type fakeDirectory struct {
	t       *testing.T
	url     string
	mux     http.ServeMux
	root    *x509.Certificate
	rootKey *ecdsa.PrivateKey

	mu         sync.Mutex
	down       error                  // why nobody reaches it; nil: they do
	limited    string                 // Retry-After of what it answers to every order; empty: none
	closed     bool                   // it reaches no client
	challenges []string               // that it offers; empty: tls-alpn-01
	windows    map[string][]time.Time // in which it wants a certificate replaced, by that one's id
	manager    *Manager               // where challenges are looked for
	asked      []time.Time            // when it was asked for its first page, or tried to be
	failed     []time.Time            // when it did not reach a client
	orders     []map[string]any       // that were placed
	contact    []any                  // of the one account
	accounts   int                    // requests to make one
	updates    int                    // of it
	fixed      bool                   // it is not updated
	leaf       *x509.Certificate
	state      string // of the newest authorization
}

// newFakeDirectory makes one, and whatever Dir is to be the client's.
func newFakeDirectory(t *testing.T) (*fakeDirectory, Config) {
	t.Helper()
	f := &fakeDirectory{t: t, url: "https://" + strings.ToLower(rand.Text()) + ".example"} // the client remembers them all
	var err error
	if f.rootKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fake"}, NotAfter: time.Now().Add(1000 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, f.rootKey.Public(), f.rootKey)
	if err != nil {
		t.Fatal(err)
	}
	if f.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	f.mux.HandleFunc("/dir", func(w http.ResponseWriter, _ *http.Request) {
		f.answer(w, http.StatusOK, map[string]any{
			"newNonce": f.url + "/nonce", "newAccount": f.url + "/account", "newOrder": f.url + "/order", "renewalInfo": f.url + "/renewal",
		})
	})
	f.mux.HandleFunc("/nonce", func(w http.ResponseWriter, _ *http.Request) { f.answer(w, http.StatusOK, nil) })
	f.mux.HandleFunc("/account", f.account)
	f.mux.HandleFunc("/account/1", f.update)
	f.mux.HandleFunc("/order", f.order)
	f.mux.HandleFunc("/authorization", f.authorization)
	f.mux.HandleFunc("/challenge/{type}", f.validate)
	f.mux.HandleFunc("/finalize", f.finalize)
	f.mux.HandleFunc("/certificate", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: f.leaf.Raw})
	})
	f.mux.HandleFunc("/renewal/{id}", func(w http.ResponseWriter, r *http.Request) {
		if window := f.windows[r.PathValue("id")]; window != nil {
			f.answer(w, http.StatusOK, map[string]any{"suggestedWindow": map[string]any{"start": window[0], "end": window[1]}})
			return
		}
		f.answer(w, http.StatusNotFound, problem("malformed", "no advice"))
	})
	return f, Config{Mode: ACME, Name: name, Dir: filepath.Join(t.TempDir(), "certs"), Directory: f.url + "/dir", Agreed: true}
}

// client returns a Manager that reaches f alone.
func (f *fakeDirectory) client(cfg Config) *Manager {
	f.t.Helper()
	m, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	m.source.(*fromACME).patient.RoundTripper = f
	f.set(func() { f.manager = m })
	return m
}

// set changes f while clients ask.
func (f *fakeDirectory) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// RoundTrip implements http.RoundTripper.
func (f *fakeDirectory) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		f.asked = append(f.asked, time.Now())
		return nil, f.down
	}
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	return w.Result(), nil
}

func (f *fakeDirectory) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	if status >= 400 {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	w.Header().Set("Replay-Nonce", rand.Text())
	w.WriteHeader(status)
	if body != nil {
		json.NewEncoder(w).Encode(body)
	}
}

func problem(kind, detail string) map[string]any {
	return map[string]any{"type": acme.ProblemTypeNamespace + kind, "detail": detail}
}

// said is the payload of a request.
func (f *fakeDirectory) said(r *http.Request) (payload map[string]any) {
	var jws struct{ Payload string }
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &jws)
	}
	text, err2 := base64.RawURLEncoding.DecodeString(jws.Payload)
	if err == nil && err2 == nil && len(text) > 0 {
		err = json.Unmarshal(text, &payload)
	}
	if err != nil || err2 != nil {
		f.t.Errorf("%s: %v, %v", r.URL.Path, err, err2)
	}
	return payload
}

func (f *fakeDirectory) account(w http.ResponseWriter, r *http.Request) {
	said := f.said(r)
	f.accounts++
	if f.accounts == 1 {
		f.contact, _ = said["contact"].([]any)
	}
	w.Header().Set("Location", f.url+"/account/1")
	f.answer(w, http.StatusOK, map[string]any{"status": "valid", "contact": f.contact})
}

func (f *fakeDirectory) update(w http.ResponseWriter, r *http.Request) {
	f.updates++
	if f.fixed {
		f.answer(w, http.StatusBadRequest, problem("invalidContact", "no such mailbox"))
		return
	}
	f.contact, _ = f.said(r)["contact"].([]any)
	f.answer(w, http.StatusOK, map[string]any{"status": "valid", "contact": f.contact})
}

func (f *fakeDirectory) order(w http.ResponseWriter, r *http.Request) {
	said := f.said(r)
	f.asked = append(f.asked, time.Now())
	if f.limited != "" {
		w.Header().Set("Retry-After", f.limited)
		f.answer(w, http.StatusTooManyRequests, problem("rateLimited", "too many certificates"))
		return
	}
	f.orders = append(f.orders, said)
	f.state = "pending"
	w.Header().Set("Location", f.url+"/order/1")
	f.answer(w, http.StatusCreated, f.newest("pending"))
}

// newest is the order of the newest request.
func (f *fakeDirectory) newest(status string) map[string]any {
	return map[string]any{
		"status": status, "identifiers": f.orders[len(f.orders)-1]["identifiers"], "authorizations": []string{f.url + "/authorization"},
		"finalize": f.url + "/finalize", "certificate": f.url + "/certificate",
	}
}

func (f *fakeDirectory) offered() []string {
	if len(f.challenges) > 0 {
		return f.challenges
	}
	return []string{acme.ChallengeTypeTLSALPN01}
}

func (f *fakeDirectory) authorization(w http.ResponseWriter, _ *http.Request) {
	var offered []map[string]any
	for _, kind := range f.offered() {
		c := map[string]any{"type": kind, "url": f.url + "/challenge/" + kind, "token": "token", "status": f.state}
		if f.state == "invalid" {
			c["error"] = problem("connection", "nobody answers")
		}
		offered = append(offered, c)
	}
	f.answer(w, http.StatusOK, map[string]any{
		"status": f.state, "identifier": map[string]any{"type": "dns", "value": name}, "challenges": offered,
	})
}

func (f *fakeDirectory) validate(w http.ResponseWriter, r *http.Request) {
	kind := r.PathValue("type")
	shown := kind == acme.ChallengeTypeHTTP01
	if shown {
		_, shown = f.manager.Challenge("/.well-known/acme-challenge/token")
	} else {
		_, err := f.manager.certificate(&tls.ClientHelloInfo{ServerName: name, SupportedProtos: []string{"acme-tls/1"}})
		shown = err == nil
	}
	if !shown {
		f.t.Errorf("the challenge %s is not shown", kind)
	}
	f.state = "valid"
	if f.closed {
		f.state = "invalid"
		f.failed = append(f.failed, time.Now())
	}
	f.answer(w, http.StatusOK, map[string]any{"type": kind, "url": f.url + r.URL.Path, "token": "token", "status": "processing"})
}

func (f *fakeDirectory) finalize(w http.ResponseWriter, r *http.Request) {
	text, _ := f.said(r)["csr"].(string)
	der, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		f.t.Error(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		f.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(f.orders))), DNSNames: csr.DNSNames,
		NotBefore: time.Now(), NotAfter: time.Now().Add(90 * 24 * time.Hour),
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, f.root, csr.PublicKey, f.rootKey); err == nil {
		f.leaf, err = x509.ParseCertificate(der)
	}
	if err != nil {
		f.t.Error(err)
	}
	w.Header().Set("Location", f.url+"/order/1")
	f.answer(w, http.StatusOK, f.newest("valid"))
}

// gaps are the times between moments, to the second.
func gaps(moments []time.Time) (gaps []time.Duration) {
	for i := 1; i < len(moments); i++ {
		gaps = append(gaps, moments[i].Sub(moments[i-1]).Round(time.Second))
	}
	return gaps
}

// minutes are durations.
func minutes(list ...int) (durations []time.Duration) {
	for _, n := range list {
		durations = append(durations, time.Duration(n)*time.Minute)
	}
	return durations
}

func expectGaps(t *testing.T, moments []time.Time, want []time.Duration) {
	t.Helper()
	// A pause begins when the attempt has ended, some seconds later.
	got := gaps(moments)
	for i := range got {
		got[i] = got[i].Truncate(time.Minute)
	}
	if !slices.Equal(got, want) {
		t.Errorf("attempts %v apart, want %v", got, want)
	}
}
