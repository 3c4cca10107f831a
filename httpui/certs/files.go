package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"
)

// fileInterval is how often the two files are read. They are small, and there
// is no time at which a program that renews them would tell us.
const fileInterval = 10 * time.Second

// files is a certificate that somebody else renews.
type files struct {
	name              string
	certFile, keyFile string
	interval          time.Duration

	chain, key []byte // as they were last read
}

func newFiles(cfg Config) (*files, *tls.Certificate, error) {
	f := &files{name: cfg.Name, certFile: cfg.CertFile, keyFile: cfg.KeyFile, interval: fileInterval}
	cert, err := f.load(nil)
	if err != nil {
		return nil, nil, err
	}
	return f, cert, nil
}

// next implements source. A pair that cannot be used, perhaps because only one
// half of it has been replaced so far, leaves the old one in use.
func (f *files) next(_ context.Context, old *tls.Certificate) (*tls.Certificate, time.Duration, error) {
	cert, err := f.load(old)
	return cert, f.interval, err
}

// load returns the certificate if the files have changed since the last good
// one, otherwise nil. One that is good now gives way to no other.
func (f *files) load(old *tls.Certificate) (*tls.Certificate, error) {
	chain, err := os.ReadFile(f.certFile)
	if err != nil {
		return nil, unreadable("certificate", f.certFile, err)
	}
	if err := checkKey(f.keyFile); err != nil {
		return nil, err
	}
	key, err := os.ReadFile(f.keyFile)
	if err != nil {
		return nil, unreadable("key of certificate", f.keyFile, err)
	}
	if bytes.Equal(chain, f.chain) && bytes.Equal(key, f.key) {
		return nil, nil
	}
	cert, err := readPair(f.certFile, f.keyFile, chain, key)
	if err == nil {
		err = isFor(cert, f.name)
	}
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	if now := time.Now(); old != nil && good(old, now) && !good(cert, now) {
		return nil, fmt.Errorf("the new certificate in %s is good from %s to %s only, so the one before stays in use", f.certFile,
			cert.Leaf.NotBefore.Local().Format(time.DateOnly), cert.Leaf.NotAfter.Local().Format(time.DateOnly))
	}
	f.chain, f.key = chain, key
	return cert, nil
}

func good(cert *tls.Certificate, now time.Time) bool {
	return !now.Before(cert.Leaf.NotBefore) && now.Before(cert.Leaf.NotAfter)
}

// checkKey refuses a key that everybody on this computer can read, or that
// others can replace. A group may read it: that is how services share one, and
// the command that mends the mode leaves it that.
func checkKey(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return unreadable("key of certificate", path, err)
	}
	const others fs.FileMode = 0o027
	if mode := info.Mode().Perm(); mode&others != 0 && runtime.GOOS != "windows" { // has no such modes
		return fmt.Errorf("%s is open to other users (mode %04o): run chmod %o %[1]s", path, mode, mode&^others)
	}
	return nil
}
