package media

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestLibraryLogsNoAddress(t *testing.T) {
	var out bytes.Buffer
	drop := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	logs := &libraryLogs{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: drop}))}
	log := logs.NewLogger("ice")
	for _, address := range []string{
		"192.0.2.7", "192.0.2.7:443", "2001:db8::7", "[2001:db8::7]:443", "fe80::1%eth0", "::1",
		"7f3c0a1e-5d3b-4f0e-9f0e-2b7d9a3c4e5f.local", "::ffff:192.0.2.7",
	} {
		out.Reset()
		log.Warn("no route to " + address)
		log.Warnf("ping %s failed after %d of %d: %v", address, 3, 5, errors.New("write udp "+address+"->"+address+": no route"))
		log.Errorf("candidate %v: %w", struct{ a string }{address}, errors.New("dial "+address))
		log.Infof("at %s", address)
		log.Debug(address)
		log.Trace(address)
		said := out.String()
		if strings.Count(said, "\n") != 3 {
			t.Errorf("want three lines, got %q", said)
		}
		for part := range strings.FieldsFuncSeq(address, func(r rune) bool { return strings.ContainsRune("[]:%-", r) }) {
			if len(part) > 3 && strings.Contains(said, part) {
				t.Errorf("%s: %q says %s", address, said, part)
			}
		}
		if !strings.Contains(said, "failed after 3 of 5: write udp") {
			t.Errorf("lost what had no address in it: %q", said)
		}
	}
	logs.close()
	out.Reset()
	if log.Error("late"); out.Len() > 0 {
		t.Errorf("said after the end: %q", out.String())
	}
}
