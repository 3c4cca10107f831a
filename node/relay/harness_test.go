package relay

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	"github.com/pion/turn/v5"
	"go.uber.org/goleak"

	"anteroom/node/quiet"
)

func TestMain(m *testing.M) {
	if secret := os.Getenv(benchSecret); secret != "" {
		benchServer(secret)
		return
	}
	goleak.VerifyTestMain(m)
}

// wait is how long a test waits for what must happen; it is long because tests
// share their machine.
const wait = 20 * time.Second

// A rig is a Relay that runs on all kinds of sockets.
type rig struct {
	*Relay
	addr map[string]string // by udp, udp6, tcp, tcp6, tls
	stop func()
}

var loopback = map[string]netip.AddrPort{
	"4": netip.MustParseAddrPort("127.0.0.1:0"),
	"6": netip.MustParseAddrPort("[::1]:0"),
}

// start runs a Relay until the test ends. wrap may be nil.
func start(t testing.TB, cfg Config, wrap func(net.PacketConn) net.PacketConn) *rig {
	g := &rig{addr: make(map[string]string)}
	for _, family := range []string{"4", "6"} {
		udp, tcp, err := Listen(t.Context(), loopback[family])
		if err != nil {
			t.Fatal(err)
		}
		g.addr["udp"+family], g.addr["tcp"+family] = udp[0].LocalAddr().String(), tcp[0].Addr().String()
		cfg.TCP = append(cfg.TCP, tcp...)
		for _, c := range udp {
			if wrap != nil {
				c = wrap(c)
			}
			cfg.UDP = append(cfg.UDP, c)
		}
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.addr["tls4"] = l.Addr().String()
	cfg.TCP = append(cfg.TCP, tls.NewListener(quiet.Listen(l), serverTLS()))

	if g.Relay, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(g.stop)
	return g
}

var serverTLS = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}}}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"h2", "http/1.1"},
	}
})

// insecure is a client's, for a certificate that nobody signed.
func insecure(alpn ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: alpn}
}

// dial connects to the relay over the transport.
func (g *rig) dial(t testing.TB, transport string) net.Conn {
	var conn net.Conn
	var err error
	if transport == "tls4" {
		conn, err = tls.Dial("tcp", g.addr[transport], insecure())
	} else {
		conn, err = net.Dial(transport, g.addr[transport])
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// library returns a client of another make, with an allocation.
func (g *rig) library(t testing.TB, transport string, family turn.RequestedAddressFamily, cred Credentials) (*turn.Client, net.PacketConn) {
	var conn net.PacketConn
	if transport[:3] == "udp" {
		var err error
		if conn, err = net.ListenPacket(transport, netip.AddrPortFrom(netip.MustParseAddrPort(g.addr[transport]).Addr(), 0).String()); err != nil {
			t.Fatal(err)
		}
	} else {
		conn = turn.NewSTUNConn(g.dial(t, transport))
	}
	c, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: g.addr[transport],
		TURNServerAddr: g.addr[transport],
		Username:       cred.Username,
		Password:       cred.Password.Reveal(),
		Conn:           conn,
		LoggerFactory:  silence{},

		RequestedAddressFamily: family,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); conn.Close() })
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	relayed, err := c.Allocate()
	if err != nil {
		t.Fatalf("allocate over %s: %v", transport, err)
	}
	return c, relayed
}

// newSeat grants credentials to a seat that has had none.
func (r *Relay) newSeat(call string, until time.Time) Credentials {
	return r.Grant(call, rand.Text(), until)
}

// A seat is a client that does as it is told, one request at a time.
type seat struct {
	t            testing.TB
	conn         net.Conn
	datagrams    bool
	user         string
	realm, nonce string
	key          []byte
	relayed      netip.AddrPort
}

func (g *rig) seat(t testing.TB, transport string, cred Credentials) *seat {
	s := &seat{t: t, conn: g.dial(t, transport), datagrams: transport[:3] == "udp", user: cred.Username}
	s.sign(cred.Password.Reveal())
	return s
}

