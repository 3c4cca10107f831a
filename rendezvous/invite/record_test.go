package invite

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"anteroom/rendezvous/internal/vectors"

	"github.com/ipfs/boxo/ipns"
	ipnspb "github.com/ipfs/boxo/ipns/pb"
	"github.com/ipfs/boxo/path"
	"github.com/libp2p/go-libp2p/core/crypto"
	"golang.org/x/crypto/chacha20poly1305"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// noon is when most tests take place.
var noon = time.Unix(1_800_000_000, 0)

// replicaAt returns replica 0 of the first vector's invite at noon.
func replicaAt(t testing.TB) (RendezvousKey, Replica) {
	t.Helper()
	rdv := fromVector(t, vectors.Load(t)[0]).Host.Rendezvous
	return rdv, rdv.Replica(rdv.Epoch(noon), 0)
}

func seal(t testing.TB, r Replica, now time.Time, content []byte) []byte {
	t.Helper()
	b, err := SealRecord(r, now, content, 0)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordRoundTrip(t *testing.T) {
	_, r := replicaAt(t)
	for _, n := range []int{0, 1, 342, MaxPeerRecord} {
		content := make([]byte, n)
		rand.Read(content)
		record, err := SealRecord(r, noon, content, 0x81)
		if err != nil {
			t.Fatal(err)
		}
		if len(record) > MaxRecord {
			t.Errorf("a record of %d bytes", len(record))
		}
		got, err := OpenRecord(r, record, noon)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.PeerRecord, content) || got.Flags != 0x81 {
			t.Errorf("%d bytes did not come back", n)
		}
	}
}

func TestRecordHasNoRoomForMore(t *testing.T) {
	_, r := replicaAt(t)
	if _, err := SealRecord(r, noon, make([]byte, MaxPeerRecord+1), 0); err == nil {
		t.Error("a peer record that does not fit was sealed")
	}
}

// The public IPFS DHT, and ours, must take a record for what it is.
func TestRecordPassesTheStockValidator(t *testing.T) {
	rdv, _ := replicaAt(t)
	now := time.Now()
	for i := range Replicas {
		r := rdv.Replica(rdv.Epoch(now), i)
		key, err := r.RoutingKey()
		if err != nil {
			t.Fatal(err)
		}
		record := seal(t, r, now, []byte("peer record"))
		if err := (ipns.Validator{}).Validate(key, record); err != nil {
			t.Errorf("replica %d: %v", i, err)
		}
		other, err := rdv.Replica(rdv.Epoch(now), (i+1)%Replicas).RoutingKey()
		if err != nil {
			t.Fatal(err)
		}
		if (ipns.Validator{}).Validate(other, record) == nil {
			t.Errorf("replica %d passes under another replica's name", i)
		}
	}
}

func TestRecordTimes(t *testing.T) {
	rdv, r := replicaAt(t)
	begins := time.Unix(r.begins, 0)
	if got := rdv.Epoch(begins); got != rdv.Epoch(noon) {
		t.Fatalf("the epoch's first second is in epoch %d", got)
	}
	if got := rdv.Epoch(begins.Add(-time.Second)); got != rdv.Epoch(noon)-1 {
		t.Fatalf("the second before the epoch is in epoch %d", got)
	}
	eol := begins.Add(time.Hour + 10*time.Minute)
	if !r.Expires().Equal(eol) {
		t.Fatalf("expires %v, want %v", r.Expires(), eol)
	}

	for name, row := range map[string]struct {
		at  time.Time
		ok  bool
		seq uint64
	}{
		"too early":        {begins.Add(-601 * time.Second), false, 0},
		"as early as can":  {begins.Add(-600 * time.Second), true, 0},
		"first second":     {begins, true, 600},
		"last second":      {begins.Add(3599 * time.Second), true, 4199},
		"as late as can":   {eol, true, 4800},
		"after its end":    {eol.Add(time.Second), false, 0},
		"an hour and more": {begins.Add(2 * time.Hour), false, 0},
	} {
		record, err := SealRecord(r, row.at, []byte("x"), 0)
		if (err == nil) != row.ok {
			t.Errorf("%s: err = %v", name, err)
			continue
		}
		if !row.ok {
			continue
		}
		rec, err := ipns.UnmarshalRecord(record)
		if err != nil {
			t.Fatal(err)
		}
		if seq, err := rec.Sequence(); err != nil || seq != row.seq {
			t.Errorf("%s: sequence = %d, want %d (%v)", name, seq, row.seq, err)
		}
		if got, err := rec.Validity(); err != nil || !got.Equal(eol) {
			t.Errorf("%s: end of life = %v, want %v (%v)", name, got, eol, err)
		}
		if _, err := OpenRecord(r, record, eol); err != nil {
			t.Errorf("%s: not open at its end of life: %v", name, err)
		}
		if _, err := OpenRecord(r, record, eol.Add(time.Second)); !errors.Is(err, ErrBadRecord) {
			t.Errorf("%s: open after its end of life: %v", name, err)
		}
	}
}

