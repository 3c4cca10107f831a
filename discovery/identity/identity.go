// Package identity keeps the key that a node is known by, in a file, and says
// what logs call the node.
package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery/atomicfile"
)

// LoadOrCreate is LoadIdentity, and makes a key on the first run, which
// the caller knows by what else there is. Nothing but a missing file leads to a
// new key: a node that lost its identity must say so, not come back as a
// stranger.
func LoadOrCreate(path string) (crypto.PrivKey, error) {
	key, err := Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path)
	}
	return key, err
}

// Load returns the Ed25519 key that path holds as PKCS #8 PEM. Whoever
// reads the file can pose as this node to its peers, so a mode that lets others
// read it is refused, with the fix in the error. The error is fs.ErrNotExist if
// there is no file.
func Load(path string) (crypto.PrivKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	if !info.Mode().IsRegular() { // to open a pipe is to wait for its writer
		return nil, fmt.Errorf("read identity: %s is not a file: put back the one that belongs there", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("read identity: %s has mode %04o and other users may read it; run: chmod 600 %s", path, mode, path)
	}
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) != 0 {
		return nil, fmt.Errorf("read identity: %s is damaged, as it is not one PEM block PRIVATE KEY: put back the one that belongs there", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read identity: %s is damaged, as it is no PKCS #8 key: put back the one that belongs there", path)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read identity: %s holds a key of another kind, want Ed25519", path)
	}
	return crypto.UnmarshalEd25519PrivateKey(private)
}

func create(path string) (crypto.PrivKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make identity: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("make identity: %w", err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	err = atomicfile.Write(path, block, os.Link) // which does not replace
	if errors.Is(err, fs.ErrExist) {             // another program of this node was first
		return LoadOrCreate(path)
	}
	if err != nil {
		return nil, fmt.Errorf("write identity: %w", err)
	}
	return crypto.UnmarshalEd25519PrivateKey(private)
}

// Short is how a node is named in logs: by the last six characters of its ID.
func Short(p peer.ID) string {
	s := p.String()
	return s[max(0, len(s)-6):]
}