// sign makes the seat use a password. It asks for a nonce first.
func (s *seat) sign(password string) {
	s.t.Helper()
	m := s.do(stun.MethodAllocate)
	if m == nil {
		s.t.Fatal("no nonce")
	}
	s.realm, s.nonce = text(m, stun.AttrRealm), text(m, stun.AttrNonce)
	s.key = turn.GenerateAuthKey(s.user, s.realm, password)
}

func text(m *stun.Message, a stun.AttrType) string {
	b, _ := m.Get(a)
	return string(b)
}

// An attr is one of a message; if it is an address, peer is set.
type attr struct {
	kind  stun.AttrType
	value []byte
	peer  netip.AddrPort
}

// AddTo implements stun.Setter.
func (a attr) AddTo(m *stun.Message) error {
	v := a.value
	if a.peer.IsValid() {
		ip := a.peer.Addr().AsSlice()
		v = []byte{0, 1}
		if len(ip) == 16 {
			v[1] = 2
		}
		v = binary.BigEndian.AppendUint16(v, a.peer.Port()^(cookie>>16))
		mask := append(binary.BigEndian.AppendUint32(nil, cookie), m.TransactionID[:]...)
		for i := range ip {
			v = append(v, ip[i]^mask[i])
		}
	}
	m.Add(a.kind, v)
	return nil
}

func peerAttr(p netip.AddrPort) attr { return attr{kind: stun.AttrXORPeerAddress, peer: p} }

func channelAttr(n uint16) attr {
	return attr{kind: stun.AttrChannelNumber, value: binary.BigEndian.AppendUint32(nil, uint32(n)<<16)}
}

func dataAttr(b []byte) attr { return attr{kind: stun.AttrData, value: b} }

var overUDP = attr{kind: stun.AttrRequestedTransport, value: []byte{17, 0, 0, 0}}

// message builds a request, signed if the seat knows how.
func (s *seat) message(method stun.Method, attrs ...stun.Setter) *stun.Message {
	set := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, attrs...)
	if s.key != nil {
		set = append(set, stun.NewUsername(s.user), stun.NewRealm(s.realm), stun.NewNonce(s.nonce), stun.MessageIntegrity(s.key))
	}
	return stun.MustBuild(set...)
}

// do sends a request and returns the answer, or nil if there is none.
func (s *seat) do(method stun.Method, attrs ...stun.Setter) *stun.Message {
	s.t.Helper()
	q := s.message(method, attrs...)
	s.write(q.Raw)
	deadline := time.Now().Add(wait)
	for {
		p := s.read(time.Until(deadline))
		if p == nil {
			return nil
		}
		m := &stun.Message{Raw: p}
		if m.Decode() == nil && m.TransactionID == q.TransactionID {
			return m
		}
	}
}

func (s *seat) write(p []byte) {
	s.t.Helper()
	if !s.datagrams && isChannelData(p) {
		p = append(p, make([]byte, -len(p)&3)...)
	}
	if _, err := s.conn.Write(p); err != nil {
		s.t.Fatal(err)
	}
}

// read returns the next packet, or nil.
func (s *seat) read(wait time.Duration) []byte {
	s.conn.SetReadDeadline(time.Now().Add(wait))
	p := make([]byte, 2048)
	if s.datagrams {
		n, err := s.conn.Read(p)
		if err != nil {
			return nil
		}
		return p[:n]
	}
	if _, err := io.ReadFull(s.conn, p[:4]); err != nil {
		return nil
	}
	n, _ := frameSize(p)
	if _, err := io.ReadFull(s.conn, p[4:n]); err != nil {
		return nil
	}
	return p[:n]
}

// code is the error of an answer; 0 is success and -1 no answer.
func code(m *stun.Message) int {
	var e stun.ErrorCodeAttribute
	switch {
	case m == nil:
		return -1
	case e.GetFrom(m) == nil:
		return int(e.Code)
	}
	return 0
}

