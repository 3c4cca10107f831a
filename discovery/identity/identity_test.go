package identity

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"golang.org/x/sync/errgroup"
)

func TestIdentityIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.key")
	first, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadOrCreate(path)
	if err != nil || !again.Equals(first) {
		t.Fatalf("another key the second time: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// A set-up script may ask for the card while the daemon starts for the first time.
func TestIdentityIsOneForAllWhoMakeIt(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "identity.key")
		keys := make([]crypto.PrivKey, 8)
		var g errgroup.Group
		for i := range keys {
			g.Go(func() (err error) {
				keys[i], err = LoadOrCreate(path)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		kept, err := LoadOrCreate(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if !key.Equals(kept) {
				t.Fatal("one has another key than the file")
			}
		}
	}
}

// A file that is not what it should be is an error, never a new identity.
func TestIdentityRefuses(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if _, err := LoadOrCreate(good); err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	const p256 = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2
OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r
1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G
-----END PRIVATE KEY-----
`
	tests := []struct {
		name, content string
		mode          os.FileMode
		want          string
	}{
		{"others may read", string(pem), 0o640, "chmod 600"},
		{"empty", "", 0o600, "damaged"},
		{"cut", string(pem[:len(pem)/2]), 0o600, "damaged"},
		{"trailing data", string(pem) + "x", 0o600, "damaged"},
		{"other block", strings.ReplaceAll(string(pem), "PRIVATE KEY", "CERTIFICATE"), 0o600, "damaged"},
		{"other kind", p256, 0o600, "another kind"},
	}
	for _, test := range tests {
		path := filepath.Join(dir, strings.ReplaceAll(test.name, " ", "-"))
		if err := os.WriteFile(path, []byte(test.content), test.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadOrCreate(path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		if after, _ := os.ReadFile(path); string(after) != test.content {
			t.Errorf("%s: the file was changed", test.name)
		}
	}
	if _, err := LoadOrCreate(filepath.Join(dir, "no", "such", "directory")); err == nil {
		t.Error("wrote into a directory that is not there")
	}
	if _, err := LoadOrCreate(dir); err == nil {
		t.Error("read a directory")
	}
}
