package node_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"anteroom/discovery"
	"anteroom/discovery/contacts"
	"anteroom/node/find"
	"anteroom/node/nodetest"
	"anteroom/node/polltest"
	"anteroom/rendezvous"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/seal"
	"anteroom/rendezvous/wire"
)

// gatewayEnv makes the test program a home node and its guests, who come in at
// the gateway with this card, at the address doorEnv.
const gatewayEnv, doorEnv = "ANTEROOM_TEST_GATEWAY", "ANTEROOM_TEST_DOOR"

// The Go runtime promises nothing of registers: a thread that a busy system stops
// in the middle of a copy leaves on the stack of its signals what they held. So a
// key may stay by chance, but no maxTries in a row. again asks for one more.
const maxTries, again = 4, "again"

// mask hides from a search of memory what is searched for.
const mask = 0x5a

// A gateway has no guest's key in its memory any more once it has found the home
// node, or has not. The home node, which has to keep it, is another process.
func TestGatewayForgetsKeys(t *testing.T) {
	if card := os.Getenv(gatewayEnv); card != "" {
		homeAndGuests(t, card, os.Getenv(doorEnv))
		return
	}
	gateway := nodetest.Start(t, "G", nodetest.Options{})
	card, err := gateway.Discovery.Card("")
	must(t, err)
	door, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer door.Close()
	must(t, door.(*net.TCPListener).SetDeadline(time.Now().Add(2*time.Minute))) // if the guests fail
	program, err := os.Executable()
	must(t, err)
	child := exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), gatewayEnv+"="+card, doorEnv+"="+door.Addr().String())
	child.Stderr = os.Stderr
	goOn, err := child.StdinPipe()
	must(t, err)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	lines := bufio.NewScanner(out)

	canary := make([]byte, 32)
	rand.Read(canary)
	if !inMemory(t, masked(canary)) {
		t.Fatal("what is in memory is not found")
	}
	runtime.KeepAlive(canary)

	told := func(what string) (text string) {
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), what+" "); ok {
				return text
			}
		}
		t.Fatalf("the guests' process ends before it says %q", what)
		return ""
	}
	home, err := contacts.ParseCard(told("home"))
	must(t, err)
	must(t, gateway.Discovery.AddPeer(home))

	// remains lets one in, and reports whether their key is in memory when the
	// gateway is done with it, or when they have left.
	remains := func(stranger bool) bool {
		conn, err := door.Accept()
		must(t, err)
		left := make(chan error, 1)
		go func() { // ends with the guest
			left <- gateway.Join(t.Context(), rendezvous.Stream(tcp{conn}), find.Arrival{From: hospital})
		}()
		key, err := hex.DecodeString(told("answered"))
		must(t, err)
		still := inMemory(t, key)
		fmt.Fprintln(goOn)
		if err := <-left; errors.Is(err, wire.ErrNotFound) != stranger {
			t.Errorf("stranger %t: %v", stranger, err)
		}
		return still || inMemory(t, key)
	}
	for _, stranger := range []bool{false, true} {
		tries := 1
		for ; tries <= maxTries && remains(stranger); tries++ {
			fmt.Fprintln(goOn, again)
		}
		if tries > maxTries {
			t.Errorf("stranger %t: %d keys of %d are in memory when the gateway is done with them", stranger, maxTries, maxTries)
			break
		}
		fmt.Fprintln(goOn)
	}
	must(t, goOn.Close())
	io.Copy(io.Discard, out)
	must(t, child.Wait())
}

// homeAndGuests has a guest and then a stranger open their links, and says
// under which key once they were answered, masked.
func homeAndGuests(t *testing.T, card, door string) {
	gateway, err := contacts.ParseCard(card)
	must(t, err)
	home := nodetest.Start(t, "A", nodetest.Options{Peers: []discovery.PeerInfo{gateway}})
	own, err := home.Discovery.Card("")
	must(t, err)
	fmt.Println("home", own)
	polltest.Eventually(t, "the gateway", func() bool { return home.Discovery.Connected(gateway.ID) })
	in := bufio.NewScanner(os.Stdin)
	enter := func(link invite.Link, known bool) {
		raw, err := net.Dial("tcp", door)
		must(t, err)
		conn := rendezvous.Stream(tcp{raw})
		key := link.Keys().Rendezvous
		must(t, rendezvous.SendKey(conn, key))
		if _, _, err := seal.Dial(conn, link); (err == nil) != known {
			t.Errorf("known %t: %v", known, err)
		}
		b := key.Reveal()
		fmt.Printf("answered %x\n", masked(b[:]))
		in.Scan()
		conn.Close(nil)
	}
	for more := true; more; more = in.Scan() && in.Text() == again {
		enter(home.Appointment("Patient").Links[0].Link, true)
	}
	for more := true; more; more = in.Scan() && in.Text() == again {
		stranger, err := invite.New()
		must(t, err)
		enter(stranger.Link, false)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A tcp connection is a transport of frames.
type tcp struct{ net.Conn }

func (c tcp) Reset() error { return c.Close() }

func masked(b []byte) []byte {
	b = bytes.Clone(b)
	for i := range b {
		b[i] ^= mask
	}
	return b
}

// inMemory reports whether this process has what was masked in its memory.
func inMemory(t *testing.T, masked []byte) bool {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	must(t, err)
	mem, err := os.Open("/proc/self/mem")
	must(t, err)
	defer mem.Close()
	const step = 1 << 20
	part := make([]byte, step+len(masked)-1)
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode) // the one beyond int64 is not ours to write
		const shadow = 1 << 30                          // of the race detector; Go maps its own memory in smaller parts
		if !strings.HasPrefix(mode, "rw") || to-from > shadow {
			continue
		}
		for at := from; at < to; at += step {
			clear(part)                                                 // or what is found in it is of the part before, unmasked
			n, _ := mem.ReadAt(part[:min(int64(len(part)), to-at)], at) // what has gone is not there
			for i := range part[:n] {
				part[i] ^= mask
			}
			if bytes.Contains(part[:n], masked) {
				return true
			}
		}
	}
	return false
}
