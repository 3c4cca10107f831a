package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// logLine returns what one call writes, without time and level.
func logLine(t *testing.T, do func(*slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	do(slog.New(NewHandler(&out, "auto", slog.LevelDebug, false, nil)))
	line := make(map[string]any)
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("got %q: %v", out.String(), err)
	}
	delete(line, "time")
	delete(line, "level")
	return line
}

type reveals struct{ Name string }

type valuer struct{}

func (valuer) LogValue() slog.Value { return slog.StringValue("from 192.0.2.7") }

func TestOnlyKnownKeysAndPlainValuesAreLogged(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*slog.Logger)
		want map[string]any
	}{
		{
			"known", func(l *slog.Logger) { l.Info("m", "room", "0a1b2c3d", "n", 3, "dur", time.Second) },
			map[string]any{"msg": "m", "room": "0a1b2c3d", "n": 3., "dur": 1e9},
		},
		{"unknown", func(l *slog.Logger) { l.Info("m", "name", "Ada") }, map[string]any{"msg": "m", "!key": "name"}},
		{"unknown before the call", func(l *slog.Logger) { l.With("token", "s3cret").Info("m") }, map[string]any{"msg": "m", "!key": "token"}},
		{"group", func(l *slog.Logger) { l.Info("m", slog.Group("room", "code", "x")) }, map[string]any{"msg": "m", "room": "[]slog.Attr"}},
		{"open group", func(l *slog.Logger) { l.WithGroup("guest").Info("m", "n", 1) }, map[string]any{"msg": "m", "!key": "guest", "n": 1.}},
		{"struct", func(l *slog.Logger) { l.Info("m", "member", reveals{"Ada"}) }, map[string]any{"msg": "m", "member": "logs.reveals"}},
		{"bytes", func(l *slog.Logger) { l.Info("m", "member", []byte("Ada")) }, map[string]any{"msg": "m", "member": "[]uint8"}},
		{"valuer", func(l *slog.Logger) { l.Info("m", "reason", valuer{}) }, map[string]any{"msg": "m", "reason": "from [address]"}},
		{
			"error", func(l *slog.Logger) { l.Info("m", "err", errors.New("dial 192.0.2.7:443: refused")) },
			map[string]any{"msg": "m", "err": "dial [address]: refused"},
		},
		{"a library's message", func(l *slog.Logger) { l.Error("dial to /ip4/192.0.2.7/tcp/1 failed") }, map[string]any{"msg": "dial to [address] failed"}},
		{"no value", func(l *slog.Logger) { l.Info("m", "err", nil) }, map[string]any{"msg": "m", "err": "<nil>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, logLine(t, c.do)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnknownKeyIsReported(t *testing.T) {
	var got []string
	h := NewHandler(t.Output(), "json", slog.LevelInfo, false, func(key string) { got = append(got, key) })
	slog.New(h).With("title", "x").WithGroup("chat").Info("m", "room", "r", "sdp", "v=0")
	if want := []string{"title", "chat", "sdp"}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScrub(t *testing.T) {
	const id = "12D3KooWGRUVh7Q4rnK2e3v1Zx6m7yQ1tq4aYwVfU4bH6fPq9sTz"
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"room full", "room full"},
		{"version 1.2.3, 12:34:56 passed", "version 1.2.3, 12:34:56 passed"},
		{"open /var/lib/anteroom/anteroom.db: denied.", "open /var/lib/anteroom/anteroom.db: denied."},
		{"dial 192.0.2.7", "dial [address]"},
		{"dial 192.0.2.7.", "dial [address]."},
		{"dial tcp 192.0.2.7:443: i/o timeout", "dial tcp [address]: i/o timeout"},
		{"read udp 10.0.0.2:51000->198.51.100.4:3478: refused", "read udp [address]->[address]: refused"},
		{"dial tcp [2001:db8::1]:443: refused", "dial tcp [address]: refused"},
		{"from 2001:db8::1, again", "from [address], again"},
		{"from ::ffff:192.0.2.7", "from [address]"},
		{"from fe80::1%eth0", "from [address]"},
		{"host 3f2504e0-4f89-11d3-9a0c-0305e82c3301.local", "host [address]"},
		{"failed to dial " + id + ": * [/ip4/192.0.2.7/udp/4001/quic-v1] timeout", "failed to dial Pq9sTz: * [[address]] timeout"},
		{"via /ip6/2001:db8::1/tcp/1/p2p/" + id + "/p2p-circuit, twice", "via [address], twice"},
		{"via /dns4/home.example/tcp/1", "via [address]"},
		{`Get "https://a.example/j?t=1#AbC": EOF`, `Get "[link]": EOF`},
		{"connect to ws://localhost:7600/ws/guest failed", "connect to [link] failed"},
	} {
		if got := scrub(c.in); got != c.want {
			t.Errorf("scrub(%q)\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

func TestLogFormats(t *testing.T) {
	for _, c := range []struct {
		format   string
		terminal bool
		want     string
	}{
		{"auto", true, "\x1b["},
		{"text", true, "\x1b["},
		{"json", true, `{"time":`},
		{"auto", false, `{"time":`},
		{"json", false, `{"time":`},
		{"text", false, "time="},
	} {
		var out bytes.Buffer
		slog.New(NewHandler(&out, c.format, slog.LevelInfo, c.terminal, nil)).Info("m")
		if got := out.String(); !strings.HasPrefix(got, c.want) && !(c.terminal && strings.Contains(got, c.want)) {
			t.Errorf("%s, terminal %v: got %q, want %q", c.format, c.terminal, got, c.want)
		}
	}
}
