package discovery

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"anteroom/discovery/limit"
	"anteroom/discovery/records/recordtest"
)

// The figures are loopback's: what the program costs, without a network.

func BenchmarkPublish(b *testing.B) {
	servers := federation(b, 20)
	home := onLoopback(b, Config{Bootstrap: []PeerInfo{servers[0].info()}})
	home.know(b, len(servers))
	for _, s := range servers {
		unlimit(s.puts)
	}
	measure(b, func() {
		name := recordtest.New(b)
		if _, err := home.Publish(b.Context(), name.PublicKey, name.Sign(b, recordtest.Draft{})); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	servers := federation(b, 20)
	home := onLoopback(b, Config{Bootstrap: []PeerInfo{servers[0].info()}})
	gateway := onLoopback(b, Config{Bootstrap: []PeerInfo{servers[1].info()}})
	home.know(b, len(servers))
	gateway.know(b, len(servers))
	name := recordtest.New(b)
	if _, err := home.Publish(b.Context(), name.PublicKey, name.Sign(b, recordtest.Draft{})); err != nil {
		b.Fatal(err)
	}
	measure(b, func() { gateway.find(b, name) })
}

// BenchmarkAsk asks four peers, one of whom is the home node. Compare it with
// BenchmarkStreamEcho: one stream, one byte there and back.
func BenchmarkAsk(b *testing.B) {
	var peers []PeerInfo
	for i := range 4 {
		n := onLoopback(b, Config{})
		unlimit(n.finds)
		n.SetFinder(func([32]byte) bool { return i == 3 })
		peers = append(peers, n.info())
	}
	gateway := onLoopback(b, Config{Peers: peers})
	measure(b, func() {
		if _, err := gateway.Ask(b.Context(), [32]byte{}); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkStreamEcho(b *testing.B) {
	home, gateway := onLoopback(b, Config{}), onLoopback(b, Config{})
	home.host.SetStreamHandler(echoProtocol, func(s network.Stream) { echo(context.Background(), s) })
	if err := gateway.host.Connect(b.Context(), home.addrInfo()); err != nil {
		b.Fatal(err)
	}
	measure(b, func() {
		s, err := gateway.host.NewStream(b.Context(), home.ID(), echoProtocol)
		if err == nil {
			_, err = s.Write([]byte{1})
		}
		if err == nil {
			_, err = io.ReadFull(s, make([]byte, 1))
		}
		if err != nil {
			b.Fatal(err)
		}
		_ = s.Reset()
	})
}

// unlimit lets every peer do what it likes.
func unlimit(l *limit.Rate) { l.Every, l.Burst = time.Nanosecond, 1<<30 }

// measure reports how long f takes, in the middle and at worst.
func measure(b *testing.B, f func()) {
	f() // connections, caches
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		f()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	report := func(name string, q int) {
		b.ReportMetric(float64(took[(len(took)-1)*q/100].Microseconds())/1000, name)
	}
	report("p50-ms", 50)
	report("p95-ms", 95)
}
