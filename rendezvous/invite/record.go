package invite

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ipfs/boxo/ipns"
	ipnspb "github.com/ipfs/boxo/ipns/pb"
	"github.com/ipfs/boxo/path"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/crypto/chacha20poly1305"
	"google.golang.org/protobuf/proto"
)

const (
	// MaxRecord is the size of the largest record, bytes. Ours are smaller and
	// all alike.
	MaxRecord = 1 << 10

	// MaxPeerRecord is the size of the largest signed peer record that fits
	// into a record, bytes: about six addresses.
	MaxPeerRecord = recordPlain - recordHead

	recordField   = "_ar"
	recordVersion = 1
	recordPlain   = 512           // version | flags | u16 length | peer record | zeros
	recordHead    = 1 + 1 + 2     // what stands before the peer record
	recordSealed  = 24 + 512 + 16 // nonce | ciphertext | tag

	// lifetime is from the first second in which a record of an epoch may be
	// made to its end of life.
	lifetime = edge + epochSeconds + edge
)

// ErrBadRecord is the only thing OpenRecord says. A record that does not open
// counts as absent, whatever is wrong with it.
var ErrBadRecord = errors.New("bad record")

// A Replica is one of the places where an invite's record is kept for one
// epoch. Nobody without the rendezvous key can tell that two belong together.
type Replica struct {
	name   ed25519.PublicKey
	begins int64  // the epoch's first second, Unix time
	sign   Secret // Ed25519 private key
	seal   Secret // XChaCha20-Poly1305 key
}

// Name returns the public key under which the record is found.
func (r Replica) Name() ed25519.PublicKey { return slices.Clone(r.name) }

// Wipe ends the replica, and every copy of it, like RendezvousKey.Wipe.
func (r Replica) Wipe() {
	r.sign.wipe()
	r.seal.wipe()
}

// Expires returns the end of life of the replica's records: ten minutes after
// the end of the epoch, to the second, so that it tells nothing about when
// they were made or by whom.
func (r Replica) Expires() time.Time {
	return time.Unix(r.begins+epochSeconds+edge, 0).UTC()
}

// RoutingKey returns the key under which a DHT keeps the record: "/ipns/" and
// the name as a libp2p peer ID, in binary.
func (r Replica) RoutingKey() (string, error) {
	pub, err := crypto.UnmarshalEd25519PublicKey(r.name)
	if err != nil {
		return "", fmt.Errorf("encode record name: %w", err)
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("encode record name: %w", err)
	}
	return string(ipns.NameFromPeer(id).RoutingKey()), nil
}

// Format implements fmt.Formatter for every verb.
func (Replica) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Replica) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// A Contact is what a record says once it is open.
type Contact struct {
	PeerRecord []byte // the home node's libp2p signed peer record, its envelope in protobuf
	Flags      byte   // none is defined yet; a reader ignores those it does not know
}

// SealRecord makes the record of replica r at now: an IPNS record (V2 only)
// that points nowhere and carries the sealed contact in the signed extension
// field "_ar". Its sequence counts seconds from ten minutes before the epoch,
// when the first may be made, so a later one replaces an earlier one and none
// is negative; two in one second with different content are a coin toss for
// whoever stores them. It fails if the peer record is longer than
// MaxPeerRecord or now is outside the replica's life.
func SealRecord(r Replica, now time.Time, peerRecord []byte, flags byte) ([]byte, error) {
	seq := now.Unix() - (r.begins - edge)
	if seq < 0 || seq > lifetime {
		return nil, errors.New("seal record: not the time of this epoch")
	}
	if len(peerRecord) > MaxPeerRecord {
		return nil, errors.New("seal record: peer record too long")
	}

	plain := make([]byte, recordPlain)
	plain[0], plain[1] = recordVersion, flags
	binary.BigEndian.PutUint16(plain[2:], uint16(len(peerRecord)))
	copy(plain[recordHead:], peerRecord)

	aead, err := chacha20poly1305.NewX(r.seal.held())
	if err != nil {
		return nil, fmt.Errorf("seal record: %w", err)
	}
	nonce := make([]byte, aead.NonceSize(), recordSealed)
	rand.Read(nonce)
	sealed := aead.Seal(nonce, nonce, plain, r.associated(uint64(seq)))

	return r.signed(uint64(seq), sealed)
}

