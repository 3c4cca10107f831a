package discovery

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/path"
	"github.com/libp2p/go-libp2p/core/crypto"
)

// A named is a name and the key that signs its records.
type named struct {
	ed25519.PublicKey
	private ed25519.PrivateKey
}

func newName(t testing.TB) named {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return named{public, private}
}

// a draft is a record before it is signed; draft{} is a good one.
type draft struct {
	seq      uint64
	ahead    time.Duration // of expiry; 0: 80 minutes
	value    string        // "": NoopValue
	metadata map[string]any
	payload  []byte
	options  []ipns.Option
}

// sign makes a record the way a publisher does, with boxo.
func (n named) sign(t testing.TB, d draft) []byte {
	t.Helper()
	if d.ahead == 0 {
		d.ahead = 80 * time.Minute
	}
	if d.value == "" {
		d.value = ipns.NoopValue
	}
	if d.payload == nil {
		d.payload = bytes.Repeat([]byte{0xa5}, 552)
	}
	if d.metadata == nil {
		d.metadata = map[string]any{payloadField: d.payload}
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(n.private)
	if err != nil {
		t.Fatal(err)
	}
	value, err := path.NewPath(d.value)
	if err != nil {
		t.Fatal(err)
	}
	options := append([]ipns.Option{ipns.WithV1Compatibility(false), ipns.WithMetadata(d.metadata)}, d.options...)
	eol := time.Now().Add(d.ahead).Truncate(time.Second)
	rec, err := ipns.NewRecord(key, value, d.seq, eol, 0, options...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := ipns.MarshalRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPublishAndSearch(t *testing.T) {
	servers := federation(t, 8)
	home := onLoopback(t, Config{Bootstrap: []PeerInfo{servers[0].info()}})
	gateway := onLoopback(t, Config{Bootstrap: []PeerInfo{servers[1].info()}})
	home.know(t, len(servers))
	gateway.know(t, len(servers))

	name := newName(t)
	rec := name.sign(t, draft{})
	ack, err := home.Publish(t.Context(), name.PublicKey, rec)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Ack{Stored: 8, Answered: 8}); ack != want {
		t.Errorf("got %+v, want %+v", ack, want)
	}
	if got := gateway.find(t, name); !bytes.Equal(got, rec) {
		t.Error("found another record")
	}
	if n := servers[3].store.size(); n != 1 {
		t.Errorf("a server keeps %d records", n)
	}
	newer := name.sign(t, draft{seq: 1})
	if _, err := home.Publish(t.Context(), name.PublicKey, newer); err != nil {
		t.Fatal(err)
	}
	if got := gateway.find(t, name); !bytes.Equal(got, newer) {
		t.Error("found the old record")
	}
	if _, err := home.Publish(t.Context(), name.PublicKey, rec); !errors.Is(err, ErrNotStored) {
		t.Errorf("rolled the sequence back: %v", err)
	}
}

// find searches for one name and returns its record.
func (r *running) find(t testing.TB, name named) (found []byte) {
	t.Helper()
	err := r.Search(t.Context(), []Query{{Name: name.PublicKey}}, func(_ int, rec []byte) bool {
		found = rec
		return true
	})
	if err != nil {
		t.Fatalf("search: %v", err)
	}
	return found
}

func TestPublishRefusesBadRecords(t *testing.T) {
	d := onLoopback(t, Config{Server: true})
	name := newName(t)
	_, err := d.Publish(t.Context(), name.PublicKey, newName(t).sign(t, draft{}))
	if !errors.Is(err, errBadRecord) {
		t.Errorf("got %v, want errBadRecord", err)
	}
	if d.store.size() != 0 {
		t.Error("kept it")
	}
}

func TestPublishWithNobodyThere(t *testing.T) {
	d := onLoopback(t, Config{Server: true})
	name := newName(t)
	if ack, err := d.Publish(t.Context(), name.PublicKey, name.sign(t, draft{})); !errors.Is(err, ErrNoPeers) || ack != (Ack{}) {
		t.Errorf("got %+v, %v, want ErrNoPeers", ack, err)
	}
	d.find(t, name) // a server keeps what it publishes
}

// Half of the nodes are cut off at one moment; nobody has noticed yet.
func TestDeadNodesCostLittle(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		servers := s.swarm(20)
		home := s.node(Config{Bootstrap: []PeerInfo{servers[0].info()}})
		gateway := s.node(Config{Bootstrap: []PeerInfo{servers[1].info()}})
		s.settle()

		name := newName(t)
		start := time.Now()
		ack, err := home.Publish(t.Context(), name.PublicKey, name.sign(t, draft{}))
		if err != nil || ack.Stored != len(servers) {
			t.Fatalf("published %+v, %v, want %d acknowledgements", ack, err, len(servers))
		}
		if took := time.Since(start); took > 10*simRTT {
			t.Errorf("published in %v with all well", took)
		}
		for _, n := range servers[len(servers)/2:] {
			n.dead.Store(true)
		}
		start = time.Now()
		gateway.find(t, name)
		if took := time.Since(start); took > time.Second {
			t.Errorf("found in %v with half of the nodes gone", took)
		}
		start = time.Now()
		ack, err = home.Publish(t.Context(), name.PublicKey, name.sign(t, draft{seq: 1}))
		if err != nil || ack.Stored < enoughAcks {
			t.Errorf("published %+v, %v", ack, err)
		}
		if took := time.Since(start); took > walkTime+lateTime+time.Second {
			t.Errorf("published in %v with half of the nodes gone", took)
		}
	})
}

// In a federation of four, one of which has just died, all there are is three.
func TestAllThatAnswerIsEnough(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		servers := s.swarm(4)
		home := s.node(Config{Bootstrap: []PeerInfo{servers[0].info()}})
		s.settle()
		servers[3].dead.Store(true)
		name := newName(t)
		ack, err := home.Publish(t.Context(), name.PublicKey, name.sign(t, draft{}))
		if want := (Ack{Stored: 3, Answered: 3}); err != nil || ack != want {
			t.Errorf("got %+v, %v, want %+v", ack, err, want)
		}
	})
}
