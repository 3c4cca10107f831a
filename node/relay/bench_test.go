package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	"golang.org/x/net/ipv4"
)

// benchSecret is the environment of a process that is only a relay.
const benchSecret = "ANTEROOM_RELAY_BENCH_SECRET"

// benchServer relays until its input ends, and prints where.
func benchServer(secret string) {
	conns, err := ListenUDP(context.Background(), loopback["4"])
	if err != nil {
		panic(err)
	}
	r, err := New(Config{UDP: conns, Secret: []byte(secret), Limits: Limits{
		Allocations: 100, PerCall: 100, Bits: 1e11, Packets: 1e8, Replies: 1e5,
	}})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	fmt.Println(conns[0].LocalAddr())
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
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	issuer := &Relay{secret: []byte(secret)}
	return &rival{
		rig:   &rig{addr: map[string]string{"udp4": strings.TrimSpace(addr)}},
		pid:   cmd.Process.Pid,
		grant: func() Credentials { return issuer.Grant("call", later()) },
	}
}

// startCoturn returns nil if there is no coturn.
func startCoturn(b *testing.B) *rival {
	path, err := exec.LookPath("turnserver")
	if err != nil {
		return nil
	}
	free, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := addrPort(free.LocalAddr())
	free.Close()
	tmp := b.TempDir()
	cmd := exec.Command(path, "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--listening-port="+strconv.Itoa(int(addr.Port())),
		"--lt-cred-mech", "--user=bench:bench", "--realm=anteroom", "--allow-loopback-peers", "--no-tls", "--no-dtls", "--no-cli", "--no-rfc5780",
		"--userdb="+filepath.Join(tmp, "db"), "--pidfile="+filepath.Join(tmp, "pid"), "--no-stdout-log", "--log-file=/dev/null")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	time.Sleep(500 * time.Millisecond)
	return &rival{
		rig:   &rig{addr: map[string]string{"udp4": addr.String()}},
		pid:   cmd.Process.Pid,
		grant: func() Credentials { return Credentials{"bench", Password{func() string { return "bench" }}} },
	}
}

// cpu is how long the server's process has worked.
func (r *rival) cpu(b *testing.B) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.pid))
	if err != nil {
		b.Skip("no /proc to read the processor time from")
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')'):]))
	user, _ := strconv.Atoi(fields[12])
	system, _ := strconv.Atoi(fields[13])
	return time.Duration(user+system) * time.Second / 100
}

// pairs returns seats that can hear each other.
func (r *rival) pairs(b *testing.B, n int) (from, to []*seat) {
	for range n {
		s, o := r.seat(b, "udp4", r.grant()), r.seat(b, "udp4", r.grant())
		for _, s := range []*seat{s, o} {
			must(b, "allocate", s.allocate(), 0)
			grow(s.conn.(*net.UDPConn))
			s.conn.SetReadDeadline(time.Time{})
		}
		must(b, "bind", s.bind(0x4000, o.relayed), 0)
		must(b, "bind", o.bind(0x4000, s.relayed), 0)
		from, to = append(from, s), append(to, o)
	}
	return from, to
}

// A result is what a load came to.
type result struct {
	sent, received int64
	cpu, took      time.Duration
}

func (r *result) add(o result) {
	r.sent += o.sent
	r.received += o.received
	r.cpu += o.cpu
	r.took += o.took
}

func (r result) perPacket() float64 {
	return float64(r.cpu.Nanoseconds()) / 1000 / float64(max(1, r.received))
}

func (r result) loss() float64 { return 100 * float64(r.sent-r.received) / float64(max(1, r.sent)) }

// load sends packets of 1,000 bytes for a second, perSecond of them or, if it
// is 0, as many as it can.
func (r *rival) load(b *testing.B, from, to []*seat, perSecond int) (res result) {
	var received atomic.Int64
	var wg sync.WaitGroup
	for _, s := range to {
		s.conn.SetReadDeadline(time.Time{})
		wg.Go(func() {
			c := ipv4.NewPacketConn(s.conn.(*net.UDPConn))
			ms := make([]ipv4.Message, 64)
			for i := range ms {
				ms[i].Buffers = [][]byte{make([]byte, 2048)}
			}
			for {
				n, err := c.ReadBatch(ms, 0)
				if err != nil {
					return
				}
				received.Add(int64(n))
			}
		})
	}
	packet := channelData(0x4000, make([]byte, 1000))
	conns := make([]*ipv4.PacketConn, len(from))
	for i, s := range from {
		conns[i] = ipv4.NewPacketConn(s.conn.(*net.UDPConn))
	}
	burst := make([]ipv4.Message, 32)
	for i := range burst {
		burst[i].Buffers = [][]byte{packet}
	}
	cpu, began := r.cpu(b), time.Now()
	for i := 0; ; i++ {
		passed := time.Since(began)
		if passed > time.Second {
			break
		}
		n := 8
		if perSecond > 0 { // one at a time, as they would come from the network
			n = 1
			if due := int64(passed.Seconds() * float64(perSecond)); res.sent >= due {
				time.Sleep(50 * time.Microsecond)
				continue
			}
		}
		sent, err := conns[i%len(conns)].WriteBatch(burst[:n], 0)
		if err != nil {
			b.Fatal(err)
		}
		res.sent += int64(sent)
	}
	for was := int64(-1); was != received.Load(); { // until no more come
		was = received.Load()
		time.Sleep(50 * time.Millisecond)
	}
	res.took = time.Since(began)
	res.cpu = r.cpu(b) - cpu
	for _, s := range to {
		s.conn.SetReadDeadline(time.Unix(1, 0))
	}
	wg.Wait()
	res.received = received.Load()
	return res
}

// BenchmarkRelay relays from one half of the allocations to the other, over
// UDP on loopback, in turns with coturn if it is installed. Its figures are
// processor time of the server's process for each packet that arrived, and
// loss; ratio is coturn's time to ours.
func BenchmarkRelay(b *testing.B) {
	for _, perSecond := range []int{5000, 20_000, 0} {
		for _, allocations := range []int{2, 10, 50} {
			name := fmt.Sprintf("%d/s", perSecond)
			if perSecond == 0 {
				name = "all"
			}
			b.Run(fmt.Sprintf("%s/%d", name, allocations), func(b *testing.B) {
				ours, theirs := startRelay(b), startCoturn(b)
				from, to := ours.pairs(b, allocations/2)
				var sum, other result
				for range 2 {
					sum.add(ours.load(b, from, to, perSecond))
				}
				if theirs != nil {
					from, to := theirs.pairs(b, allocations/2)
					for range 2 {
						other.add(theirs.load(b, from, to, perSecond))
					}
					b.ReportMetric(other.perPacket(), "coturn-µs/packet")
					b.ReportMetric(other.loss(), "coturn-%loss")
					b.ReportMetric(other.perPacket()/sum.perPacket(), "ratio")
				}
				b.ReportMetric(sum.perPacket(), "µs/packet")
				b.ReportMetric(sum.loss(), "%loss")
				b.ReportMetric(float64(sum.received)/sum.cpu.Seconds(), "packets/cpu-s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
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
