package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	"golang.org/x/net/ipv4"

	"anteroom/node/polltest"
	"anteroom/node/quiet"
)

// benchSecret is the environment of a process that is only a relay.
const benchSecret = "ANTEROOM_RELAY_BENCH_SECRET"

// benchServer relays until its input ends, and prints where.
func benchServer(secret string) {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	udp, tcp, err := Listen(ctx, loopback["4"])
	check(err)
	overTLS, err := net.Listen("tcp4", "127.0.0.1:0")
	check(err)
	r, err := New(Config{
		UDP:    udp,
		TCP:    append(tcp, tls.NewListener(quiet.Listen(overTLS), serverTLS())),
		Secret: []byte(secret),
		Limits: Limits{PerCall: 100, Bits: 1e11, Packets: 1e8, Replies: 1e5, StreamsPerPrefix: 100},
	})
	check(err)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	fmt.Println(udp[0].LocalAddr(), tcp[0].Addr(), overTLS.Addr())
	r.Run(ctx)
}

// A rival is a TURN server in a process of its own.
type rival struct {
	*rig
	pid   int
	grant func() Credentials
}

func startRelay(b *testing.B) *rival {
	secret := rand.Text()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchSecret+"="+secret)
	cmd.Stderr = os.Stderr
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	var udp, tcp, overTLS string
	if _, err := fmt.Fscanln(bufio.NewReader(out), &udp, &tcp, &overTLS); err != nil {
		b.Fatal(err)
	}
	issuer := &Relay{secret: []byte(secret)}
	return &rival{
		rig:   &rig{addr: map[string]string{"udp4": udp, "tcp4": tcp, "tls4": overTLS}},
		pid:   cmd.Process.Pid,
		grant: func() Credentials { return issuer.newSeat("call", later()) },
	}
}

// startCoturn returns nil if there is no coturn.
func startCoturn(b *testing.B) *rival {
	path, err := exec.LookPath("turnserver")
	if err != nil {
		return nil
	}
	var ports [2]string
	for i := range ports {
		free, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer free.Close()
		ports[i] = strconv.Itoa(int(addrPort(free.Addr()).Port()))
		free.Close()
	}
	tmp := b.TempDir()
	cert := serverTLS().Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		b.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert": {Type: "CERTIFICATE", Bytes: cert.Certificate[0]},
		"key":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(tmp, name), pem.EncodeToMemory(block), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	cmd := exec.Command(path, "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--listening-port="+ports[0], "--tls-listening-port="+ports[1],
		"--cert="+filepath.Join(tmp, "cert"), "--pkey="+filepath.Join(tmp, "key"),
		"--lt-cred-mech", "--user=bench:bench", "--realm=anteroom", "--allow-loopback-peers", "--no-dtls", "--no-cli", "--no-rfc5780",
		"--userdb="+filepath.Join(tmp, "db"), "--pidfile="+filepath.Join(tmp, "pid"), "--no-stdout-log", "--log-file=/dev/null")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	r := &rival{
		rig:   &rig{addr: map[string]string{"udp4": "127.0.0.1:" + ports[0], "tcp4": "127.0.0.1:" + ports[0], "tls4": "127.0.0.1:" + ports[1]}},
		pid:   cmd.Process.Pid,
		grant: func() Credentials { return Credentials{"bench", Password{func() string { return "bench" }}} },
	}
	for transport, addr := range r.addr {
		polltest.Eventually(b, "coturn listens", func() bool {
			conn, err := net.Dial(strings.Replace(transport, "tls", "tcp", 1), addr)
			if err != nil {
				return false
			}
			defer conn.Close()
			s := &seat{t: b, conn: conn, datagrams: true}
			conn.Write(s.message(stun.MethodBinding).Raw)
			return transport != "udp4" || s.read(100*time.Millisecond) != nil
		})
	}
	return r
}

// cpu is how long the threads of the server's process have run, as the
// scheduler counts it: in nanoseconds, not in ticks.
func (r *rival) cpu(b *testing.B) (sum time.Duration) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", r.pid))
	for _, name := range threads {
		stat, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		ns, _, _ := strings.Cut(string(stat), " ")
		ran, _ := strconv.ParseInt(ns, 10, 64)
		sum += time.Duration(ran)
	}
	if sum == 0 {
		b.Skip("the system does not say how long threads have run")
	}
	return sum
}

// pairs returns seats that can hear each other. If bare, the others are no
// clients of the server: it is to send to them, and they to it.
func (r *rival) pairs(b *testing.B, transport string, n int, bare bool) (from, to []*seat) {
	seats := func() *seat {
		s := r.seat(b, transport, r.grant())
		must(b, "allocate", s.allocate(), 0)
		return s
	}
	for range n {
		s := seats()
		var o *seat
		if bare {
			conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { conn.Close() })
			o = &seat{t: b, conn: conn.(*net.UDPConn), datagrams: true, relayed: addrPort(conn.LocalAddr())}
		} else {
			o = seats()
			must(b, "bind", o.bind(0x4000, s.relayed), 0)
		}
		must(b, "bind", s.bind(0x4000, o.relayed), 0)
		for _, s := range []*seat{s, o} {
			if s.datagrams {
				grow(s.conn.(*net.UDPConn))
			}
			s.conn.SetReadDeadline(time.Time{})
		}
		from, to = append(from, s), append(to, o)
	}
	return from, to
}

