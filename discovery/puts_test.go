package discovery

import (
	"sync"
	"testing"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-msgio/pbio"

	"anteroom/discovery/records/recordtest"
)

func TestPutFloodIsLimited(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		server := s.node(Config{Server: true})
		flooder := s.node(Config{Bootstrap: []PeerInfo{server.info()}})
		s.settle()
		flood := func(n int) {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					name := recordtest.New(t)
					key := "/ipns/\x00\x24\x08\x01\x12\x20" + string(name.PublicKey)
					put := kadpb.NewMessage(kadpb.Message_PUT_VALUE, []byte(key), 0)
					put.Record = record.MakePutRecord(key, name.Sign(t, recordtest.Draft{}))
					stream, err := flooder.host.NewStream(t.Context(), server.ID(), kadProtocol)
					if err != nil {
						return
					}
					defer stream.Close()
					_ = pbio.NewDelimitedWriter(stream).WriteMsg(put)
					_ = pbio.NewDelimitedReader(stream, 1<<20).ReadMsg(new(kadpb.Message))
				})
			}
			wg.Wait()
		}
		flood(putsPerMinute + 40)
		if got := server.stored(t); got != putsPerMinute {
			t.Errorf("%d records stored, want %d", got, putsPerMinute)
		}
		time.Sleep(time.Minute) // virtual
		flood(putsPerMinute + 40)
		if got := server.stored(t); got != 2*putsPerMinute {
			t.Errorf("%d records stored a minute later, want %d", got, 2*putsPerMinute)
		}
	})
}
