package records

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ipfs/boxo/ipns"
	ipnspb "github.com/ipfs/boxo/ipns/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"anteroom/discovery/records/recordtest"
)

func TestRoutingKeyIsThatOfIPNS(t *testing.T) {
	name := recordtest.New(t)
	key, err := crypto.UnmarshalEd25519PublicKey(name.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := routingKey(name.PublicKey), string(ipns.NameFromPeer(id).RoutingKey()); got != want {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestValidate(t *testing.T) {
	name := recordtest.New(t)
	good := name.Sign(t, recordtest.Draft{})
	reordered := func() []byte {
		var outer ipnspb.IpnsRecord
		if err := proto.Unmarshal(good, &outer); err != nil {
			t.Fatal(err)
		}
		b := protowire.AppendTag(nil, 9, protowire.BytesType)
		b = protowire.AppendBytes(b, outer.Data)
		b = protowire.AppendTag(b, 8, protowire.BytesType)
		return protowire.AppendBytes(b, outer.SignatureV2)
	}
	tests := []struct {
		name   string
		record []byte
		ok     bool
	}{
		{"good", good, true},
		{"higher sequence", name.Sign(t, recordtest.Draft{Seq: 4200}), true},
		{"empty payload", name.Sign(t, recordtest.Draft{Payload: []byte{}}), true},
		{"largest payload", name.Sign(t, recordtest.Draft{Payload: make([]byte, 800)}), true},
		{"expires just within limit", name.Sign(t, recordtest.Draft{Ahead: maxAhead}), true},

		{"empty", nil, false},
		{"not a record", []byte("hello"), false},
		{"oversized", name.Sign(t, recordtest.Draft{Payload: make([]byte, MaxRecord)}), false},
		{"expired", name.Sign(t, recordtest.Draft{Ahead: -time.Second}), false},
		{"expires too far ahead", name.Sign(t, recordtest.Draft{Ahead: maxAhead + 2*time.Second}), false},
		{"ten years", name.Sign(t, recordtest.Draft{Ahead: 10 * 365 * 24 * time.Hour}), false},
		{"signed by another key", recordtest.New(t).Sign(t, recordtest.Draft{}), false},
		{"foreign IPNS record", name.Sign(t, recordtest.Draft{Value: "/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", Metadata: map[string]any{}}), false},
		{"value beside payload", name.Sign(t, recordtest.Draft{Value: "/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"}), false},
		{"no payload", name.Sign(t, recordtest.Draft{Metadata: map[string]any{}}), false},
		{"payload is text", name.Sign(t, recordtest.Draft{Metadata: map[string]any{payloadField: "text"}}), false},
		{"unknown field", name.Sign(t, recordtest.Draft{Metadata: map[string]any{payloadField: []byte{1}, "_x": []byte{2}}}), false},
		{"payload of another name", name.Sign(t, recordtest.Draft{Metadata: map[string]any{"_aq": []byte{1}}}), false},
		{"with version 1 fields", name.Sign(t, recordtest.Draft{Options: []ipns.Option{ipns.WithV1Compatibility(true)}}), false},
		{"with embedded key", name.Sign(t, recordtest.Draft{Options: []ipns.Option{ipns.WithPublicKey(true)}}), false},
		{"trailing bytes", append(slices.Clone(good), 0x7a, 0), false},
		{"twice", append(slices.Clone(good), good...), false},
		{"fields in another order", reordered(), false},
		{"sequence above 2^63", name.Sign(t, recordtest.Draft{Seq: 1 << 63}), false},
	}
	for _, test := range tests {
		err := validator{}.Validate(routingKey(name.PublicKey), test.record)
		if test.ok != (err == nil) {
			t.Errorf("%s: got %v", test.name, err)
		}
		if err != nil && !errors.Is(err, ErrBadRecord) {
			t.Errorf("%s: %v is not errBadRecord", test.name, err)
		}
	}
}

// A record belongs under one key of one spelling.
func TestValidateName(t *testing.T) {
	name := recordtest.New(t)
	rec := name.Sign(t, recordtest.Draft{})
	key := routingKey(name.PublicKey)
	if err := (validator{}).Validate(key, rec); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "/ipns/", key[:len(key)-1], key + "x", "/pk/" + key[len(ipnsPrefix):], "ipns" + key[len(ipnsPrefix):],
		routingKey(recordtest.New(t).PublicKey), ipnsPrefix + string(name.PublicKey),
	} {
		if (validator{}).Validate(bad, rec) == nil {
			t.Errorf("accepted under %x", bad)
		}
	}
}

func TestEveryBitOfARecordCounts(t *testing.T) {
	name := recordtest.New(t)
	rec := name.Sign(t, recordtest.Draft{Payload: make([]byte, 64)})
	key := routingKey(name.PublicKey)
	for i := range rec {
		for bit := range 8 {
			flipped := slices.Clone(rec)
			flipped[i] ^= 1 << bit
			if (validator{}).Validate(key, flipped) == nil {
				t.Errorf("accepted with bit %d of byte %d flipped", bit, i)
			}
		}
		if (validator{}).Validate(key, rec[:i]) == nil {
			t.Errorf("accepted when cut to %d bytes", i)
		}
	}
}

func TestSelect(t *testing.T) {
	name := recordtest.New(t)
	old := name.Sign(t, recordtest.Draft{Seq: 1})
	later := name.Sign(t, recordtest.Draft{Seq: 1, Ahead: 81 * time.Minute})
	newer := name.Sign(t, recordtest.Draft{Seq: 2, Ahead: time.Minute})
	twinA, twinB := name.Sign(t, recordtest.Draft{Payload: []byte{1}}), name.Sign(t, recordtest.Draft{Payload: []byte{2}})
	tests := []struct {
		name   string
		values [][]byte
		want   int
	}{
		{"one", [][]byte{old}, 0},
		{"higher sequence", [][]byte{old, newer, later}, 1},
		{"later expiry", [][]byte{later, old}, 0},
		{"same twice", [][]byte{old, old}, 0},
		{"bad ones are skipped", [][]byte{{1, 2, 3}, old}, 1},
	}
	for _, test := range tests {
		if got, err := (validator{}).Select("", test.values); err != nil || got != test.want {
			t.Errorf("%s: got %d, %v, want %d", test.name, got, err, test.want)
		}
	}
	ab, _ := validator{}.Select("", [][]byte{twinA, twinB})
	ba, _ := validator{}.Select("", [][]byte{twinB, twinA})
	if ab == ba {
		t.Error("the order in which equal records came decides between them")
	}
	if _, err := (validator{}).Select("", [][]byte{{1}}); err == nil {
		t.Error("selected from nothing")
	}
}

// What we accept is canonical, small, and a valid IPNS record for everyone.
func FuzzValidate(f *testing.F) {
	name := recordtest.New(f)
	for _, d := range []recordtest.Draft{
		{},
		{Seq: 30, Payload: []byte{}},
		{Metadata: map[string]any{}},
		{Metadata: map[string]any{"_x": 1, payloadField: []byte{1}}},
		{Options: []ipns.Option{ipns.WithV1Compatibility(true)}},
		{Ahead: -time.Hour},
	} {
		f.Add([]byte(name.PublicKey), name.Sign(f, d))
	}
	f.Add([]byte(name.PublicKey), []byte{})
	f.Fuzz(func(t *testing.T, public, rec []byte) {
		key := routingKey(ed25519.PublicKey(public))
		parsed, parseErr := parseRecord(rec)
		err := validator{}.Validate(key, rec)
		if err != nil {
			return
		}
		if parseErr != nil || len(rec) > MaxRecord || len(public) != ed25519.PublicKeySize {
			t.Fatalf("accepted a bad record: %v, %d bytes, key of %d bytes", parseErr, len(rec), len(public))
		}
		if err := (ipns.Validator{}).Validate(key, rec); err != nil {
			t.Errorf("IPNS does not accept it: %v", err)
		}
		if !bytes.Equal(parsed.value, rec) {
			t.Error("parsed something else")
		}
	})
}