// signed returns the IPNS record that carries sealed.
func (r Replica) signed(seq uint64, sealed []byte) ([]byte, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(r.sign.Reveal())
	if err != nil {
		return nil, fmt.Errorf("sign record: %w", err)
	}
	noop, err := path.NewPath(ipns.NoopValue)
	if err != nil {
		return nil, fmt.Errorf("sign record: %w", err)
	}
	rec, err := ipns.NewRecord(key, noop, seq, r.Expires(), 0,
		ipns.WithV1Compatibility(false), ipns.WithMetadata(map[string]any{recordField: sealed}))
	if err != nil {
		return nil, fmt.Errorf("sign record: %w", err)
	}
	b, err := ipns.MarshalRecord(rec)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return b, nil
}

// OpenRecord checks that record is one that SealRecord can have made for
// replica r and that is alive at now, and opens it. It trusts no check that
// another node may have made before.
func OpenRecord(r Replica, record []byte, now time.Time) (Contact, error) {
	seq, sealed, ok := r.verified(record)
	if !ok || seq > lifetime || now.After(r.Expires()) {
		return Contact{}, ErrBadRecord
	}
	aead, err := chacha20poly1305.NewX(r.seal.held())
	if err != nil {
		return Contact{}, fmt.Errorf("open record: %w", err)
	}
	nonce, box := sealed[:aead.NonceSize()], sealed[aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, box, r.associated(seq))
	if err != nil || plain[0] != recordVersion {
		return Contact{}, ErrBadRecord
	}
	n := int(binary.BigEndian.Uint16(plain[2:]))
	if n > MaxPeerRecord || !zero(plain[recordHead+n:]) {
		return Contact{}, ErrBadRecord
	}
	return Contact{PeerRecord: plain[recordHead : recordHead+n], Flags: plain[1]}, nil
}

// verified returns sequence and sealed content of a record whose signature,
// form and end of life are those of replica r. sealed is recordSealed bytes.
func (r Replica) verified(record []byte) (seq uint64, sealed []byte, ok bool) {
	if len(record) > MaxRecord {
		return 0, nil, false
	}
	var pb ipnspb.IpnsRecord
	if proto.Unmarshal(record, &pb) != nil {
		return 0, nil, false
	}
	// Only what is signed, and its signature: no legacy or unknown field in
	// which a node that stores the record could leave a mark.
	bare, err := proto.Marshal(&ipnspb.IpnsRecord{Data: pb.GetData(), SignatureV2: pb.GetSignatureV2()})
	if err != nil || !bytes.Equal(bare, record) {
		return 0, nil, false
	}
	if !ed25519.Verify(r.name, slices.Concat([]byte("ipns-signature:"), pb.GetData()), pb.GetSignatureV2()) {
		return 0, nil, false
	}

	rec, err := ipns.UnmarshalRecord(record)
	if err != nil {
		return 0, nil, false
	}
	for key := range rec.MetadataEntries() {
		if key != recordField {
			return 0, nil, false
		}
	}
	field, err := rec.Metadata(recordField)
	if err != nil {
		return 0, nil, false
	}
	sealed, err = field.AsBytes()
	if err != nil || len(sealed) != recordSealed {
		return 0, nil, false
	}
	value, err := rec.Value()
	if err != nil || value.String() != ipns.NoopValue {
		return 0, nil, false
	}
	if eol, err := rec.Validity(); err != nil || !eol.Equal(r.Expires()) {
		return 0, nil, false
	}
	seq, err = rec.Sequence()
	return seq, sealed, err == nil
}

// associated is what the seal covers besides the content.
func (r Replica) associated(seq uint64) []byte {
	return binary.BigEndian.AppendUint64(slices.Concat([]byte("ar1 record"), r.name), seq)
}

func zero(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}