func TestEpochsNearAnEdge(t *testing.T) {
	rdv, r := replicaAt(t)
	begins, e := time.Unix(r.begins, 0), rdv.Epoch(noon)
	for name, row := range map[string]struct {
		after time.Duration
		want  []Epoch
	}{
		"begins":          {0, []Epoch{e, e - 1}},
		"just after":      {599 * time.Second, []Epoch{e, e - 1}},
		"ten minutes in":  {600 * time.Second, []Epoch{e}},
		"middle":          {30 * time.Minute, []Epoch{e}},
		"before the edge": {2999 * time.Second, []Epoch{e}},
		"near the edge":   {3000 * time.Second, []Epoch{e, e + 1}},
		"last second":     {3599 * time.Second, []Epoch{e, e + 1}},
	} {
		got := rdv.Epochs(begins.Add(row.after))
		if len(got) != len(row.want) {
			t.Errorf("%s: %v, want %v", name, got, row.want)
			continue
		}
		for i := range got {
			if got[i] != row.want[i] {
				t.Errorf("%s: %v, want %v", name, got, row.want)
			}
			if _, err := SealRecord(rdv.Replica(got[i], 0), begins.Add(row.after), nil, 0); err != nil {
				t.Errorf("%s: epoch %d cannot be published: %v", name, got[i], err)
			}
		}
	}
}

func TestAnyChangedBitMakesARecordAbsent(t *testing.T) {
	_, r := replicaAt(t)
	record := seal(t, r, noon, []byte("peer record"))
	for i := range len(record) * 8 {
		bad := bytes.Clone(record)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := OpenRecord(r, bad, noon); !errors.Is(err, ErrBadRecord) {
			t.Fatalf("bit %d: err = %v", i, err)
		}
	}
	for n := range record {
		if _, err := OpenRecord(r, record[:n], noon); !errors.Is(err, ErrBadRecord) {
			t.Fatalf("%d bytes: err = %v", n, err)
		}
	}
}

