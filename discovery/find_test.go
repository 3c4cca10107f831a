package discovery

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"anteroom/discovery/records"
	"anteroom/node/polltest"
)

func TestAskFindsTheHomeNode(t *testing.T) {
	question := [32]byte{1, 2, 3}
	home := onLoopback(t, Config{})
	home.SetFinder(func(q [32]byte) bool { return q == question })
	other := onLoopback(t, Config{})
	other.SetFinder(func([32]byte) bool { return false })
	unset := onLoopback(t, Config{})
	gateway := onLoopback(t, Config{Peers: []PeerInfo{other.info(), home.info(), unset.info()}})

	if got, err := gateway.Ask(t.Context(), question); err != nil || got != home.ID() {
		t.Errorf("got %v, %v, want %v", got, err, home.ID())
	}
	if got, err := gateway.Ask(t.Context(), [32]byte{9}); !errors.Is(err, records.ErrNotFound) {
		t.Errorf("somebody else's: got %v, %v, want ErrNotFound", got, err)
	}
	if _, err := home.Ask(t.Context(), question); !errors.Is(err, records.ErrNotFound) {
		t.Errorf("with nobody to ask: %v, want ErrNotFound", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := gateway.Ask(ctx, question); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// rawAsk sends bytes as a question and returns all that comes back.
func rawAsk(t testing.TB, from, to *running, request []byte) []byte {
	t.Helper()
	s, err := from.Open(t.Context(), to.addrInfo(), findProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	if _, err := s.Write(request); err != nil {
		t.Fatal(err)
	}
	_ = s.CloseWrite()
	reply, err := io.ReadAll(s)
	if err != nil {
		return nil
	}
	return reply
}

// "No" is the same byte whether the finder says so, there is none, or the
// peer asks too often.
func TestAnswersAreUniform(t *testing.T) {
	var asked atomic.Int32
	home := onLoopback(t, Config{})
	request := append([]byte{findVersion}, bytes.Repeat([]byte{7}, 32)...)

	stranger := onLoopback(t, Config{})
	if got := rawAsk(t, stranger, home, request); !bytes.Equal(got, []byte{0}) {
		t.Errorf("no finder: got %x", got)
	}
	home.SetFinder(func([32]byte) bool { asked.Add(1); return false })
	if got := rawAsk(t, stranger, home, request); !bytes.Equal(got, []byte{0}) {
		t.Errorf("finder says no: got %x", got)
	}
	home.SetFinder(func([32]byte) bool { asked.Add(1); return true })
	if got := rawAsk(t, stranger, home, request); !bytes.Equal(got, []byte{1}) {
		t.Errorf("finder says yes: got %x", got)
	}
	for _, bad := range [][]byte{{}, request[:32], append([]byte{2}, request[1:]...)} {
		if got := rawAsk(t, stranger, home, bad); len(got) != 0 {
			t.Errorf("malformed request of %d bytes: answered %x", len(bad), got)
		}
	}

	asked.Store(0)
	start := time.Now()
	yes, no := 0, 0
	for range 4 * findsPerSecond {
		switch got := rawAsk(t, stranger, home, request); {
		case bytes.Equal(got, []byte{1}):
			yes++
		case bytes.Equal(got, []byte{0}):
			no++
		default:
			t.Fatalf("got %x", got)
		}
	}
	if allowed := findsPerSecond * (1 + time.Since(start).Seconds()); float64(yes) > allowed || no == 0 {
		t.Errorf("%d answered and %d told no, want at most %.0f answered", yes, no, allowed)
	}
	if int(asked.Load()) != yes {
		t.Errorf("the finder was asked %d times for %d answers", asked.Load(), yes)
	}
}

// Guests decide how often a gateway of the practice asks; strangers have a budget.
func TestPartnersMayAskAsOftenAsTheyLike(t *testing.T) {
	gateway, stranger := onLoopback(t, Config{}), onLoopback(t, Config{})
	home := onLoopback(t, Config{Partners: []peer.ID{gateway.ID()}})
	home.SetFinder(func([32]byte) bool { return true })
	request := append([]byte{findVersion}, make([]byte, 32)...)
	refused := func(from *running) (n int) {
		for range 5 * findsPerSecond {
			if !bytes.Equal(rawAsk(t, from, home, request), []byte{1}) {
				n++
			}
		}
		return n
	}
	if n := refused(gateway); n > 0 {
		t.Errorf("%d questions of a partner are refused", n)
	}
	if refused(stranger) == 0 {
		t.Error("a stranger has no budget")
	}
}

// Of a list, those are asked that are configured or connected, and no others.
func TestAskThose(t *testing.T) {
	yes := func([32]byte) bool { return true }
	home, other := onLoopback(t, Config{}), onLoopback(t, Config{})
	gateway := onLoopback(t, Config{Peers: []PeerInfo{other.info()}})
	home.SetFinder(yes)
	other.SetFinder(yes)
	list := []peer.ID{home.ID()}
	if got, err := gateway.AskThose(t.Context(), list, [32]byte{}); !errors.Is(err, records.ErrNotFound) {
		t.Errorf("nobody who is here: %v, %v", got, err)
	}
	if err := home.AddPeer(gateway.info()); err != nil {
		t.Fatal(err)
	}
	polltest.Eventually(t, "a connection", func() bool { return gateway.Connected(home.ID()) })
	if got, err := gateway.AskThose(t.Context(), list, [32]byte{}); err != nil || got != home.ID() {
		t.Errorf("one that has called: %v, %v", got, err)
	}
	if got, err := gateway.AskThose(t.Context(), []peer.ID{other.ID()}, [32]byte{}); err != nil || got != other.ID() {
		t.Errorf("one that is configured: %v, %v", got, err)
	}
}

// A peer that is down, and one that hangs, do not delay the one that knows.
func TestPeersThatAreDownCostNothing(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		down, hanging, home := s.node(Config{}), s.node(Config{}), s.node(Config{})
		down.dead.Store(true)
		release := make(chan struct{})
		hanging.SetFinder(func([32]byte) bool { <-release; return false })
		defer close(release)
		question := [32]byte{5}
		home.SetFinder(func(q [32]byte) bool { return q == question })
		gateway := s.node(Config{Peers: []PeerInfo{down.info(), hanging.info(), home.info()}})
		s.settle()

		start := time.Now()
		if got, err := gateway.Ask(t.Context(), question); err != nil || got != home.ID() {
			t.Errorf("got %v, %v", got, err)
		}
		if took := time.Since(start); took > 2*simRTT {
			t.Errorf("took %v, want about one round trip of %v", took, simRTT)
		}
	})
}

func TestNobodyWaitsLongForAPeerThatIsDown(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		down, other := s.node(Config{}), s.node(Config{})
		down.dead.Store(true)
		gateway := s.node(Config{Peers: []PeerInfo{down.info(), other.info()}})
		s.settle()
		start := time.Now()
		if _, err := gateway.Ask(t.Context(), [32]byte{}); !errors.Is(err, records.ErrNotFound) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > downTime+simRTT {
			t.Errorf("took %v, want at most %v", took, downTime)
		}
		down.dead.Store(false)
		down.SetFinder(func([32]byte) bool { return true })
		if got, err := gateway.Ask(t.Context(), [32]byte{}); err != nil || got != down.ID() {
			t.Errorf("back again: got %v, %v", got, err)
		}
	})
}

// What a stranger can speak to.
func TestProtocols(t *testing.T) {
	d := onLoopback(t, Config{Server: true})
	d.Handle("/anteroom/signal/1", func(_ context.Context, s network.Stream) { _ = s.Close() })
	golden := map[string]bool{
		"/anteroom/kad/1.0.0": true, "/anteroom/find/1": true, "/anteroom/signal/1": true,
		"/ipfs/id/1.0.0": true, "/ipfs/id/push/1.0.0": true, "/ipfs/ping/1.0.0": true,
		"/libp2p/autonat/2/dial-request": true, // configured peers only
		"/libp2p/autonat/2/dial-back":    true,
	}
	for _, p := range d.host.Mux().Protocols() {
		if !golden[string(p)] {
			t.Errorf("speaks %s", p)
		}
		delete(golden, string(p))
	}
	for p := range golden {
		t.Errorf("does not speak %s", p)
	}
}