// allocate returns the code of the answer.
func (s *seat) allocate(attrs ...stun.Setter) int {
	s.t.Helper()
	m := s.do(stun.MethodAllocate, append([]stun.Setter{overUDP}, attrs...)...)
	var a stun.XORMappedAddress
	if m != nil && a.GetFromAs(m, stun.AttrXORRelayedAddress) == nil {
		ip, _ := netip.AddrFromSlice(a.IP)
		s.relayed = netip.AddrPortFrom(ip, uint16(a.Port))
	}
	return code(m)
}

func (s *seat) permit(p netip.AddrPort) int {
	s.t.Helper()
	return code(s.do(stun.MethodCreatePermission, peerAttr(p)))
}

func (s *seat) bind(channel uint16, p netip.AddrPort) int {
	s.t.Helper()
	return code(s.do(stun.MethodChannelBind, channelAttr(channel), peerAttr(p)))
}

func (s *seat) refresh(seconds uint32) int {
	s.t.Helper()
	return code(s.do(stun.MethodRefresh, attr{kind: stun.AttrLifetime, value: binary.BigEndian.AppendUint32(nil, seconds)}))
}

func (s *seat) send(p netip.AddrPort, payload []byte) {
	s.t.Helper()
	s.write(stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), peerAttr(p), dataAttr(payload)).Raw)
}

func channelData(channel uint16, payload []byte) []byte {
	p := binary.BigEndian.AppendUint16(nil, channel)
	p = binary.BigEndian.AppendUint16(p, uint16(len(payload)))
	return append(p, payload...)
}

// pair returns two seats of a call that can hear each other on channel 0x4000.
func (g *rig) pair(t testing.TB, one, other string) (a, b *seat) {
	t.Helper()
	call, until := rand.Text(), time.Now().Add(time.Hour)
	a, b = g.seat(t, one, g.newSeat(call, until)), g.seat(t, other, g.newSeat(call, until))
	for _, s := range []*seat{a, b} {
		if c := s.allocate(); c != 0 {
			t.Fatalf("allocate: %d", c)
		}
	}
	if c := a.bind(0x4000, b.relayed); c != 0 {
		t.Fatalf("bind: %d", c)
	}
	if c := b.bind(0x4000, a.relayed); c != 0 {
		t.Fatalf("bind: %d", c)
	}
	return a, b
}

// hears checks that what one seat sends arrives at the other. It is sent again,
// since on a busy machine it may be stale before it is its turn.
func hears(t testing.TB, from, to *seat) {
	t.Helper()
	want := channelData(0x4000, []byte(rand.Text()))
	for end := time.Now().Add(wait); time.Now().Before(end); {
		from.write(want)
		for got := to.read(time.Second); got != nil; got = to.read(time.Second) {
			if bytes.HasPrefix(got, want) {
				return
			}
			if len(got) < len(want) || !bytes.HasPrefix(got, want[:channelHeader]) { // nor one that was sent again
				t.Fatalf("received %q, want %q", got, want)
			}
		}
	}
	t.Fatalf("%q did not come", want)
}

// tally returns how many packets come to s until none does for a while. It waits
// longer for the first ones, of which at least so many must come.
func (s *seat) tally(least int) (n int) {
	for n < least && s.read(wait) != nil {
		n++
	}
	for s.read(300*time.Millisecond) != nil {
		n++
	}
	return n
}

// hungUp returns an error if the other side does not close c.
func hungUp(c net.Conn) error {
	c.SetReadDeadline(time.Now().Add(wait))
	n, err := c.Read(make([]byte, 1))
	if err == nil {
		return fmt.Errorf("received %d bytes", n)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

func later() time.Time { return time.Now().Add(time.Hour) }

func must(t testing.TB, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: %d, want %d", what, got, want)
	}
}
