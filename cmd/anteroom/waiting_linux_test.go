package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"anteroom/discovery/identity"
	"anteroom/node/media"
	"anteroom/node/people"
	"anteroom/node/practice"
	"anteroom/rendezvous"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/seal"
	"anteroom/rendezvous/wire"
)

// What guests who wait cost a daemon, beside WebSockets on a bare server of the
// same library that do nothing, and that send each ping back. Each server is a process of its own; the
// guests are in this one. Run it with "make bench-waiting".

// watchTime is for how long BenchmarkWaiting watches those who wait.
var watchTime = flag.Duration("watch", time.Minute, "how long BenchmarkWaiting watches those who wait")

const (
	// idleName is the command that serves WebSockets which do nothing.
	idleName = "idle-sockets"

	// comeAtOnce is how many guests are on their way in at the same time.
	comeAtOnce = 32

	// pingEvery is how often a page that waits says that it is there.
	pingEvery = 10 * time.Second

	// sealedPing is how long a ping is on the wire: {"t":"ping"} and the seal.
	sealedPing = 12 + 16

	// endTime is within which a daemon must have recorded everything and ended.
	endTime = 20 * time.Second
)

func init() { commands[idleName] = idleSockets }

// BenchmarkWaiting says for 1,000 and for 5,000 guests what each costs in
// resident memory and goroutines, and what all cost in processor time. Then all
// leave at once, and the daemon is stopped.
func BenchmarkWaiting(b *testing.B) {
	for _, n := range []int{1000, 5000} {
		b.Run(fmt.Sprintf("idle sockets/%d", n), func(b *testing.B) {
			p := startServer(b, exec.Command(idleName))
			p.cost(b, n, nil, func(int) (wire.Conn, error) { return media.Dial(b.Context(), p.url) })
		})
		b.Run(fmt.Sprintf("echoing sockets/%d", n), func(b *testing.B) { // the floor for what a ping takes
			p := startServer(b, exec.Command(idleName))
			p.cost(b, n, make([]byte, sealedPing), func(int) (wire.Conn, error) { return media.Dial(b.Context(), p.url) })
		})
		b.Run(fmt.Sprintf("guests/%d", n), func(b *testing.B) { benchmarkGuests(b, n) })
	}
}

func benchmarkGuests(b *testing.B, n int) {
	dir := filepath.Join(b.TempDir(), "data")
	links := invitations(b, dir, n)
	p := startServer(b, exec.Command("anteroom", "serve", "--data-dir", dir, "--listen", "localhost:0"))
	ping, err := wire.Encode(&wire.Ping{})
	if err != nil {
		b.Fatal(err)
	}
	conns := p.cost(b, n, ping, func(i int) (wire.Conn, error) { return takeSeat(b.Context(), p.url, links[i]) })

	leave, err := wire.Encode(&wire.Leave{})
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	for _, conn := range conns {
		if err := conn.Send(leave); err != nil {
			b.Fatal(err)
		}
	}
	p.gone.Wait() // each is told when that is recorded
	b.ReportMetric(time.Since(began).Seconds(), "s-until-left")
	if info, err := os.Stat(filepath.Join(dir, "anteroom.db-wal")); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "MB-log")
	}
	began = time.Now()
	p.stop(b)
	b.ReportMetric(time.Since(began).Seconds(), "s-to-stop")
	checkRecord(b, dir, n)
}

