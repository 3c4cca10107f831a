package passthrough

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"anteroom/node/admit"
)

// Two nodes are behind the front of the tests below, and one has two names.
const otherName, anotherNode = "other.example", "another.example"

// delay is how long a hidden node of these tests takes for each answer.
const delay = 150 * time.Millisecond

// A web is a front with hidden nodes that speak TLS and say everything back.
type web struct {
	t      *testing.T
	front  *Front
	listen *fakeListener
	cert   tls.Certificate
	hello  map[string]string

	streams, most atomic.Int32 // to oneName's node
	opened        atomic.Int32
}

// testWeb runs test with a web of its own.
func testWeb(t *testing.T, limits Limits, test func(w *web)) {
	synctest.Test(t, func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		w := &web{t: t, listen: newFakeListener(), hello: make(map[string]string)}
		w.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
		routes := map[string]peer.ID{oneName: "1", otherName: "1", anotherNode: "2"}
		for name := range routes {
			w.hello[name] = helloTo(t, name)
		}
		w.front = NewFront(w, routes, admit.NewBacklog(DefaultSilent, DefaultSilentOf), limits, slog.New(slog.DiscardHandler))
		own := run(w.front, w.listen)
		defer func() {
			own.Close()
			time.Sleep(time.Minute) // virtual, until all of it has ended
		}()
		test(w)
	})
}

func (w *web) Open(_ context.Context, to peer.AddrInfo, _ protocol.ID) (network.Stream, error) {
	here, there := net.Pipe()
	if to.ID == "1" {
		w.opened.Add(1)
		n := w.streams.Add(1)
		for was := w.most.Load(); n > was && !w.most.CompareAndSwap(was, n); was = w.most.Load() {
		}
	}
	go func() { // ends with the stream
		defer there.Close()
		if to.ID == "1" {
			defer w.streams.Add(-1)
		}
		there.Write([]byte{wantsNothing})
		conn := tls.Server(slow{there}, &tls.Config{Certificates: []tls.Certificate{w.cert}})
		there.SetDeadline(time.Now().Add(10 * time.Second)) // as web servers do
		if conn.Handshake() == nil {
			there.SetDeadline(time.Time{})
			io.Copy(conn, conn)
		}
	}()
	return &fakeStream{pipe: here}, nil
}

// A slow connection is far away.
type slow struct{ net.Conn }

func (s slow) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	time.Sleep(delay)
	return n, err
}

// stranger asks for a name from a network and goes no further.
func (w *web) stranger(from, name string) net.Conn {
	conn := w.listen.dial(from, w.hello[name])
	go io.Copy(io.Discard, conn) // ends with the connection
	return conn
}

// A visitor has a connection to a hidden node.
type visitor struct{ *tls.Conn }

// visitor comes from a network, to a name.
func (w *web) visitor(from, name string) visitor {
	return visitor{tls.Client(w.listen.dial(from, ""), &tls.Config{ServerName: name, InsecureSkipVerify: true})}
}

// heard reports why the visitor is not answered.
func (v visitor) heard() error {
	v.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err := io.WriteString(v, "x"); err != nil {
		return err
	}
	_, err := io.ReadFull(v, make([]byte, 1))
	return err
}

