package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"
)

// What people put into the two files is not always what browsers need. Whatever
// can be understood is put right; of the rest the error says what to do.

// bom begins what some editors save, UTF-16 what others do.
var (
	bom   = []byte("\ufeff")
	utf16 = [][]byte{{0xff, 0xfe}, {0xfe, 0xff}}
)

// readPair returns the certificate in chain that key belongs to, followed by
// those of its issuers that are there, whatever their order. The names of the
// files are for errors.
func readPair(certFile, keyFile string, chain, key []byte) (*tls.Certificate, error) {
	key = bytes.TrimPrefix(key, bom)
	if err := checkKeyBlocks(keyFile, key); err != nil {
		return nil, err
	}
	list, err := certificates(certFile, bytes.TrimPrefix(chain, bom))
	if err != nil {
		return nil, err
	}
	var pair *tls.Certificate
	var leaf *x509.Certificate
	for _, c := range list {
		found, err := tls.X509KeyPair(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), key)
		if err == nil && (leaf == nil || c.NotAfter.After(leaf.NotAfter)) {
			pair, leaf = &found, c
		}
	}
	if pair == nil {
		return nil, fmt.Errorf("the key in %s is not that of the certificate in %s: use the two that were made together", keyFile, certFile)
	}
	for last := leaf; !selfSigned(last); {
		at := slices.IndexFunc(list, func(c *x509.Certificate) bool {
			return c != last && bytes.Equal(c.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(c) == nil
		})
		if at < 0 || len(pair.Certificate) > len(list) { // those that sign each other have no end
			break
		}
		last = list[at]
		pair.Certificate = append(pair.Certificate, last.Raw)
	}
	return pair, nil
}

func selfSigned(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// lacksIssuer reports whether phones, and whatever else fetches nothing, cannot
// tell that cert is good: it stands alone, and its issuer is none that this
// computer knows.
func lacksIssuer(cert *tls.Certificate) bool {
	if len(cert.Certificate) > 1 || selfSigned(cert.Leaf) {
		return false
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{CurrentTime: cert.Leaf.NotBefore.Add(time.Second), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err != nil
}

// certificates returns those in content, which is PEM.
func certificates(file string, content []byte) (list []*x509.Certificate, err error) {
	types := make(map[string]bool)
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		types[block.Type] = true
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("a certificate in %s is damaged: copy the file again", file)
		}
		list = append(list, c)
	}
	switch {
	case len(list) > 0:
		return list, nil
	case types["PKCS7"]:
		return nil, fmt.Errorf("%s is a PKCS #7 file: take the certificates out of it with openssl pkcs7 -print_certs -in %[1]s -out fullchain.pem", file)
	case types["CERTIFICATE REQUEST"] || types["NEW CERTIFICATE REQUEST"]:
		return nil, fmt.Errorf("%s asks for a certificate and is none: use the file that the authority sent back", file)
	case types["TRUSTED CERTIFICATE"]:
		return nil, fmt.Errorf("%s holds a certificate in a form of OpenSSL's own: write it anew with openssl x509 -in %[1]s -out fullchain.pem", file)
	case hasKey(types):
		return nil, fmt.Errorf("%s holds a key and no certificate: write the path of the certificate into http.tls.cert_file", file)
	}
	return nil, notPEM(file, content, "CERTIFICATE")
}

// checkKeyBlocks says what keeps the key in content from being used.
func checkKeyBlocks(file string, content []byte) error {
	types := make(map[string]bool)
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		types[block.Type] = true
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return fmt.Errorf("the key in %s is locked with a password, which nobody can type when Anteroom starts: write it without one with openssl pkey -in %[1]s -out privkey.pem, and keep that file to yourself", file)
		}
	}
	switch {
	case types["OPENSSH PRIVATE KEY"]:
		return fmt.Errorf("%s holds a key for SSH: use the one that was made with the certificate", file)
	case hasKey(types):
		return nil
	case types["CERTIFICATE"]:
		return fmt.Errorf("%s holds a certificate and no key: write the path of its key into http.tls.key_file", file)
	}
	return notPEM(file, content, "PRIVATE KEY")
}

func hasKey(types map[string]bool) bool {
	for kind := range types {
		if strings.HasSuffix(kind, "PRIVATE KEY") {
			return true
		}
	}
	return false
}

// notPEM says what a file is that has no block of this kind.
func notPEM(file string, content []byte, kind string) error {
	isKey := func() bool {
		_, err8 := x509.ParsePKCS8PrivateKey(content)
		_, err1 := x509.ParsePKCS1PrivateKey(content)
		_, errEC := x509.ParseECPrivateKey(content)
		return err8 == nil || err1 == nil || errEC == nil
	}
	switch _, err := x509.ParseCertificate(content); {
	case len(bytes.TrimSpace(content)) == 0:
		return fmt.Errorf("%s is empty: copy the file again", file)
	case err == nil:
		return fmt.Errorf("%s is a certificate in DER, not PEM: change it with openssl x509 -inform der -in %[1]s -out cert.pem, and put the issuer's behind it", file)
	case isKey():
		return fmt.Errorf("%s is a key in DER, not PEM: change it with openssl pkey -inform der -in %[1]s -out privkey.pem", file)
	case content[0] == 0x30 && bytes.Contains(content[:min(len(content), 16)], []byte{0x02, 0x01, 0x03}): // a sequence that begins with version 3
		return fmt.Errorf("%s is a PKCS #12 file (.pfx or .p12): take it apart with openssl pkcs12 -in %[1]s -nodes -out both.pem, which can stand for both files", file)
	case slices.ContainsFunc(utf16, func(mark []byte) bool { return bytes.HasPrefix(content, mark) }):
		return fmt.Errorf("%s is text in UTF-16: save it as plain text", file)
	}
	return fmt.Errorf("%s has no line -----BEGIN %s-----: copy the PEM file again", file, kind)
}

// unreadable says who could not read a file, and what to do.
func unreadable(what, file string, err error) error {
	if !errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("read %s: %w", what, err)
	}
	who := "this user"
	if u, err := user.Current(); err == nil {
		who = "user " + u.Username
	}
	return fmt.Errorf("%s may not read the %s, %s: let a group that it is in read the file (chmod 640) and enter the folders above it, or put a copy of the file where it may", who, what, file)
}
