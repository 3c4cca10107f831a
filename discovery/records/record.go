package records

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ipfs/boxo/ipns"
	ipnspb "github.com/ipfs/boxo/ipns/pb"
	"google.golang.org/protobuf/proto"
)

const (
	// MaxRecord is the size of the largest record that the DHT takes, in bytes.
	// 512 bytes of sealed payload make 727.
	MaxRecord = 1 << 10

	// maxAhead is how far ahead a record may expire. The longest honest one is
	// published 600 s before its hour begins and outlives it by 600 s; the rest
	// is for clocks that differ.
	maxAhead = 2 * time.Hour

	// payloadField is the one field of a record beside those that IPNS defines.
	payloadField = "_ar"

	ipnsPrefix = "/ipns/"
)

// namePrefix is what a routing key has before the 32 bytes of an Ed25519 key:
// the namespace, an identity multihash of 36 bytes, and libp2p's protobuf
// head for that kind of key.
const namePrefix = ipnsPrefix + "\x00\x24\x08\x01\x12\x20"

// routingKey is where the record of name lives in the DHT.
func routingKey(name ed25519.PublicKey) string { return namePrefix + string(name) }

// ErrBadRecord is what every refusal of a record wraps.
var ErrBadRecord = errors.New("bad record")

func badRecord(why string) error { return fmt.Errorf("%w: %s", ErrBadRecord, why) }

// validator decides what the DHT stores here and what a look-up here accepts:
// an IPNS record, V2 only, that is a signed box for opaque bytes and nothing
// else, lives at most maxAhead, and is filed under the Ed25519 key that signed
// it. The stock IPNS validator would take records of any kind with ten years
// to live, which makes every node of the federation free storage.
//
// A record has one encoding: what was understood is encoded again and must be
// equal, so no unknown field, second spelling or trailing byte survives.
type validator struct{}

// Validate implements record.Validator.
func (validator) Validate(key string, value []byte) error {
	name, ok := strings.CutPrefix(key, namePrefix)
	if !ok || len(name) != ed25519.PublicKeySize {
		return badRecord("name is not an Ed25519 key")
	}
	r, err := parseRecord(value)
	if err != nil {
		return err
	}
	signed := append([]byte("ipns-signature:"), r.data...)
	if !ed25519.Verify(ed25519.PublicKey(name), signed, r.signature) {
		return badRecord("signature does not match name")
	}
	switch left := time.Until(r.expires); {
	case left <= 0:
		return badRecord("expired")
	case left > maxAhead:
		return badRecord("expires too far ahead")
	}
	return nil
}

// Select implements record.Validator: the higher sequence number wins, then
// the later expiry, then the greater bytes, so all nodes agree.
func (validator) Select(_ string, values [][]byte) (int, error) {
	best, chosen := parsedRecord{}, -1
	for i, value := range values {
		r, err := parseRecord(value)
		if err != nil {
			continue
		}
		if chosen < 0 || r.newer(best) {
			best, chosen = r, i
		}
	}
	if chosen < 0 {
		return 0, badRecord("none to select from")
	}
	return chosen, nil
}

// parsedRecord is what a record says, before anyone asks whether it is true.
type parsedRecord struct {
	sequence  uint64
	expires   time.Time
	value     []byte // all of it
	data      []byte // the part that is signed
	signature []byte
}

func (r parsedRecord) newer(than parsedRecord) bool {
	if r.sequence != than.sequence {
		return r.sequence > than.sequence
	}
	if !r.expires.Equal(than.expires) {
		return r.expires.After(than.expires)
	}
	return bytes.Compare(r.value, than.value) > 0
}

// parseRecord checks the form of a record, not its signature or age.
func parseRecord(value []byte) (parsedRecord, error) {
	if len(value) > MaxRecord {
		return parsedRecord{}, badRecord("too large")
	}
	var outer ipnspb.IpnsRecord
	if proto.Unmarshal(value, &outer) != nil {
		return parsedRecord{}, badRecord("not an IPNS record")
	}
	again, err := proto.Marshal(&ipnspb.IpnsRecord{SignatureV2: outer.SignatureV2, Data: outer.Data})
	if err != nil || !bytes.Equal(again, value) {
		return parsedRecord{}, badRecord("has fields beside signature and data, or is not canonical")
	}
	inner, err := ipns.UnmarshalRecord(value)
	if err != nil {
		return parsedRecord{}, badRecord("data is not DAG-CBOR")
	}
	sequence, errSequence := inner.Sequence()
	expires, errExpires := inner.Validity()
	ttl, errTTL := inner.TTL()
	if errors.Join(errSequence, errExpires, errTTL) != nil {
		return parsedRecord{}, badRecord("sequence, validity or TTL")
	}
	field, err := inner.Metadata(payloadField)
	if err != nil {
		return parsedRecord{}, badRecord("no field " + payloadField)
	}
	payload, err := field.AsBytes()
	if err != nil {
		return parsedRecord{}, badRecord("field " + payloadField + " is not bytes")
	}
	if !bytes.Equal(outer.Data, canonicalData(payload, sequence, expires, ttl)) {
		return parsedRecord{}, badRecord("has another value or further fields, or is not canonical")
	}
	return parsedRecord{sequence, expires, value, outer.Data, outer.SignatureV2}, nil
}

// canonicalData is the DAG-CBOR that an honest publisher signs: six keys, the
// shorter first, and no negative number.
func canonicalData(payload []byte, sequence uint64, expires time.Time, ttl time.Duration) []byte {
	const mapType, textType, bytesType, uintType = 5 << 5, 3 << 5, 2 << 5, 0
	b := cborHead(nil, mapType, 6)
	key := func(k string) { b = append(cborHead(b, textType, uint64(len(k))), k...) }
	data := func(v []byte) { b = append(cborHead(b, bytesType, uint64(len(v))), v...) }

	key("TTL")
	b = cborHead(b, uintType, uint64(ttl))
	key(payloadField)
	data(payload)
	key("Value")
	data([]byte(ipns.NoopValue))
	key("Sequence")
	b = cborHead(b, uintType, sequence)
	key("Validity")
	data([]byte(expires.UTC().Format(time.RFC3339Nano)))
	key("ValidityType")
	return cborHead(b, uintType, uint64(ipns.ValidityEOL))
}

// cborHead appends a CBOR head of the given major type in its shortest form.
func cborHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, major|27), n)
	}
}
