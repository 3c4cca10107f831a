package discovery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	record "github.com/libp2p/go-libp2p-record"
	recpb "github.com/libp2p/go-libp2p-record/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

// put files a record the way the DHT does.
func (s *store) put(t testing.TB, name named, d draft) error {
	t.Helper()
	key := routingKey(name.PublicKey)
	values := records.NewValueStore(s, record.NamespacedValidator{"ipns": validator{}}, maxAhead)
	return values.Put(t.Context(), key, record.MakePutRecord(key, name.sign(t, d)))
}

func (s *store) holds(t testing.TB, name named) bool {
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
	distance := func(n named) []byte {
		d := sha256.Sum256([]byte(routingKey(n.PublicKey)))
		subtle.XORBytes(d[:], d[:], here[:])
		return d[:]
	}
	var names []named
	refused := 0
	for range flood {
		name := newName(t)
		names = append(names, name)
		if err := s.put(t, name, draft{}); errors.Is(err, errStoreFull) {
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
	slices.SortFunc(names, func(a, b named) int { return bytes.Compare(distance(a), distance(b)) })
	for i, name := range names {
		if got, want := s.holds(t, name), i < capacity; got != want {
			t.Errorf("name %d by distance: held %v, want %v", i, got, want)
		}
	}
	if err := s.put(t, names[0], draft{seq: 1}); err != nil {
		t.Errorf("a full store refuses news of what it holds: %v", err)
	}
	if err := s.put(t, names[0], draft{seq: 0}); !errors.Is(err, records.ErrOldRecord) {
		t.Errorf("sequence rolled back: %v", err)
	}
}

func TestRecordIsGoneAfterExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore("self", 2)
		short, long := newName(t), newName(t)
		if err := errors.Join(s.put(t, short, draft{ahead: time.Minute}), s.put(t, long, draft{ahead: time.Hour})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // virtual
		if s.holds(t, short) {
			t.Error("served after it expired")
		}
		if err := s.put(t, newName(t), draft{}); err != nil {
			t.Errorf("an expired record takes room: %v", err)
		}
		if !s.holds(t, long) {
			t.Error("a record that lives was dropped")
		}
		time.Sleep(2 * time.Hour) // virtual
		if s.sweep(time.Now()); s.size() != 0 {
			t.Errorf("%d records left after all have expired", s.size())
		}
	})
}

func TestStoreRefusesWhatIsNoRecord(t *testing.T) {
	s := newStore("self", 2)
	name := newName(t)
	rec := &recpb.Record{Key: []byte(routingKey(name.PublicKey)), Value: name.sign(t, draft{})}
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
		if err := s.put(t, newName(t), draft{}); err != nil {
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

func TestPutFloodIsLimited(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		server := s.node(Config{Server: true})
		flooder := s.node(Config{Bootstrap: []PeerInfo{server.info()}})
		s.settle()
		flood := func(n int) {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					name := newName(t)
					key := routingKey(name.PublicKey)
					put := kadpb.NewMessage(kadpb.Message_PUT_VALUE, []byte(key), 0)
					put.Record = record.MakePutRecord(key, name.sign(t, draft{}))
					ctx := context.WithValue(t.Context(), writing{}, true)
					_, _ = flooder.dht.MessageSender().SendRequest(ctx, server.ID(), put)
				})
			}
			wg.Wait()
		}
		flood(putsPerMinute + 40)
		if got := server.store.size(); got != putsPerMinute {
			t.Errorf("%d records stored, want %d", got, putsPerMinute)
		}
		time.Sleep(time.Minute) // virtual
		flood(putsPerMinute + 40)
		if got := server.store.size(); got != 2*putsPerMinute {
			t.Errorf("%d records stored a minute later, want %d", got, 2*putsPerMinute)
		}
	})
}
