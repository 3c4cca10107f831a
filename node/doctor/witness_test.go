package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery"
)

// What a peer sees of each kind of port: as it should be, closed, with a bad
// certificate, and with something else behind it.
func TestPeerLooks(t *testing.T) {
	a, b := start(t, nil), start(t, nil)
	meet(t, a, b)
	good, expired := newHouse(t, time.Now().Add(time.Hour)), newHouse(t, time.Now().Add(-time.Minute))
	good.isOf(t, a)
	w := witness(b, trusting(good.roots))
	closed, plain := nobody(t), good.relay.Plain[0].Port()
	for _, c := range []struct {
		probe Probe
		want  Result
	}{
		{Probe{TCPTLS, good.port, "127.0.0.1"}, OK},
		{Probe{STUNUDP, plain, ""}, OK},
		{Probe{STUNTCP, plain, ""}, OK},
		{Probe{STUNTLS, good.port, "127.0.0.1"}, OK},
		{Probe{TCPTLS, closed, "127.0.0.1"}, Refused},
		{Probe{STUNUDP, closed, ""}, Refused},
		{Probe{STUNTCP, closed, ""}, Refused},
		{Probe{TCPTLS, good.port, "call.example"}, BadCertificate},
		{Probe{TCPTLS, expired.port, "127.0.0.1"}, BadCertificate},
		{Probe{STUNTLS, expired.port, "127.0.0.1"}, BadCertificate},
	} {
		if got := resultOf(w.probe(within(t, 5*time.Second), localhost, c.probe, a.ID())); got != c.want {
			t.Errorf("%+v: %d, want %d", c.probe, got, c.want)
		}
	}
	// Something that takes connections and says nothing; and something that
	// says what nobody asked.
	for greeting, want := range map[string]Result{"": Timeout, strings.Repeat("HTTP/1.1 400 Bad Request\r\n", 4): WrongAnswer} {
		port := stubborn(t, greeting)
		for _, p := range []Probe{{TCPTLS, port, "127.0.0.1"}, {STUNTCP, port, ""}} {
			if got := resultOf(w.probe(within(t, 300*time.Millisecond), localhost, p, a.ID())); got != want {
				t.Errorf("%+v of %q: %d, want %d", p, greeting, got, want)
			}
		}
	}

	// The same over UDP, where a firewall that drops looks like silence.
	for greeting, want := range map[string]Result{"": Timeout, "HTTP/1.1 400 Bad Request\r\n": WrongAnswer} {
		p := Probe{STUNUDP, stubbornUDP(t, greeting), ""}
		if got := resultOf(w.probe(within(t, 700*time.Millisecond), localhost, p, a.ID())); got != want {
			t.Errorf("%+v of %q: %d, want %d", p, greeting, got, want)
		}
	}

	// TLS with something else behind it: a proxy that has nobody to pass requests
	// on to, one that sends them elsewhere, another site, and another node.
	own := Probe{TCPTLS, good.port, "127.0.0.1"}
	for what, answer := range map[string]http.HandlerFunc{
		"bad gateway": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"redirection": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1"+cardPath, http.StatusFound)
		},
		"another site":    func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<!doctype html>") },
		"another node":    cardOf(t, b, fmt.Sprintf("127.0.0.1:%d", good.port)),
		"too much to say": func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, maxAnswer)) },
		"another name":    cardOf(t, a, "call.example"),
	} {
		good.page.becomes(answer)
		if got := resultOf(w.probe(within(t, 5*time.Second), localhost, own, a.ID())); got != WrongAnswer {
			t.Errorf("%s: %d, want %d", what, got, WrongAnswer)
		}
	}
	good.isOf(t, a)

	// And over the network.
	probes := []Probe{{TCPTLS, good.port, "127.0.0.1"}, {STUNUDP, plain, ""}, {STUNTCP, closed, ""}, {STUNTLS, expired.port, "127.0.0.1"}}
	overUDP := addrOf(b)
	overUDP.Addrs = slices.DeleteFunc(overUDP.Addrs, func(m ma.Multiaddr) bool { return !overQUIC(m) })
	got, err := ask(t.Context(), a, overUDP, probes)
	check(t, err)
	if want := []Result{OK, OK, Refused, BadCertificate}; got.Outcome != Looked || !slices.Equal(got.Results, want) || got.Address != localhost || !got.QUIC {
		t.Errorf("got %+v, want %v of %v", got, want, localhost)
	}
	if off := time.Since(got.Time).Abs(); off > 5*time.Second {
		t.Errorf("its clock is off by %v", off)
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// stubborn returns a port at which greeting is all that is ever said.
func stubborn(t testing.TB, greeting string) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	var wg sync.WaitGroup
	wg.Go(func() { // ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { // ends with the other side
				io.WriteString(c, greeting)
				io.Copy(io.Discard, c)
				c.Close()
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

// stubbornUDP is stubborn over UDP, where it says nothing at all without a greeting.
func stubbornUDP(t testing.TB, greeting string) uint16 {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	go func() { // ends with c
		defer close(done)
		b := make([]byte, 512)
		for {
			_, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if greeting != "" {
				c.WriteTo([]byte(greeting), from)
			}
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return uint16(c.LocalAddr().(*net.UDPAddr).Port)
}

// What a page is asked for is what browsers put into Host.
func TestHostOfAPage(t *testing.T) {
	for want, p := range map[string]Probe{
		"call.example":       {TCPTLS, 443, "call.example"},
		"call.example:8443":  {TCPTLS, 8443, "call.example"},
		"[2001:db8::1]":      {TCPTLS, 443, "2001:db8::1"},
		"[2001:db8::1]:8443": {TCPTLS, 8443, "2001:db8::1"},
	} {
		if got := hostOf(p.Name, p.Port); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestStrangersAreRefused(t *testing.T) {
	a, b := start(t, nil), start(t, nil)
	witness(b, func(w *Witness) {
		w.dial = func(context.Context, string, string) (net.Conn, error) {
			t.Error("dialled for a stranger")
			return nil, errors.New("no")
		}
	})
	check(t, a.AddPeer(infoOf(t, b, ""))) // and not the other way round
	if got, err := ask(t.Context(), a, addrOf(b), []Probe{{STUNTCP, 1, ""}}); err == nil {
		t.Errorf("a stranger is told %+v", got)
	}
	check(t, b.AddPeer(discovery.PeerInfo{ID: a.ID()}))
	if _, err := ask(t.Context(), a, addrOf(b), nil); err != nil {
		t.Errorf("a peer is told nothing: %v", err)
	}
}

// A node that does not allow private addresses connects to none for a peer
// that it sees at one, but tells it the time.
func TestPrivateAddressesAreNotLookedAt(t *testing.T) {
	a := start(t, nil)
	at := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", nobody(t))
	b := start(t, func(c *discovery.Config) { c.AllowPrivate, c.Listen = false, []string{at} })
	check(t, b.AddPeer(discovery.PeerInfo{ID: a.ID()}))
	witness(b, func(w *Witness) {
		w.dial = func(context.Context, string, string) (net.Conn, error) {
			t.Error("dialled a private address")
			return nil, errors.New("no")
		}
	})
	got, err := ask(t.Context(), a, peer.AddrInfo{ID: b.ID(), Addrs: []ma.Multiaddr{ma.StringCast(at)}}, []Probe{{STUNTCP, 1, ""}})
	check(t, err)
	if got.Outcome != Private || len(got.Results) != 0 || got.Address != localhost || time.Since(got.Time).Abs() > 5*time.Second {
		t.Errorf("got %+v", got)
	}
}

func TestAskingIsLimited(t *testing.T) {
	a, b := start(t, nil), start(t, nil)
	meet(t, a, b)
	witness(b, nil)
	for i := range asksPerMinute + 2 {
		got, err := ask(t.Context(), a, addrOf(b), nil)
		check(t, err)
		if want := i >= asksPerMinute; (got.Outcome == TooOften) != want {
			t.Errorf("question %d: outcome %d", i+1, got.Outcome)
		}
	}
}

// Whatever a request says, only ports of the address from which it came are
// dialled, and at most four.
func TestRequestsNameNoAddress(t *testing.T) {
	a, b := start(t, nil), start(t, nil)
	meet(t, a, b)
	var mu sync.Mutex
	var dialled []string
	w := witness(b, func(w *Witness) {
		w.dial = func(_ context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dialled = append(dialled, network+" "+address)
			return nil, errors.New("not in this test")
		}
	})
	requests := [][]byte{
		encodeRequest([]Probe{{TCPTLS, 443, "9.9.9.9"}, {STUNTLS, 22, "localhost"}, {STUNTCP, 25, ""}, {STUNUDP, 53, ""}}),
		encodeRequest([]Probe{{TCPTLS, 443, "9.9.9.9:80"}}),
		encodeRequest([]Probe{{STUNTCP, 25, "mail.example"}}),
		encodeRequest(make([]Probe, 1)),
		encodeRequest(slices.Repeat([]Probe{{STUNTCP, 25, ""}}, maxProbes+1)),
		append(encodeRequest([]Probe{{STUNTCP, 25, ""}}), 0),
		{checkVersion + 1, 0},
		{checkVersion},
		{checkVersion, 1, 1, 0, 80, 255},
		{},
	}
	source := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		r := slices.Clone(requests[source.IntN(len(requests))])
		for range 1 + source.IntN(3) {
			if len(r) > 0 {
				r[source.IntN(len(r))] = byte(source.Uint32())
			}
		}
		requests = append(requests, r)
	}
	for _, r := range requests {
		mu.Lock()
		dialled = nil
		mu.Unlock()
		w.forgive(a.ID()) // the limit is another test's
		ctx := within(t, wait)
		s, err := a.Open(ctx, addrOf(b), Protocol)
		check(t, err)
		stop := context.AfterFunc(ctx, func() { s.Reset() })
		s.Write(r)
		s.CloseWrite()
		io.Copy(io.Discard, s)
		s.Reset()
		stop()
		mu.Lock()
		probes, err := decodeRequest(r)
		if err != nil && len(dialled) > 0 || len(dialled) > maxProbes || err == nil && len(dialled) != len(probes) {
			t.Errorf("%x: dialled %q", r, dialled)
		}
		for _, d := range dialled {
			_, address, _ := strings.Cut(d, " ")
			if at, err := netip.ParseAddrPort(address); err != nil || at.Addr() != localhost {
				t.Errorf("%x: dialled %s", r, d)
			}
		}
		mu.Unlock()
	}
}

// What a peer answers is believed only as far as it has the form of an answer.
func TestLiesAreNoAnswers(t *testing.T) {
	a, b := start(t, nil), start(t, nil)
	meet(t, a, b)
	good := encodeAnswer(Answer{Address: localhost, Time: time.Now(), Results: []Result{OK}})
	for what, lie := range map[string][]byte{
		"nothing":               {},
		"cut short":             good[:answerHead-1],
		"no result":             good[:answerHead],
		"a result too many":     append(slices.Clone(good), byte(OK)),
		"an unknown result":     append(slices.Clone(good[:answerHead]), byte(WrongAnswer)+1),
		"an unknown outcome":    append([]byte{byte(TooOften) + 1}, good[1:]...),
		"results without looks": append([]byte{byte(Relayed)}, good[1:]...),
		"more than fits":        make([]byte, 1<<20),
	} {
		b.Handle(Protocol, func(_ context.Context, s network.Stream) {
			io.Copy(io.Discard, s)
			s.Write(lie)
			s.Close()
		})
		if got, err := ask(t.Context(), a, addrOf(b), []Probe{{STUNTCP, 1, ""}}); err == nil {
			t.Errorf("%s: understood as %+v", what, got)
		}
	}
	b.Handle(Protocol, func(_ context.Context, s network.Stream) { io.Copy(io.Discard, s); s.Write(good); s.Close() })
	if _, err := ask(t.Context(), a, addrOf(b), []Probe{{STUNTCP, 1, ""}}); err != nil {
		t.Errorf("the truth: %v", err)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add(encodeRequest([]Probe{{TCPTLS, 443, "call.example"}, {STUNUDP, 3478, ""}}))
	f.Add([]byte{checkVersion, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		probes, err := decodeRequest(b)
		if err == nil && !slices.Equal(encodeRequest(probes), b) {
			t.Errorf("%x means the same as %x", b, encodeRequest(probes))
		}
		if err == nil && (len(probes) > maxProbes || len(b) > maxRequest) {
			t.Error(fmt.Sprint("too much: ", probes))
		}
	})
}
