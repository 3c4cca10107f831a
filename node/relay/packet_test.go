package relay

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

func TestDataIndication(t *testing.T) {
	for _, peer := range []string{"203.0.113.7:50000", "[2001:db8:a27e::7]:65535"} {
		for size := range 20 {
			var b buffer
			payload := bytes.Repeat([]byte{0xEE}, size)
			lo := headroom + channelHeader
			hi := lo + copy(b[lo:], payload)
			p := putData(&b, lo, hi, netip.MustParseAddrPort(peer))
			m := &stun.Message{Raw: p}
			var from stun.XORMappedAddress
			if err := m.Decode(); err != nil || !wholeSTUN(p) {
				t.Fatal(err)
			}
			if err := from.GetFromAs(m, stun.AttrXORPeerAddress); err != nil || from.String() != peer {
				t.Errorf("peer %v, want %v", from, peer)
			}
			if got := text(m, stun.AttrData); got != string(payload) {
				t.Errorf("payload %q, want %q", got, payload)
			}
		}
	}
}

// fuzzSeeds are messages that are right, and some that are not.
func fuzzSeeds() [][]byte {
	v4, v6 := netip.MustParseAddrPort("203.0.113.1:50000"), netip.MustParseAddrPort("[2001:db8:a27e::1]:50000")
	send := stun.NewType(stun.MethodSend, stun.ClassIndication)
	seeds := [][]byte{
		{},
		{0x40},
		channelData(0x4000, nil),
		channelData(0x4000, []byte("hello")),
		channelData(0x7fff, make([]byte, maxPacket-channelHeader)),
		{0x40, 0x00, 0xff, 0xff, 1},
		[]byte("\x00\x01\xff\xec\x21\x12\xa4\x42aaaaaaaaaaaa"),
		[]byte("\x00\x16\x00\x04\x21\x12\xa4\x42aaaaaaaaaaaa\x00\x13\xff\xff"),
		[]byte("\x00\x16\x00\x04\x21\x12\xa4\x42aaaaaaaaaaaa\x00\x12\x00\x00"),
		[]byte("GET / HTTP/1.1\r\n\r\n"),
		stun.MustBuild(stun.TransactionID, send, peerAttr(v4), dataAttr([]byte("hello"))).Raw,
		stun.MustBuild(stun.TransactionID, send, dataAttr(nil), peerAttr(v6)).Raw,
		stun.MustBuild(stun.TransactionID, send, dataAttr(make([]byte, maxPacket-stunHeader-16)), peerAttr(v4)).Raw,
	}
	for _, method := range []stun.Method{stun.MethodBinding, stun.MethodAllocate, stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind, stun.MethodConnect, stun.MethodConnectionBind} {
		for _, s := range []*seat{{}, {user: "user", realm: "anteroom", nonce: "nonce", key: []byte("key")}} {
			seeds = append(seeds, s.message(method, overUDP, peerAttr(v4), peerAttr(v6)).Raw)
		}
	}
	return seeds
}

// FuzzPacket is a client with an allocation that sends anything: at most one
// packet leaves, whole and to its counterpart; the library gets nothing but
// requests; and what is taken for a Send indication is one by another parser.
func FuzzPacket(f *testing.F) {
	for _, s := range fuzzSeeds() {
		f.Add(s)
	}
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	defer c.Close()
	r, err := New(Config{UDP: []net.PacketConn{c}, Limits: Limits{Packets: 1e9, Bits: 1e12}})
	if err != nil {
		f.Fatal(err)
	}
	endpoint, events := r.endpoints[0], r.events()
	var all [2]*allocation
	for i, port := range []int{1, 2} {
		a, err := r.newAllocation(endpoint, r.newSeat("call", time.Now().Add(time.Hour)).Username, i == 1)
		if err != nil {
			f.Fatal(err)
		}
		defer a.Close()
		events.OnAllocationCreated(&net.UDPAddr{IP: net.IP{127, 0, 0, 1}, Port: port}, nil, "", "", "", a.LocalAddr(), 0)
		all[i] = a
	}
	for i, a := range all {
		peer := all[1-i].LocalAddr().(*net.UDPAddr)
		events.OnPermissionCreated(nil, nil, "", "", "", a.LocalAddr(), peer.IP)
		if i == 0 {
			events.OnChannelCreated(nil, nil, "", "", "", a.LocalAddr(), peer, 0x4000)
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var b buffer
		n := copy(b[headroom:headroom+maxPacket], p)
		p = bytes.Clone(b[headroom:][:n])
		co := newForwarder(endpoint, nil)
		r.table.mu.RLock()
		co.handleLocked(&b, n, all[0].to, nil)
		r.table.mu.RUnlock()
		if len(co.out) > 1 {
			t.Fatal("two packets for one")
		}
		for i := range co.out {
			if got := co.out[i].Buffers[0]; co.out[i].Addr != all[1].to || !wholeSTUN(got) {
				t.Fatalf("sends %x to %v", got, co.out[i].Addr)
			}
		}
		select {
		case q := <-endpoint.requests:
			if m := (&stun.Message{Raw: q.b[:q.n]}); !wholeSTUN(m.Raw) || m.Decode() == nil && m.Type.Class != stun.ClassRequest {
				t.Fatalf("the library gets %x", m.Raw)
			}
			requests.Put(q)
		default:
		}
		if len(p) >= 4 {
			frameSize(p)
		}
		if wholeSTUN(p) {
			m := &stun.Message{Raw: p}
			_, lo, hi, ok := parseSend(p)
			if ok && isSend(p) {
				if err := m.Decode(); err != nil || text(m, stun.AttrData) != string(p[lo:hi]) {
					t.Fatalf("%x: another payload, %v", p, err)
				}
			}
		}
	})
}

// TestMalformed throws all prefixes and many mutations of messages at a relay
// that carries a call meanwhile.
func TestMalformed(t *testing.T) {
	g := start(t, Config{}, nil)
	a, b := g.pair(t, "udp4", "udp4")
	junk := g.dial(t, "udp4")
	sent := 0
	for _, s := range fuzzSeeds() {
		for i := range s {
			junk.Write(s[:i])
			mutated := bytes.Clone(s)
			mutated[i] ^= byte(1 + i*37)
			junk.Write(mutated)
			if sent += 2; sent%64 == 0 {
				hears(t, a, b)
				hears(t, b, a)
			}
			if i > 200 {
				break
			}
		}
	}
	must(t, "refresh", a.refresh(600), 0)
	must(t, "allocations", g.Stats().Allocations, 2)
}
