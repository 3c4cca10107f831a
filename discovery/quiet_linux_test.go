package discovery

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	manet "github.com/multiformats/go-multiaddr/net"

	"anteroom/discovery/records"
	"anteroom/discovery/records/recordtest"
)

// inetSockets returns the lines of /proc/self/net for the IP sockets that this
// process has open.
func inetSockets(t testing.TB) (lines []string) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(fds) == 0 {
		t.Fatalf("no file descriptors to see: %v", err)
	}
	mine := make(map[string]bool)
	socket := regexp.MustCompile(`^socket:\[(\d+)\]$`)
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil {
			if m := socket.FindStringSubmatch(target); m != nil {
				mine[m[1]] = true
			}
		}
	}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6"} {
		data, err := os.ReadFile("/proc/self/net/" + table)
		if err != nil {
			continue // no IPv6 here
		}
		for line := range strings.Lines(string(data)) {
			if fields := strings.Fields(line); len(fields) > 9 && mine[fields[9]] {
				lines = append(lines, table+" "+line)
			}
		}
	}
	return lines
}

// With an empty config the node opens no socket and dials nobody, even though
// its peers file remembers nodes, even when it is used, and in an hour.
func TestEmptyConfigIsSilent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "peers.json")
	data, err := json.Marshal(map[string]any{"version": 1, "added": []PeerInfo{}, "seen": []PeerInfo{{ID: idOf(t), Addrs: addrs("/ip4/9.9.9.9/tcp/1")}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	before := inetSockets(t)
	synctest.Test(t, func(t *testing.T) {
		for _, server := range []bool{false, true} {
			cfg := Config{PeersFile: file, Server: server}
			env, err := environmentOf(cfg)
			if err != nil {
				t.Fatal(err)
			}
			dials := &dialCount{ResourceManager: env.Resources}
			env.Resources, env.interfaces, cfg.environment = dials, manet.InterfaceMultiaddrs, env
			d := run(t, cfg)
			name := recordtest.New(t)
			_, _ = d.Publish(t.Context(), name.PublicKey, name.Sign(t, recordtest.Draft{}))
			_ = d.Search(t.Context(), []records.Query{{Name: recordtest.New(t).PublicKey}}, func(int, []byte) bool { return false })
			_, _ = d.Ask(t.Context(), [32]byte{})
			time.Sleep(time.Hour) // virtual
			synctest.Wait()
			if n := dials.n.Load(); n != 0 {
				t.Errorf("server %v: asked for %d connections", server, n)
			}
			if got := d.host.Network().ListenAddresses(); len(got) != 0 {
				t.Errorf("server %v: listens on %v", server, got)
			}
			if after := inetSockets(t); len(after) != len(before) {
				t.Errorf("server %v: has sockets %v, had %v", server, after, before)
			}
		}
	})
	if d := onLoopback(t, Config{}); len(inetSockets(t)) < len(before)+2 {
		t.Errorf("the test cannot see the sockets of %v", d.Addrs())
	}
}
