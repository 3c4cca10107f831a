package discovery

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
)

func TestSignedRecordFits(t *testing.T) {
	long := "/dns4/" + strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + ".example.org/udp/4001/quic-v1"
	announce := []string{long, long + "1", "/ip4/9.9.9.9/tcp/4001", "/ip6/2a00::1/udp/4001/quic-v1"}
	announce[1] = strings.Replace(long, "/udp/4001/quic-v1", "/tcp/4001", 1)
	d := run(t, Config{Announce: announce})
	signed, err := d.SignedRecord()
	if err != nil {
		t.Fatal(err)
	}
	if len(signed) > MaxSignedRecord {
		t.Errorf("%d bytes, more than %d", len(signed), MaxSignedRecord)
	}
	info, err := d.Consume(signed)
	if err != nil || info.ID != d.ID() || len(info.Addrs) < 3 {
		t.Fatalf("got %v, %v", info, err)
	}
	if !info.Addrs[0].Equal(ma.StringCast(long)) {
		t.Errorf("first address is %v", info.Addrs[0])
	}

	many := make([]string, 20)
	for i := range many {
		many[i] = fmt.Sprintf("/ip4/9.9.9.%d/udp/4001/quic-v1", i)
	}
	d = run(t, Config{Announce: many})
	if signed, err = d.SignedRecord(); err != nil {
		t.Fatal(err)
	}
	if info, err = d.Consume(signed); err != nil || len(info.Addrs) != address.Max {
		t.Errorf("got %d addresses, %v, want %d", len(info.Addrs), err, address.Max)
	}
}

func TestSignedRecordWithoutAddress(t *testing.T) {
	hidden := run(t, Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}}) // private addresses not allowed
	if _, err := hidden.SignedRecord(); !errors.Is(err, ErrNoAddress) {
		t.Errorf("got %v, want ErrNoAddress", err)
	}
	for _, a := range hidden.host.Addrs() {
		t.Errorf("tells others of %s", a)
	}
}

func TestConsume(t *testing.T) {
	strict, lan := run(t, Config{}), onLoopback(t, Config{})
	key := newKey(t)
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	mixed := addrs("/ip4/127.0.0.1/tcp/1", "/ip4/9.9.9.9/udp/1/quic-v1", "/ip4/192.168.0.1/tcp/1", "/ip4/0.0.0.0/tcp/1")
	good, err := address.Seal(key, mixed, MaxSignedRecord)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := strict.Consume(good); err != nil || info.ID != id || len(info.Addrs) != 1 {
		t.Errorf("public only: got %v, %v", info, err)
	}
	if info, err := lan.Consume(good); err != nil || len(info.Addrs) != 3 {
		t.Errorf("private allowed: got %v, %v", info, err)
	}

	seal := func(signer crypto.PrivKey, id peer.ID) []byte {
		envelope, err := record.Seal(peer.PeerRecordFromAddrInfo(peer.AddrInfo{ID: id, Addrs: mixed}), signer)
		if err != nil {
			t.Fatal(err)
		}
		data, err := envelope.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	other, _, err := crypto.GenerateECDSAKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherID, err := peer.IDFromPrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{
		"empty": nil, "garbage": []byte("garbage"), "cut": good[:len(good)-1], "oversized": append(slices.Clone(good), make([]byte, MaxSignedRecord)...),
		"of another node": seal(newKey(t), id), "with a key of another kind": seal(other, otherID),
	}
	for what, data := range bad {
		if _, err := strict.Consume(data); !errors.Is(err, address.ErrBadRecord) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	for i := range good {
		flipped := slices.Clone(good)
		flipped[i] ^= 1
		if info, err := strict.Consume(flipped); err == nil {
			t.Errorf("byte %d flipped: accepted as %v", i, info)
		}
	}
}