func TestRecordOfAnotherPlaceIsAbsent(t *testing.T) {
	rdv, r := replicaAt(t)
	record := seal(t, r, noon, []byte("peer record"))
	other := fromVector(t, vectors.Load(t)[1]).Host.Rendezvous
	for name, q := range map[string]Replica{
		"another replica": rdv.Replica(rdv.Epoch(noon), 1),
		"another epoch":   rdv.Replica(rdv.Epoch(noon)+1, 0),
		"another invite":  other.Replica(other.Epoch(noon), 0),
	} {
		if _, err := OpenRecord(q, record, noon); !errors.Is(err, ErrBadRecord) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

// forgery is a record by someone who has the signing key, or a node that adds
// to a good one: every rule is tried alone.
type forgery struct {
	value    string
	seq      uint64
	eol      time.Time
	v1       bool
	embedKey bool
	field    string
	more     map[string]any
	plain    func([]byte)
	sealSeq  uint64
	nonce    int // bytes of nonce and ciphertext to drop
}

// faithful is a forgery that is none: with its nonce of zeros, every run and
// every fuzzing process makes the same record.
func faithful(r Replica) forgery {
	return forgery{value: ipns.NoopValue, seq: 7, sealSeq: 7, eol: r.Expires(), field: recordField}
}

func (f forgery) make(t testing.TB, r Replica) []byte {
	t.Helper()
	plain := make([]byte, recordPlain)
	plain[0] = recordVersion
	binary.BigEndian.PutUint16(plain[2:], 3)
	copy(plain[recordHead:], "abc")
	if f.plain != nil {
		f.plain(plain)
	}
	aead, err := chacha20poly1305.NewX(r.seal.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, aead.NonceSize())
	sealed := aead.Seal(nonce, nonce, plain, r.associated(f.sealSeq))
	meta := map[string]any{f.field: sealed[f.nonce:]}
	for k, v := range f.more {
		meta[k] = v
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(r.sign.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	value, err := path.NewPath(f.value)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := ipns.NewRecord(key, value, f.seq, f.eol, 0, ipns.WithV1Compatibility(f.v1),
		ipns.WithPublicKey(f.embedKey), ipns.WithMetadata(meta))
	if err != nil {
		t.Fatal(err)
	}
	b, err := ipns.MarshalRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordFormIsStrict(t *testing.T) {
	_, r := replicaAt(t)
	good := func() forgery { return faithful(r) }
	if got, err := OpenRecord(r, good().make(t, r), noon); err != nil || string(got.PeerRecord) != "abc" {
		t.Fatalf("the pattern for the forgeries does not open: %v", err)
	}
	for name, change := range map[string]func(*forgery){
		"points somewhere":       func(f *forgery) { f.value = "/ipfs/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy" },
		"lives longer":           func(f *forgery) { f.eol = f.eol.Add(time.Second) },
		"lives shorter":          func(f *forgery) { f.eol = f.eol.Add(-time.Nanosecond) },
		"ten years":              func(f *forgery) { f.eol = f.eol.AddDate(10, 0, 0) },
		"legacy fields":          func(f *forgery) { f.v1 = true },
		"embedded key":           func(f *forgery) { f.embedKey = true },
		"another field's name":   func(f *forgery) { f.field = "_as" },
		"a second field":         func(f *forgery) { f.more = map[string]any{"_more": int64(1)} },
		"another sequence":       func(f *forgery) { f.seq++ },
		"sequence out of range":  func(f *forgery) { f.seq, f.sealSeq = lifetime+1, lifetime+1 },
		"sequence negative":      func(f *forgery) { f.seq, f.sealSeq = 1<<63, 1<<63 },
		"short content":          func(f *forgery) { f.nonce = 1 },
		"no content":             func(f *forgery) { f.nonce = recordSealed },
		"another version inside": func(f *forgery) { f.plain = func(b []byte) { b[0] = 2 } },
		"length past the end":    func(f *forgery) { f.plain = func(b []byte) { b[2] = 0xff } },
		"padding not zero":       func(f *forgery) { f.plain = func(b []byte) { b[511] = 1 } },
	} {
		f := good()
		change(&f)
		if _, err := OpenRecord(r, f.make(t, r), noon); !errors.Is(err, ErrBadRecord) {
			t.Errorf("%s: err = %v", name, err)
		}
	}

	record := good().make(t, r)
	unknown := protowire.AppendBytes(protowire.AppendTag(bytes.Clone(record), 99, protowire.BytesType), []byte("mark"))
	again := protowire.AppendBytes(protowire.AppendTag(bytes.Clone(record), 9, protowire.BytesType), []byte("data"))
	var pb ipnspb.IpnsRecord
	if err := proto.Unmarshal(record, &pb); err != nil {
		t.Fatal(err)
	}
	pb.Sequence = proto.Uint64(9)
	unsigned, err := proto.Marshal(&pb)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"unknown field": unknown, "field twice": again, "unsigned field": unsigned,
		"larger than 1 KiB": append(bytes.Clone(record), make([]byte, MaxRecord)...),
	} {
		if _, err := OpenRecord(r, bad, noon); !errors.Is(err, ErrBadRecord) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

// Whoever crawls the DHT must not be able to tell which records belong together.
func TestRecordsShareNothing(t *testing.T) {
	const window = 8 // bytes; ciphertext, names and ends of life must differ
	rdv, _ := replicaAt(t)
	seen := map[string]string{}
	e := rdv.Epoch(noon)
	for name, r := range map[string]Replica{
		"0": rdv.Replica(e, 0), "1": rdv.Replica(e, 1), "2": rdv.Replica(e, 2),
	} {
		for _, again := range []string{"first", "second"} {
			record := seal(t, r, noon, []byte("the same peer record"))
			rec, err := ipns.UnmarshalRecord(record)
			if err != nil {
				t.Fatal(err)
			}
			field, err := rec.Metadata(recordField)
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := field.AsBytes()
			if err != nil {
				t.Fatal(err)
			}
			for i := range len(sealed) - window {
				part := string(sealed[i : i+window])
				if other, ok := seen[part]; ok {
					t.Fatalf("replicas %s and %s share bytes", other, name+again)
				}
				seen[part] = name + again
			}
			if strings.Contains(string(record), "peer record") {
				t.Error("a record shows its content")
			}
		}
	}
	if a, b := rdv.Replica(e, 0).Name(), rdv.Replica(e, 1).Name(); a.Equal(b) {
		t.Error("two replicas have one name")
	}
	lens := map[int]bool{}
	for n := range 5 {
		lens[len(seal(t, rdv.Replica(e, 0), noon, make([]byte, n*127)))] = true
	}
	if len(lens) != 1 {
		t.Errorf("the size of a record tells the size of its content: %v", lens)
	}
}

func FuzzRecord(f *testing.F) {
	_, r := replicaAt(f)
	good := faithful(r).make(f, r)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), good...))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0x4a}, ed25519.SignatureSize))
	f.Fuzz(func(t *testing.T, record []byte) {
		if _, err := OpenRecord(r, record, noon); err == nil && !bytes.Equal(record, good) {
			t.Fatal("a record that nobody sealed was opened")
		}
	})
}