// However many strangers ask for a hidden node's name and say nothing more,
// from however many networks, whoever visits it gets in and stays; and the node
// never has more connections, nor more new ones a second, than it is meant to.
func TestStrangersAtAHiddenNode(t *testing.T) {
	for _, flood := range []struct{ networks, each int }{{1, 20}, {1, 100}, {4, 20}, {4, 1}, {20, 3}, {100, 2}} {
		testWeb(t, DefaultLimits, func(w *web) {
			start := time.Now()
			stop := make(chan struct{})
			var strangers sync.WaitGroup
			defer strangers.Wait()
			defer close(stop)
			for n := range flood.networks {
				for range flood.each {
					strangers.Go(func() { // ends with stop
						for {
							w.stranger(subnet(n, 1), []string{oneName, otherName}[n%2])
							select {
							case <-stop:
								return
							case <-time.After(time.Second):
							}
						}
					})
				}
			}
			time.Sleep(5 * time.Second)
			var in []visitor
			for n := range 20 {
				for _, name := range []string{oneName, otherName} {
					v := w.visitor(subnet(5000+n, 1), name)
					if err := v.heard(); err != nil {
						t.Fatalf("%+v: visitor %d: %v", flood, n, err)
					}
					in = append(in, v)
				}
			}
			if flood.networks > 20 || flood.each > DefaultSilentOf {
				// Her network has its share, and it is full.
			} else if err := w.visitor(subnet(0, 250), oneName).heard(); err != nil {
				t.Errorf("%+v: a visitor from a network of strangers: %v", flood, err)
			}
			time.Sleep(time.Minute)
			for n, v := range in {
				if err := v.heard(); err != nil {
					t.Errorf("%+v: after a minute, visitor %d: %v", flood, n, err)
				}
			}
			if most := DefaultLimits.Passed + DefaultLimits.Handshakes; int(w.most.Load()) > most {
				t.Errorf("%+v: %d connections at once, want at most %d", flood, w.most.Load(), most)
			}
			if most := DefaultLimits.Handshakes/2 + int(connsPerSec*time.Since(start).Seconds()); int(w.opened.Load()) > most {
				t.Errorf("%+v: %d connections in all, want at most %d", flood, w.opened.Load(), most)
			}
		})
	}
}

// Of those who have had an answer and say something that leads to none, none
// has a place that a visitor needs.
func TestHalfHandshakes(t *testing.T) {
	testWeb(t, DefaultLimits, func(w *web) {
		for n := range 60 {
			conn := w.stranger(subnet(n, 1), oneName)
			time.Sleep(2 * delay)
			io.WriteString(conn, "\x17") // of a record
		}
		if all, _ := w.front.Passed(); all != 0 {
			t.Errorf("%d of them are taken for visitors", all)
		}
		if err := w.visitor(subnet(100, 1), oneName).heard(); err != nil {
			t.Error(err)
		}
	})
}

// One network gets a share of a hidden node's lasting connections, and others
// the rest; beyond that they last until somebody else comes.
func TestConnectionsThatGoOn(t *testing.T) {
	limits := Limits{Passed: 8, PassedOf: 3, Handshakes: 4, HandshakesOf: 2}
	testWeb(t, limits, func(w *web) {
		var in []visitor
		enter := func(from, name string) {
			t.Helper()
			v := w.visitor(from, name)
			if err := v.heard(); err != nil {
				t.Fatalf("connection %d: %v", len(in), err)
			}
			in = append(in, v)
		}
		size := func(all, most, handshakes, mostHandshakes int) {
			t.Helper()
			a, m := w.front.Passed()
			h, mh := w.front.Handshakes()
			if a != all || m != most || h != handshakes || mh != mostHandshakes {
				t.Errorf("%d go on, %d of one network; %d more, %d of one network; want %d, %d; %d, %d", a, m, h, mh, all, most, handshakes, mostHandshakes)
			}
		}
		for range 5 {
			enter(subnet(0, 1), oneName) // 0 to 4
		}
		size(3, 3, 2, 2)
		for n := range 5 {
			enter(subnet(1+n, 1), otherName) // 5 to 9
		}
		size(8, 3, 2, 2)
		enter(subnet(0, 2), otherName) // 10
		size(8, 3, 2, 2)
		enter(subnet(9, 1), oneName)
		size(8, 3, 3, 2)
		enter(subnet(10, 1), anotherNode)
		size(8, 3, 3, 2)
		for n, v := range in {
			if err := v.heard(); (err != nil) != (n == 3) {
				t.Errorf("connection %d: %v", n, err)
			}
		}
		for _, v := range in {
			v.Close()
		}
		synctest.Wait()
		time.Sleep(time.Second)
		size(0, 0, 0, 0)
	})
}
