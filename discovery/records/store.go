package records

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"sync"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	recpb "github.com/libp2p/go-libp2p-record/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

const (
	// maxRecords bounds the store; with maxStored it is 12 MiB of memory.
	maxRecords = 10_000

	// maxStored is one record with its key and time of arrival.
	maxStored = MaxRecord + 128
)

var errStoreFull = errors.New("store full of records that belong here more")

// Store holds the records that other nodes put here: in memory, at most
// capacity of them, none beyond its expiry. kad-dht checks a record before it
// comes here but has no bound of its own.
//
// When the store is full, the record furthest from this node in the key space
// makes room, be it the new one. A flood under random names pushes itself out
// and leaves what this node is closest to.
type Store struct {
	self     [sha256.Size]byte // where this node stands in the key space
	capacity int

	mu      sync.Mutex
	records map[ds.Key]stored
}

type stored struct {
	data     []byte // a recpb.Record
	expires  time.Time
	distance [sha256.Size]byte
}

var _ ds.Batching = (*Store)(nil)

// NewStore makes the store of a node, which stands where its ID says.
func NewStore(self peer.ID) *Store { return newStore(self, maxRecords) }

func newStore(self peer.ID, capacity int) *Store {
	return &Store{
		self:     sha256.Sum256([]byte(self)),
		capacity: capacity,
		records:  make(map[ds.Key]stored),
	}
}

// Put implements datastore.Write.
func (s *Store) Put(_ context.Context, key ds.Key, data []byte) error {
	if len(data) > maxStored {
		return badRecord("too large")
	}
	var rec recpb.Record
	if err := proto.Unmarshal(data, &rec); err != nil {
		return err
	}
	parsed, err := parseRecord(rec.GetValue())
	if err != nil {
		return err
	}
	entry := stored{data: data, expires: parsed.expires, distance: sha256.Sum256(rec.GetKey())}
	subtle.XORBytes(entry.distance[:], entry.distance[:], s.self[:])

	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.records[key]; !ok && len(s.records) >= s.capacity {
		if err := s.makeRoomLocked(entry); err != nil {
			return err
		}
	}
	s.records[key] = entry
	return nil
}

// makeRoomLocked drops what has expired, else the furthest record, or refuses
// entry if nothing here is further away.
func (s *Store) makeRoomLocked(entry stored) error {
	if s.sweepLocked(time.Now()); len(s.records) < s.capacity {
		return nil
	}
	furthest, victim := entry.distance, ds.Key{}
	for key, r := range s.records {
		if bytes.Compare(r.distance[:], furthest[:]) > 0 {
			furthest, victim = r.distance, key
		}
	}
	if victim == (ds.Key{}) {
		return errStoreFull
	}
	delete(s.records, victim)
	return nil
}

// Sweep drops what has expired.
func (s *Store) Sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked(now)
}

func (s *Store) sweepLocked(now time.Time) {
	for key, r := range s.records {
		if !now.Before(r.expires) {
			delete(s.records, key)
		}
	}
}

// Get implements datastore.Read. A record that has expired is not there.
func (s *Store) Get(_ context.Context, key ds.Key) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[key]
	if !ok || !time.Now().Before(r.expires) {
		return nil, ds.ErrNotFound
	}
	return r.data, nil
}

// Has implements datastore.Read.
func (s *Store) Has(ctx context.Context, key ds.Key) (bool, error) {
	_, err := s.Get(ctx, key)
	return err == nil, nil
}

// GetSize implements datastore.Read.
func (s *Store) GetSize(ctx context.Context, key ds.Key) (int, error) {
	data, err := s.Get(ctx, key)
	if err != nil {
		return -1, err
	}
	return len(data), nil
}

// Query implements datastore.Read.
func (s *Store) Query(_ context.Context, q query.Query) (query.Results, error) {
	s.mu.Lock()
	entries := make([]query.Entry, 0, len(s.records))
	for key, r := range s.records {
		entries = append(entries, query.Entry{Key: key.String(), Value: r.data, Size: len(r.data)})
	}
	s.mu.Unlock()
	return query.NaiveQueryApply(q, query.ResultsWithEntries(q, entries)), nil
}

// Delete implements datastore.Write.
func (s *Store) Delete(_ context.Context, key ds.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, key)
	return nil
}

// Batch implements datastore.Batching.
func (s *Store) Batch(context.Context) (ds.Batch, error) { return ds.NewBasicBatch(s), nil }

// Sync implements datastore.Datastore.
func (s *Store) Sync(context.Context, ds.Key) error { return nil }

// Close implements datastore.Datastore.
func (s *Store) Close() error { return nil }