// invitations sets a practice up in dir and returns the links of n guests.
func invitations(b *testing.B, dir string, n int) []invite.Link {
	b.Helper()
	p, err := practice.Open(b.Context(), practice.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	who, err := p.People.SetUp(b.Context(), people.SetUp{Practice: "Riverside", Name: "Dr Lee", Password: "violet tractor seventeen"})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := identity.LoadOrCreate(filepath.Join(dir, "identity.key")); err != nil {
		b.Fatal(err)
	}
	const guests = wire.MaxMembers - 1
	links := make([]invite.Link, (n+guests-1)/guests*guests)
	g, ctx := errgroup.WithContext(b.Context())
	g.SetLimit(comeAtOnce)
	for i := 0; i < n; i += guests {
		g.Go(func() error { // ends when the appointment is made
			a, err := p.Create(ctx, who.ID, practice.New{Starts: p.Now(), Minutes: 60, Label: "Review", Guests: make([]string, guests)})
			for j, inv := range a.Links {
				links[i+j] = inv.Link
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	return links
}

// takeSeat goes as far as a guest gets without the practitioner.
func takeSeat(ctx context.Context, url string, link invite.Link) (wire.Conn, error) {
	conn, err := media.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := rendezvous.SendKey(conn, link.Keys().Rendezvous); err != nil {
		return nil, err
	}
	channel, _, err := seal.Dial(conn, link)
	if err != nil {
		return nil, err
	}
	join, err := wire.Encode(&wire.Join{Name: "Ann", Fingerprint: make([]byte, 32)})
	if err != nil {
		return nil, err
	}
	if err := channel.Send(join); err != nil {
		return nil, err
	}
	for {
		frame, err := channel.Recv()
		if err != nil {
			return nil, err
		}
		if body, err := wire.Decode(frame); err != nil {
			return nil, err
		} else if _, seated := body.(*wire.Seat); seated {
			return channel, nil
		}
	}
}

// checkRecord fails unless all n are on record as having come and left.
func checkRecord(b *testing.B, dir string, n int) {
	b.Helper()
	p, err := practice.Open(b.Context(), practice.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	noted := map[string]int{}
	entries, err := p.Trail.Entries(b.Context(), 0, -1)
	for _, e := range entries {
		noted[e.Event]++
	}
	if err != nil || noted["knock"] != n || noted["leave"] != n {
		b.Errorf("recorded: %v, %v", noted, err)
	}
	if _, err := p.Trail.Verify(b.Context()); err != nil {
		b.Error(err)
	}
}

// A server is a process that says "READY" and its address on stdout.
type server struct {
	cmd  *exec.Cmd
	url  string
	talk bytes.Buffer
	gone sync.WaitGroup // one for each Conn
}

func startServer(b *testing.B, cmd *exec.Cmd) *server {
	b.Helper()
	p := &server{cmd: cmd}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = &p.talk
	for _, limit := range []string{"SOCKETS", "SOCKETS_LOOPBACK", "CONNECTIONS", "CONNECTIONS_LOOPBACK"} {
		cmd.Env = append(cmd.Environ(), "ANTEROOM_HTTP_LIMITS_"+limit+"=10000")
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill() }) // for a failure; a second time does nothing
	if _, err := fmt.Fscanf(out, "READY %s\n", &p.url); err != nil {
		cmd.Wait()
		b.Fatalf("not ready: %v\n%s", err, &p.talk)
	}
	return p
}

// cost opens n Conns and reports what they cost while each does nothing but to
// say ping now and then, if that is not nil.
func (p *server) cost(b *testing.B, n int, ping []byte, open func(i int) (wire.Conn, error)) []wire.Conn {
	b.Helper()
	before := p.memory(b)
	conns := make([]wire.Conn, n)
	var g errgroup.Group
	g.SetLimit(comeAtOnce)
	for i := range conns {
		g.Go(func() (err error) { // ends when it is open
			conns[i], err = open(i)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatalf("%v\n%s", err, &p.talk)
	}
	for _, conn := range conns {
		p.gone.Go(func() { // ends with the Conn
			for {
				if _, err := conn.Recv(); err != nil {
					return
				}
			}
		})
	}
	b.Cleanup(func() {
		for _, conn := range conns {
			conn.Close(nil)
		}
		p.gone.Wait()
	})
	used, began := p.processor(b), time.Now()
	if ping == nil {
		time.Sleep(*watchTime) // what is measured is that nothing happens
	} else {
		tick := time.NewTicker(pingEvery / time.Duration(n))
		for i := 0; time.Since(began) < *watchTime; i++ {
			<-tick.C
			conns[i%n].Send(ping)
		}
		tick.Stop()
	}
	share := (p.processor(b) - used).Seconds() / time.Since(began).Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(p.memory(b)-before)/1e3/float64(n), "kB-each")
	b.ReportMetric(100*share, "%-of-a-core")
	return conns
}

// memory is how much of p is resident, in bytes.
func (p *server) memory(b *testing.B) int64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}

// processor is for how long p has been running on one.
func (p *server) processor(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	const tick = 10 * time.Millisecond // USER_HZ is 100 everywhere
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime, as proc(5) counts from the name
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick
}

// stop stops p, which must end in time and well.
func (p *server) stop(b *testing.B) {
	b.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(endTime, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	if err := p.cmd.Wait(); err != nil {
		b.Fatalf("stopped: %v\n%s", err, &p.talk)
	}
}

// idleSockets serves WebSockets that send back what comes, on a free port.
func idleSockets() {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("READY http://%v\n", l.Addr())
	err = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"ar1"}})
		for err == nil {
			var kind websocket.MessageType
			var message []byte
			if kind, message, err = ws.Read(r.Context()); err == nil {
				err = ws.Write(r.Context(), kind, message)
			}
		}
	}))
	if !errors.Is(err, net.ErrClosed) {
		fmt.Fprintln(os.Stderr, err)
	}
}