// count reads what arrives at a seat until its deadline.
func (s *seat) count(n *atomic.Int64) {
	if !s.datagrams {
		r := bufio.NewReaderSize(s.conn, 64<<10)
		for {
			head, err := r.Peek(4)
			if err != nil {
				return
			}
			size, _ := frameSize(head)
			if _, err := r.Discard(size); err != nil {
				return
			}
			n.Add(1)
		}
	}
	c := ipv4.NewPacketConn(s.conn.(*net.UDPConn))
	ms := make([]ipv4.Message, 64)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, 2048)}
	}
	for {
		got, err := c.ReadBatch(ms, 0)
		if err != nil {
			return
		}
		n.Add(int64(got))
	}
}

// sender returns what sends up to 8 packets at once.
func (s *seat) sender(packet []byte) func(n int) error {
	if !s.datagrams {
		all := bytes.Repeat(packet, 8)
		return func(n int) error {
			_, err := s.conn.Write(all[:n*len(packet)])
			return err
		}
	}
	burst := make([]ipv4.Message, 8)
	for i := range burst {
		burst[i].Buffers = [][]byte{packet}
	}
	c := ipv4.NewPacketConn(s.conn.(*net.UDPConn))
	return func(n int) error {
		for n > 0 {
			sent, err := c.WriteBatch(burst[:n], 0)
			if err != nil {
				return err
			}
			n -= sent
		}
		return nil
	}
}

// A result is what a load came to.
type result struct {
	sent, received int64
	cpu            time.Duration
}

func (r result) perPacket() float64 {
	return float64(r.cpu.Nanoseconds()) / 1000 / float64(max(1, r.received))
}

func (r result) loss() float64 { return 100 * float64(r.sent-r.received) / float64(max(1, r.sent)) }

// load sends packets of 1,000 bytes for so long, perSecond of them or, if it
// is 0, as many as it can.
func (r *rival) load(b *testing.B, from, to []*seat, perSecond int, howLong time.Duration) (res result) {
	var received atomic.Int64
	var wg sync.WaitGroup
	for _, s := range to {
		s.conn.SetReadDeadline(time.Time{})
		wg.Go(func() { s.count(&received) }) // ends with the deadline below
	}
	payload := make([]byte, 1000)
	payload[0] = 0x80 // RTP
	packet := channelData(0x4000, payload)
	send := make([]func(int) error, len(from))
	for i, s := range from {
		send[i] = s.sender(packet)
	}
	cpu, began := r.cpu(b), time.Now()
	for i := 0; ; i++ {
		passed := time.Since(began)
		if passed > howLong {
			break
		}
		n := 8
		if perSecond > 0 { // one at a time, as they would come from the network
			n = 1
			if due := int64(passed.Seconds() * float64(perSecond)); res.sent >= due {
				rest(50 * time.Microsecond) // time.Sleep would take a millisecond, and bursts are easier
				continue
			}
		}
		if err := send[i%len(send)](n); err != nil {
			b.Fatal(err)
		}
		res.sent += int64(n)
	}
	for was := int64(-1); was != received.Load(); { // until no more come
		was = received.Load()
		time.Sleep(50 * time.Millisecond)
	}
	res.cpu = r.cpu(b) - cpu
	for _, s := range to {
		s.conn.SetReadDeadline(time.Unix(1, 0))
	}
	wg.Wait()
	res.received = received.Load()
	return res
}

// rounds is how often each server gets each load, in turns; the figures are
// medians.
const rounds, howLong = 5, 2 * time.Second

// BenchmarkRelay relays on loopback from one half of the allocations to the
// other, in turns with coturn if it is installed. Its figures are processor
// time of the server's process for each packet that arrived, and loss. ratio
// is coturn's time to ours, for rounds side by side: the median, the least and
// the most.
//
// A packet between two allocations passes coturn's relay sockets twice, and
// ours not at all. "1" is one allocation of coturn's, that sends to a socket
// which is no client of it, against a pair of ours.
func BenchmarkRelay(b *testing.B) {
	for _, c := range []struct {
		transport   string
		perSecond   []int
		allocations []int
	}{
		{"udp4", []int{5000, 20_000, 0}, []int{1, 2, 10, 50}},
		{"tcp4", []int{5000, 0}, []int{2, 10, 50}},
		{"tls4", []int{5000, 0}, []int{2, 10, 50}},
	} {
		for _, perSecond := range c.perSecond {
			for _, allocations := range c.allocations {
				load := "saturated"
				if perSecond > 0 {
					load = fmt.Sprint(perSecond, "/s")
				}
				b.Run(fmt.Sprintf("%s/%s/%d", c.transport[:3], load, allocations), func(b *testing.B) {
					compare(b, c.transport, perSecond, max(1, allocations/2), allocations == 1)
				})
			}
		}
	}
}

