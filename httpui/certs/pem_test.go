package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A link of a chain, with its key.
type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func issue(t *testing.T, by *issued, subject string, from, to time.Time) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: subject}, NotBefore: from, NotAfter: to,
		IsCA: subject != name, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if subject == name {
		template.DNSNames = []string{name}
	}
	if by == nil {
		by = &issued{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{cert, key}
}

func block(kind string, content []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
}

// TestFilesAsPeopleHaveThem: what can be understood is put right, of the rest
// the error says what to do.
func TestFilesAsPeopleHaveThem(t *testing.T) {
	from, to := time.Now().Add(-time.Hour), time.Now().Add(30*24*time.Hour)
	root := issue(t, nil, "root", from, to)
	middle := issue(t, root, "middle", from, to)
	leaf := issue(t, middle, name, from, to)
	stranger := issue(t, nil, name, from, to)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	l, m, r := block("CERTIFICATE", leaf.cert.Raw), block("CERTIFICATE", middle.cert.Raw), block("CERTIFICATE", root.cert.Raw)
	key := block("PRIVATE KEY", pkcs8)
	const ecParameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
	locked := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte{1}}))
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	utf16 := func(s string) string {
		wide := "\xff\xfe"
		for _, c := range s {
			wide += string([]byte{byte(c), 0})
		}
		return wide
	}
	const mark = "\ufeff"

	for what, c := range map[string]struct {
		cert, key string
		chain     []*issued // what is sent; nil: refused
		want      string    // in the error
	}{
		"chain":                {l + m, key, []*issued{leaf, middle}, ""},
		"root, too":            {l + m + r, key, []*issued{leaf, middle, root}, ""},
		"leaf only":            {l, key, []*issued{leaf}, ""},
		"issuer first":         {m + l, key, []*issued{leaf, middle}, ""},
		"root first":           {r + m + l, key, []*issued{leaf, middle, root}, ""},
		"twice":                {l + l + m + m, key, []*issued{leaf, middle}, ""},
		"a stranger in it":     {block("CERTIFICATE", stranger.cert.Raw) + m + l, key, []*issued{leaf, middle}, ""},
		"CRLF":                 {crlf(l + m), crlf(key), []*issued{leaf, middle}, ""},
		"UTF-8 mark":           {mark + l + m, mark + key, []*issued{leaf, middle}, ""},
		"EC PARAMETERS":        {l + m, ecParameters + block("EC PRIVATE KEY", sec1), []*issued{leaf, middle}, ""},
		"text before":          {"subject=CN = x\n" + l + m, "Bag Attributes\n" + key, []*issued{leaf, middle}, ""},
		"one for both":         {key + l + m, key + l + m, []*issued{leaf, middle}, ""},
		"UTF-16":               {utf16(l + m), key, nil, "cert is text in UTF-16: save it as plain text"},
		"empty":                {"\n", key, nil, "cert is empty"},
		"something else":       {"<html>", key, nil, "has no line -----BEGIN CERTIFICATE-----: copy the PEM file again"},
		"DER":                  {string(leaf.cert.Raw), key, nil, "openssl x509 -inform der -in"},
		"key in DER":           {l + m, string(pkcs8), nil, "openssl pkey -inform der -in"},
		"PKCS #12":             {"\x30\x82\x09\x51\x02\x01\x03\x30\x82", key, nil, "openssl pkcs12 -in"},
		"PKCS #12 as key":      {l + m, "\x30\x82\x09\x51\x02\x01\x03\x30\x82", nil, "openssl pkcs12 -in"},
		"PKCS #7":              {block("PKCS7", []byte{1}), key, nil, "openssl pkcs7 -print_certs -in"},
		"request":              {block("CERTIFICATE REQUEST", []byte{1}), key, nil, "use the file that the authority sent back"},
		"OpenSSL's own":        {block("TRUSTED CERTIFICATE", leaf.cert.Raw), key, nil, "openssl x509 -in"},
		"damaged":              {block("CERTIFICATE", leaf.cert.Raw[:100]), key, nil, "is damaged: copy the file again"},
		"swapped":              {key, l, nil, "holds a certificate and no key: write the path of its key into http.tls.key_file"},
		"key twice":            {key, key, nil, "holds a key and no certificate"},
		"locked key":           {l + m, block("ENCRYPTED PRIVATE KEY", []byte{1}), nil, "locked with a password"},
		"locked key, old form": {l + m, locked, nil, "openssl pkey -in"},
		"key for SSH":          {l + m, block("OPENSSH PRIVATE KEY", []byte{1}), nil, "holds a key for SSH"},
		"key of another":       {block("CERTIFICATE", stranger.cert.Raw), key, nil, "is not that of the certificate in"},
		"issuer's only":        {m, key, nil, "is not that of the certificate in"},
	} {
		dir := t.TempDir()
		certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
		put(t, certFile, []byte(c.cert))
		put(t, keyFile, []byte(c.key))
		manager, err := New(Config{Mode: Files, Name: name, CertFile: certFile, KeyFile: keyFile})
		if c.chain == nil {
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: got %v, want %s", what, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		sent := manager.current.Load().Certificate
		if len(sent) != len(c.chain) {
			t.Errorf("%s: %d certificates are sent, want %d", what, len(sent), len(c.chain))
			continue
		}
		for i, want := range c.chain {
			if !bytes.Equal(sent[i], want.cert.Raw) {
				t.Errorf("%s: certificate %d is another", what, i)
			}
		}
		if got := manager.Status().LacksIssuer; got != (len(c.chain) == 1) {
			t.Errorf("%s: lacks its issuer: %v", what, got)
		}
	}
}

// TestSelfSignedLacksNoIssuer: it is its own.
func TestSelfSignedLacksNoIssuer(t *testing.T) {
	m, _, _ := filesManager(t, t.Output())
	if m.Status().LacksIssuer {
		t.Error("whose would it be?")
	}
}

// TestGoodCertificateStaysInUse when the files get one that has ended, or has
// not begun, and it is said until that is mended.
func TestGoodCertificateStaysInUse(t *testing.T) {
	now := time.Now()
	m, certFile, keyFile := filesManager(t, t.Output())
	old := served(m)
	for _, span := range [][2]time.Duration{{-48 * time.Hour, -24 * time.Hour}, {24 * time.Hour, 48 * time.Hour}} {
		bad := issue(t, nil, name, now.Add(span[0]), now.Add(span[1]))
		key, err := x509.MarshalPKCS8PrivateKey(bad.key)
		if err != nil {
			t.Fatal(err)
		}
		put(t, certFile, []byte(block("CERTIFICATE", bad.cert.Raw)))
		put(t, keyFile, []byte(block("PRIVATE KEY", key)))
		for range 2 {
			m.take(m.source.next(t.Context(), m.current.Load()))
			if !served(m).Equal(old) || !strings.Contains(m.Status().Reason, "so the one before stays in use") {
				t.Errorf("%v: served until %v; %+v", span, served(m).NotAfter, m.Status())
			}
		}
	}
}
