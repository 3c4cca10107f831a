package discovery

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-msgio/pbio"

	"anteroom/discovery/records"
	"anteroom/discovery/records/recordtest"
	"anteroom/node/polltest"
)

// impostor is a DHT server that answers as reply says, nil being no answer.
func impostor(t testing.TB, reply func(*kadpb.Message) *kadpb.Message) PeerInfo {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1"), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	h.SetStreamHandler(kadProtocol, func(s network.Stream) {
		in, out := pbio.NewDelimitedReader(s, 1<<20), pbio.NewDelimitedWriter(s)
		for {
			request := new(kadpb.Message)
			if in.ReadMsg(request) != nil {
				_ = s.Close()
				return
			}
			answer := reply(request)
			if answer == nil || out.WriteMsg(answer) != nil {
				_ = s.Reset()
				return
			}
		}
	})
	return PeerInfo{ID: h.ID(), Addrs: h.Addrs()}
}

func meet(t testing.TB, info PeerInfo) *running {
	t.Helper()
	d := onLoopback(t, Config{Bootstrap: []PeerInfo{info}})
	polltest.Eventually(t, "impostor in routing table", func() bool { return d.tableSize() == 1 })
	return d
}

// A reply to PUT without a record would make kad-dht's own PutValue panic.
func TestPutReplyWithoutRecord(t *testing.T) {
	d := meet(t, impostor(t, func(m *kadpb.Message) *kadpb.Message {
		return kadpb.NewMessage(m.GetType(), m.GetKey(), 0)
	}))
	name := recordtest.New(t)
	if _, err := d.Publish(t.Context(), name.PublicKey, name.Sign(t, recordtest.Draft{})); !errors.Is(err, records.ErrNotStored) {
		t.Errorf("got %v, want ErrNotStored", err)
	}
}

func TestPublishDoesNotBelieveAcknowledgements(t *testing.T) {
	d := meet(t, impostor(t, func(m *kadpb.Message) *kadpb.Message {
		if m.GetType() == kadpb.Message_PUT_VALUE {
			return m // "stored"
		}
		return kadpb.NewMessage(m.GetType(), m.GetKey(), 0)
	}))
	name := recordtest.New(t)
	ack, err := d.Publish(t.Context(), name.PublicKey, name.Sign(t, recordtest.Draft{}))
	if !errors.Is(err, records.ErrNotStored) || ack.Stored != 1 {
		t.Errorf("got %+v, %v, want one acknowledgement and ErrNotStored", ack, err)
	}
}

// Whatever a node of the DHT serves, only a valid record reaches open, and the
// node that searched writes nothing.
func TestSearchChecksAndOnlyReads(t *testing.T) {
	name := recordtest.New(t)
	good := name.Sign(t, recordtest.Draft{})
	forged := recordtest.New(t).Sign(t, recordtest.Draft{Seq: 9})
	expired := name.Sign(t, recordtest.Draft{Seq: 9, Ahead: -1})
	var serve atomic.Pointer[[]byte]
	var puts atomic.Int32
	info := impostor(t, func(m *kadpb.Message) *kadpb.Message {
		answer := kadpb.NewMessage(m.GetType(), m.GetKey(), 0)
		switch m.GetType() {
		case kadpb.Message_GET_VALUE:
			answer.Record = record.MakePutRecord(string(m.GetKey()), *serve.Load())
		case kadpb.Message_PUT_VALUE:
			puts.Add(1)
		}
		return answer
	})
	d := meet(t, info)
	other := onLoopback(t, Config{Server: true, Bootstrap: []PeerInfo{info}})
	polltest.Eventually(t, "an honest node beside the impostor", func() bool {
		_ = d.host.Connect(t.Context(), other.addrInfo())
		return d.tableSize() == 2
	})
	search := func(rec []byte) (opened [][]byte, err error) {
		serve.Store(&rec)
		err = d.Search(t.Context(), []records.Query{{Name: name.PublicKey}}, func(_ int, rec []byte) bool {
			opened = append(opened, rec)
			return false // let the walk go on to its end
		})
		return opened, err
	}
	for what, rec := range map[string][]byte{"forged": forged, "expired": expired, "oversized": make([]byte, 64<<10), "empty": {}} {
		if opened, err := search(rec); len(opened) != 0 || !errors.Is(err, records.ErrNotFound) {
			t.Errorf("%s: %d records to open, %v", what, len(opened), err)
		}
	}
	opened, err := search(good)
	if len(opened) != 1 || !bytes.Equal(opened[0], good) || !errors.Is(err, records.ErrNotFound) {
		t.Errorf("good: %d records to open, %v", len(opened), err)
	}
	if puts.Load() != 0 || other.stored(t) != 0 {
		t.Errorf("a search wrote: %d PUTs to one node, %d records at the other", puts.Load(), other.stored(t))
	}
	key := "/ipns/\x00\x24\x08\x01\x12\x20" + string(name.PublicKey)
	put := kadpb.NewMessage(kadpb.Message_PUT_VALUE, []byte(key), 0)
	put.Record = record.MakePutRecord(key, good)
	if _, err := d.dht.MessageSender().SendRequest(context.Background(), other.ID(), put); err == nil || other.stored(t) != 0 {
		t.Errorf("PUT outside Publish: %v, %d records at the other node", err, other.stored(t))
	}
}
