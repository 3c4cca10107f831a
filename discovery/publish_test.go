package discovery

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"anteroom/discovery/records"
	"anteroom/discovery/records/recordtest"
)

func TestPublishAndSearch(t *testing.T) {
	servers := federation(t, 8)
	home := onLoopback(t, Config{Bootstrap: []PeerInfo{servers[0].info()}})
	gateway := onLoopback(t, Config{Bootstrap: []PeerInfo{servers[1].info()}})
	home.know(t, len(servers))
	gateway.know(t, len(servers))

	name := recordtest.New(t)
	rec := name.Sign(t, recordtest.Draft{})
	ack, err := home.Publish(t.Context(), name.PublicKey, rec)
	if err != nil {
		t.Fatal(err)
	}
	if want := (records.Ack{Stored: 8, Answered: 8}); ack != want {
		t.Errorf("got %+v, want %+v", ack, want)
	}
	if got := gateway.find(t, name); !bytes.Equal(got, rec) {
		t.Error("found another record")
	}
	if n := servers[3].stored(t); n != 1 {
		t.Errorf("a server keeps %d records", n)
	}
	newer := name.Sign(t, recordtest.Draft{Seq: 1})
	if _, err := home.Publish(t.Context(), name.PublicKey, newer); err != nil {
		t.Fatal(err)
	}
	if got := gateway.find(t, name); !bytes.Equal(got, newer) {
		t.Error("found the old record")
	}
	if _, err := home.Publish(t.Context(), name.PublicKey, rec); !errors.Is(err, records.ErrNotStored) {
		t.Errorf("rolled the sequence back: %v", err)
	}
}

// find searches for one name and returns its record.
func (r *running) find(t testing.TB, name recordtest.Name) (found []byte) {
	t.Helper()
	err := r.Search(t.Context(), []records.Query{{Name: name.PublicKey}}, func(_ int, rec []byte) bool {
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
	name := recordtest.New(t)
	_, err := d.Publish(t.Context(), name.PublicKey, recordtest.New(t).Sign(t, recordtest.Draft{}))
	if !errors.Is(err, records.ErrBadRecord) {
		t.Errorf("got %v, want errBadRecord", err)
	}
	if d.stored(t) != 0 {
		t.Error("kept it")
	}
}

func TestPublishWithNobodyThere(t *testing.T) {
	d := onLoopback(t, Config{Server: true})
	name := recordtest.New(t)
	if ack, err := d.Publish(t.Context(), name.PublicKey, name.Sign(t, recordtest.Draft{})); !errors.Is(err, records.ErrNoPeers) || ack != (records.Ack{}) {
		t.Errorf("got %+v, %v, want ErrNoPeers", ack, err)
	}
	d.find(t, name) // a server keeps what it publishes
}

// Half of the nodes are cut off at one moment; nobody has noticed yet.
func TestDeadNodesCostLittle(t *testing.T) {
	const enoughAcks, longest = 6, 3500 * time.Millisecond // a walk, and who is late
	simulate(t, func(t *testing.T, s *simulation) {
		servers := s.swarm(20)
		home := s.node(Config{Bootstrap: []PeerInfo{servers[0].info()}})
		gateway := s.node(Config{Bootstrap: []PeerInfo{servers[1].info()}})
		s.settle()

		name := recordtest.New(t)
		start := time.Now()
		ack, err := home.Publish(t.Context(), name.PublicKey, name.Sign(t, recordtest.Draft{}))
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
		ack, err = home.Publish(t.Context(), name.PublicKey, name.Sign(t, recordtest.Draft{Seq: 1}))
		if err != nil || ack.Stored < enoughAcks {
			t.Errorf("published %+v, %v", ack, err)
		}
		if took := time.Since(start); took > longest+time.Second {
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
		name := recordtest.New(t)
		ack, err := home.Publish(t.Context(), name.PublicKey, name.Sign(t, recordtest.Draft{}))
		if want := (records.Ack{Stored: 3, Answered: 3}); err != nil || ack != want {
			t.Errorf("got %+v, %v, want %+v", ack, err, want)
		}
	})
}
