package relay

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	"golang.org/x/net/ipv4"
)

// A watched socket remembers whom it sends to.
type watched struct {
	net.PacketConn
	batchConn
	mu *sync.Mutex
	to map[netip.AddrPort]int
}

func (w watched) WriteTo(p []byte, to net.Addr) (int, error) {
	w.note(to)
	return w.PacketConn.WriteTo(p, to)
}

func (w watched) WriteBatch(ms []ipv4.Message, flags int) (int, error) {
	for _, m := range ms {
		w.note(m.Addr)
	}
	return w.batchConn.WriteBatch(ms, flags)
}

func (w watched) note(to net.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to[addrPort(to)]++
}

// special is every block that IANA's registries of special addresses list, and
// the whole Internet.
var special = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32", "0.0.0.0/0",

	"::1/128", "::/128", "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32",
	"2001:db8::/32", "2001:db8:a27e::/120", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "::/0",
}

// spellings are the ways in which IPv6 can mean an IPv4 address.
func spellings(a netip.Addr) []netip.Addr {
	b := a.As4()
	in := func(prefix string, at int, mask byte) netip.Addr {
		p := netip.MustParseAddr(prefix).As16()
		for i := range b {
			p[at+i] = b[i] ^ mask
		}
		return netip.AddrFrom16(p)
	}
	return []netip.Addr{
		in("::", 12, 0), in("::ffff:0:0", 12, 0), in("::ffff:0:0:0", 12, 0), // compatible, mapped, translated
		in("64:ff9b::", 12, 0), in("64:ff9b:1::", 12, 0), // NAT64
		in("2002::", 2, 0),          // 6to4
		in("2001::", 12, 0xff),      // a client by Teredo
		in("2001::", 4, 0),          // a server of it
		in("fe80::5efe:0:0", 12, 0), // ISATAP
	}
}

// elsewhere returns n addresses that are not to be reached.
func elsewhere(n int, port uint16) (all []netip.AddrPort) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var blocks []netip.Prefix
	for _, s := range special {
		blocks = append(blocks, netip.MustParsePrefix(s))
	}
	for i := 0; len(all) < n; i++ {
		block := blocks[i%len(blocks)]
		b := block.Addr().AsSlice()
		for j := block.Bits(); j < len(b)*8; j++ { // first, last and any
			bit := byte(0x80) >> (j % 8)
			if round := i / len(blocks); round == 1 || round > 1 && rnd.IntN(2) == 0 {
				b[j/8] |= bit
			}
		}
		a, _ := netip.AddrFromSlice(b)
		all = append(all, netip.AddrPortFrom(a, port))
		if a.Is4() {
			for _, s := range spellings(a) {
				all = append(all, netip.AddrPortFrom(s, port))
			}
		}
	}
	return all[:n]
}

// TestClosed tries to get a packet out.
func TestClosed(t *testing.T) {
	var mu sync.Mutex
	to := make(map[netip.AddrPort]int)
	g := start(t, Config{Limits: Limits{Packets: 1e6, Bits: 4e9, Replies: 1e6}}, func(c net.PacketConn) net.PacketConn {
		return watched{c, batched(c), &mu, to}
	})

	// Where a packet would arrive, in both families, if one got out.
	var traps []net.PacketConn
	port := uint16(0)
	for _, family := range []string{"4", "6"} {
		for _, host := range []string{loopback[family].Addr().String(), "127.0.0.2", "0.0.0.0"} {
			if family == "6" && host[0] != ':' {
				continue
			}
			if c, err := net.ListenPacket("udp"+family, netip.AddrPortFrom(netip.MustParseAddr(host), port).String()); err == nil {
				port = addrPort(c.LocalAddr()).Port()
				traps = append(traps, c)
				defer c.Close()
			}
		}
	}

	call := []Credentials{g.newSeat("call", later()), g.newSeat("call", later())}
	four, six := g.seat(t, "udp4", call[0]), g.seat(t, "udp6", call[1])
	must(t, "allocate", four.allocate(), 0)
	must(t, "allocate", six.allocate(attr{kind: stun.AttrRequestedAddressFamily, value: []byte{2, 0, 0, 0}}), 0)
	clients := map[netip.AddrPort]bool{addrPort(four.conn.LocalAddr()): true, addrPort(six.conn.LocalAddr()): true}

	peers := elsewhere(1<<16-8, port)
	for _, name := range []string{"udp4", "udp6", "tcp4", "tls4"} { // the relay's own addresses
		peers = append(peers, netip.MustParseAddrPort(g.addr[name]))
	}
	for _, s := range []*seat{four, six} { // the clients', and a port beside a relayed one
		peers = append(peers, addrPort(s.conn.LocalAddr()))
	}
	peers = append(peers, netip.AddrPortFrom(four.relayed.Addr().Next(), four.relayed.Port()), netip.AddrPortFrom(six.relayed.Addr().Prev(), six.relayed.Port()))

	// Each is tried by the allocation of its family, by permission and by
	// channel, 64 at a time.
	var wg sync.WaitGroup
	for _, s := range []*seat{four, six} {
		window := make(chan struct{}, 64)
		want := 0
		var mine []netip.AddrPort
		for _, p := range peers {
			if p.Addr().Is4() == (s == four) {
				mine = append(mine, p)
				if p.Addr() == s.relayed.Addr() {
					want++ // it may let itself in: a permission knows no port
				}
			}
		}
		wg.Go(func() {
			for i, p := range mine {
				window <- struct{}{}
				s.conn.Write(s.message(stun.MethodCreatePermission, peerAttr(p)).Raw)
				s.send(p, []byte("let me out"))
				window <- struct{}{}
				channel := minChannel + uint16(i)%(maxChannel-minChannel)
				s.conn.Write(s.message(stun.MethodChannelBind, channelAttr(channel), peerAttr(p)).Raw)
				s.write(channelData(channel, []byte("let me out")))
			}
		})
		wg.Go(func() {
			granted, bound := 0, 0
			for range 2 * len(mine) {
				m := &stun.Message{Raw: s.read(wait)}
				if err := m.Decode(); err != nil {
					t.Errorf("no answer: %v", err)
					return
				}
				binding := m.Type.Method == stun.MethodChannelBind
				switch c := code(m); {
				case c == 0 && binding:
					bound++
				case c == 0:
					granted++
				case c == 443, c == 403 && !binding, c == 401 && binding:
				case c == 400 && binding: // one that it has, or that another channel has
				default:
					t.Errorf("answered %v", m)
				}
				<-window
			}
			must(t, "granted", granted, want)
			if bound > want {
				t.Errorf("%d channels were bound, where %d addresses are of the call", bound, want)
			}
		})
	}
	wg.Wait()

	for _, c := range traps {
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if n, from, err := c.ReadFrom(make([]byte, 100)); err == nil {
			t.Errorf("%v received %d bytes from %v", c.LocalAddr(), n, from)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for a, n := range to {
		if !clients[a] {
			t.Errorf("%d packets were sent to %v", n, a)
		}
	}
	// A channel that is bound, to nobody, may be so too late for its packet.
	s := g.Stats()
	if d := s.Dropped; s.Packets != 0 || d.Elsewhere < uint64(len(peers)) || d.Elsewhere+d.Unbound != 2*uint64(len(peers)) ||
		d != (Dropped{Elsewhere: d.Elsewhere, Unbound: d.Unbound}) {
		t.Errorf("of %d: %+v", len(peers), s)
	}
}
