package records

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	record "github.com/libp2p/go-libp2p-record"
	recpb "github.com/libp2p/go-libp2p-record/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"anteroom/discovery/records/recordtest"
)

// put files a record the way the DHT does.
func (s *Store) put(t testing.TB, name recordtest.Name, d recordtest.Draft) error {
	t.Helper()
	key := routingKey(name.PublicKey)
	values := records.NewValueStore(s, record.NamespacedValidator{"ipns": validator{}}, maxAhead)
	return values.Put(t.Context(), key, record.MakePutRecord(key, name.Sign(t, d)))
}

func (s *Store) holds(t testing.TB, name recordtest.Name) bool {
	t.Helper()
	rec, err := records.NewValueStore(s, validator{}, maxAhead).Get(t.Context(), routingKey(name.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return rec != nil
}

func TestStoreKeepsWhatIsClosest(t *testing.T) {
	const capacity, flood = 20, 200
	self := peer.ID("self")
	s := newStore(self, capacity)
	here := sha256.Sum256([]byte(self))
	distance := func(n recordtest.Name) []byte {
		d := sha256.Sum256([]byte(routingKey(n.PublicKey)))
		subtle.XORBytes(d[:], d[:], here[:])
		return d[:]
	}
	var names []recordtest.Name
	refused := 0
	for range flood {
		name := recordtest.New(t)
		names = append(names, name)
		if err := s.put(t, name, recordtest.Draft{}); errors.Is(err, errStoreFull) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
		if s.size() > capacity {
			t.Fatalf("holds %d records, more than %d", s.size(), capacity)
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	slices.SortFunc(names, func(a, b recordtest.Name) int { return bytes.Compare(distance(a), distance(b)) })
	for i, name := range names {
		if got, want := s.holds(t, name), i < capacity; got != want {
			t.Errorf("name %d by distance: held %v, want %v", i, got, want)
		}
	}
	if err := s.put(t, names[0], recordtest.Draft{Seq: 1}); err != nil {
		t.Errorf("a full store refuses news of what it holds: %v", err)
	}
	if err := s.put(t, names[0], recordtest.Draft{Seq: 0}); !errors.Is(err, records.ErrOldRecord) {
		t.Errorf("sequence rolled back: %v", err)
	}
}

func TestRecordIsGoneAfterExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore("self", 2)
		short, long := recordtest.New(t), recordtest.New(t)
		if err := errors.Join(s.put(t, short, recordtest.Draft{Ahead: time.Minute}), s.put(t, long, recordtest.Draft{Ahead: time.Hour})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // virtual
		if s.holds(t, short) {
			t.Error("served after it expired")
		}
		if err := s.put(t, recordtest.New(t), recordtest.Draft{}); err != nil {
			t.Errorf("an expired record takes room: %v", err)
		}
		if !s.holds(t, long) {
			t.Error("a record that lives was dropped")
		}
		time.Sleep(2 * time.Hour) // virtual
		if s.Sweep(time.Now()); s.size() != 0 {
			t.Errorf("%d records left after all have expired", s.size())
		}
	})
}

func TestStoreRefusesWhatIsNoRecord(t *testing.T) {
	s := newStore("self", 2)
	name := recordtest.New(t)
	rec := &recpb.Record{Key: []byte(routingKey(name.PublicKey)), Value: name.Sign(t, recordtest.Draft{})}
	padded := proto.Clone(rec).(*recpb.Record)
	padded.ProtoReflect().SetUnknown(append([]byte{0x7a, 0x80, 0x10}, make([]byte, 2048)...)) // field 15, 2 KiB
	for what, r := range map[string]*recpb.Record{
		"unknown fields": padded,
		"other value":    {Key: rec.Key, Value: []byte("x")},
	} {
		data, err := proto.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if s.Put(t.Context(), ds.NewKey("k"), data) == nil {
			t.Errorf("%s: stored", what)
		}
	}
	if s.Put(t.Context(), ds.NewKey("k"), []byte{0xff}) == nil {
		t.Error("garbage stored")
	}
}

func TestStoreIsADatastore(t *testing.T) {
	s := newStore("self", 10)
	for range 3 {
		if err := s.put(t, recordtest.New(t), recordtest.Draft{}); err != nil {
			t.Fatal(err)
		}
	}
	results, err := s.Query(t.Context(), query.Query{Prefix: "/ipns"})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := results.Rest()
	if err != nil || len(entries) != 3 {
		t.Fatalf("query: %d entries, %v", len(entries), err)
	}
	key := ds.NewKey(entries[0].Key)
	if n, err := s.GetSize(t.Context(), key); err != nil || n != len(entries[0].Value) {
		t.Errorf("size %d, %v", n, err)
	}
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if ok, _ := s.Has(t.Context(), key); ok {
		t.Error("there after Delete")
	}
	if _, err := s.GetSize(t.Context(), key); !errors.Is(err, ds.ErrNotFound) {
		t.Errorf("size of nothing: %v", err)
	}
}

// size is how many records are held.
func (s *Store) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records)
}
