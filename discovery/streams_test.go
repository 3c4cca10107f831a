package discovery

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/host"
	"anteroom/node/polltest"
)

const echoProtocol protocol.ID = "/anteroom/signal/1"

func echo(_ context.Context, s network.Stream) {
	_, _ = io.Copy(s, s)
	_ = s.Close()
}

func TestOpenReachesTheHandler(t *testing.T) {
	home, gateway := onLoopback(t, Config{}), onLoopback(t, Config{})
	home.Handle(echoProtocol, echo)
	signed, err := home.SignedRecord()
	if err != nil {
		t.Fatal(err)
	}
	to, err := gateway.Consume(signed)
	if err != nil {
		t.Fatal(err)
	}
	s, err := gateway.Open(t.Context(), to, echoProtocol)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("knock")); err != nil {
		t.Fatal(err)
	}
	_ = s.CloseWrite()
	if got, err := io.ReadAll(s); err != nil || string(got) != "knock" {
		t.Errorf("got %q, %v", got, err)
	}
	_ = s.Close()

	if _, err := gateway.Open(t.Context(), gateway.addrInfo(), echoProtocol); err == nil {
		t.Error("opened a stream to itself")
	}
	if _, err := gateway.Open(t.Context(), to, "/other/1"); err == nil {
		t.Error("opened a stream that nobody handles")
	}
}

// Sixteen streams of one peer, and not one more, over either transport; other
// peers are not affected.
func TestInboundStreamsAreLimited(t *testing.T) {
	for _, transport := range []string{"/udp/0/quic-v1", "/tcp/0"} {
		home := run(t, Config{AllowPrivate: true, Listen: []string{"/ip4/127.0.0.1" + transport}})
		home.Handle(echoProtocol, echo)
		// exchange reports whether one byte comes back.
		exchange := func(s network.Stream, err error) bool {
			if err != nil {
				return false
			}
			b := []byte{1}
			if _, err := s.Write(b); err != nil {
				return false
			}
			_, err = io.ReadFull(s, b)
			return err == nil
		}
		greedy, modest := onLoopback(t, Config{}), onLoopback(t, Config{})
		var open []network.Stream
		for i := range host.MaxInbound {
			s, err := greedy.Open(t.Context(), home.addrInfo(), echoProtocol)
			if !exchange(s, err) {
				t.Fatalf("%s: stream %d refused: %v", transport, i, err)
			}
			open = append(open, s)
		}
		if exchange(greedy.Open(t.Context(), home.addrInfo(), echoProtocol)) {
			t.Errorf("%s: stream %d accepted", transport, host.MaxInbound)
		}
		if !exchange(modest.Open(t.Context(), home.addrInfo(), echoProtocol)) {
			t.Errorf("%s: another peer refused", transport)
		}
		_ = open[0].Close()
		polltest.Eventually(t, "room for another stream", func() bool {
			return exchange(greedy.Open(t.Context(), home.addrInfo(), echoProtocol))
		})
	}
}

func TestCloseWaitsForHandlers(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		home, gateway := s.node(Config{}), s.node(Config{})
		entered, release := make(chan struct{}), make(chan struct{})
		home.Handle(echoProtocol, func(ctx context.Context, s network.Stream) {
			close(entered)
			<-ctx.Done() // Close has begun
			<-release
			_ = s.Reset()
		})
		stream, err := gateway.Open(t.Context(), home.addrInfo(), echoProtocol)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		<-entered
		var closed atomic.Int32
		var wg sync.WaitGroup
		for range 3 { // more than once, and while Run runs
			wg.Go(func() {
				if err := home.Close(); err != nil {
					t.Error(err)
				}
				closed.Add(1)
			})
		}
		time.Sleep(time.Second) // virtual
		if n := closed.Load(); n != 0 {
			t.Errorf("%d of 3 calls returned before the handler did", n)
		}
		close(release)
		wg.Wait()
		home.stop()
		if err := home.Run(t.Context()); err == nil {
			t.Error("ran twice")
		}
	})
}

func TestAddressesChanged(t *testing.T) {
	d := onLoopback(t, Config{})
	changed, stop := d.AddressesChanged()
	defer stop()
	if err := d.host.Network().Listen(ma.StringCast("/ip4/127.0.0.1/tcp/0")); err != nil {
		t.Fatal(err)
	}
	<-changed
	polltest.Eventually(t, "new address in the signed record", func() bool {
		signed, err := d.SignedRecord()
		if err != nil {
			t.Fatal(err)
		}
		info, err := d.Consume(signed)
		return err == nil && len(info.Addrs) == 3
	})
}

// A dial that failed a moment ago does not stand in the way of the next.
func TestOpenIgnoresBackoff(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		home, gateway := s.node(Config{}), s.node(Config{})
		home.Handle(echoProtocol, echo)
		home.dead.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), findTime)
		defer cancel()
		if _, err := gateway.Open(ctx, home.addrInfo(), echoProtocol); err == nil {
			t.Fatal("reached a dead node")
		}
		home.dead.Store(false)
		if s, err := gateway.Open(t.Context(), peer.AddrInfo{ID: home.ID(), Addrs: home.Addrs()}, echoProtocol); err != nil {
			t.Errorf("node is back: %v", err)
		} else {
			_ = s.Reset()
		}
	})
}