func compare(b *testing.B, transport string, perSecond, pairs int, bare bool) {
	names, rivals := []string{"relay", "coturn"}, []*rival{startRelay(b), startCoturn(b)}
	if rivals[1] == nil {
		names, rivals = names[:1], rivals[:1]
	}
	var from, to [2][]*seat
	for i, r := range rivals {
		from[i], to[i] = r.pairs(b, transport, pairs, bare && i == 1)
		r.load(b, from[i], to[i], perSecond, howLong/4)
	}
	var results [2][]result
	for round := range rounds {
		for n := range rivals {
			i := (round + n) % len(rivals) // each is first in turn
			results[i] = append(results[i], rivals[i].load(b, from[i], to[i], perSecond, howLong))
		}
	}
	b.ReportMetric(0, "ns/op")
	var ratios []float64
	for i, name := range names {
		b.ReportMetric(median(results[i], result.perPacket), name+"-µs/packet")
		b.ReportMetric(1e6/median(results[i], result.perPacket), name+"-packets/cpu-s")
		b.ReportMetric(median(results[i], result.loss), name+"-%loss")
	}
	for round, other := range results[1] {
		ratios = append(ratios, other.perPacket()/results[0][round].perPacket())
	}
	if len(ratios) > 0 {
		b.ReportMetric(median(ratios, func(r float64) float64 { return r }), "ratio")
		b.ReportMetric(slices.Min(ratios), "ratio-min")
		b.ReportMetric(slices.Max(ratios), "ratio-max")
	}
}

func median[T any](all []T, of func(T) float64) float64 {
	figures := make([]float64, len(all))
	for i, x := range all {
		figures[i] = of(x)
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}

// BenchmarkFlood carries a call of 200 packets a second while 100,000 a second
// of junk of all kinds come in. Its figures are the loss of the call, and how
// long a refresh takes.
func BenchmarkFlood(b *testing.B) {
	g := start(b, Config{}, nil)
	from, to := g.pair(b, "udp4", "udp4")
	junk := [][]byte{
		bytes.Repeat([]byte{0xff}, 100),
		channelData(0x4000, make([]byte, 500)),
		(&seat{}).message(stun.MethodBinding).Raw,
		(&seat{user: "nobody", key: []byte("none")}).message(stun.MethodAllocate, overUDP).Raw,
	}
	ctx, cancel := context.WithCancel(context.Background())
	conn := ipv4.NewPacketConn(g.dial(b, "udp4").(*net.UDPConn))
	var wg sync.WaitGroup
	var flood int
	wg.Go(func() {
		ms := make([]ipv4.Message, 32)
		for i := range ms {
			ms[i].Buffers = [][]byte{junk[i%len(junk)]}
		}
		for began := time.Now(); ctx.Err() == nil; {
			n, _ := conn.WriteBatch(ms, 0)
			for flood += n; float64(flood) > 1e5*time.Since(began).Seconds(); {
				time.Sleep(100 * time.Microsecond)
			}
		}
	})
	var received int
	wg.Go(func() {
		for to.read(500*time.Millisecond) != nil {
			received++
		}
	})
	var sent int
	began := time.Now()
	for time.Since(began) < 3*time.Second {
		from.write(channelData(0x4000, make([]byte, 1000)))
		sent++
		time.Sleep(5 * time.Millisecond)
	}
	asked := time.Now()
	must(b, "refresh", from.refresh(600), 0)
	b.ReportMetric(float64(time.Since(asked).Microseconds())/1000, "ms/refresh")
	b.ReportMetric(float64(flood)/time.Since(began).Seconds(), "junk/s")
	cancel()
	wg.Wait()
	b.ReportMetric(100*float64(sent-received)/float64(sent), "%loss")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAllocations makes 500 allocations. Its figure is what the process
// keeps for each: over UDP, and over TLS with its connection, both ends of it.
func BenchmarkAllocations(b *testing.B) {
	for _, transport := range []string{"udp4", "tls4"} {
		b.Run(transport[:3], func(b *testing.B) {
			const n = 500
			g := start(b, Config{Limits: Limits{Replies: 1e6, Streams: n, StreamsPerPrefix: n}}, nil)
			kept := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc + m.StackInuse
			}
			before := kept()
			seats := make([]*seat, n)
			for i := range seats {
				seats[i] = g.seat(b, transport, g.newSeat(fmt.Sprint(i/4), later()))
				must(b, "allocate", seats[i].allocate(), 0)
			}
			b.ReportMetric(float64(kept()-before)/n, "B/allocation")
			b.ReportMetric(0, "ns/op")
			runtime.KeepAlive(seats)
		})
	}
}
