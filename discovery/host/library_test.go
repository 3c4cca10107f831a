package host

import (
	"context"
	"log/slog"
	"sync"
	"testing"
)

func TestLibraryLogsLoseTheirAttributes(t *testing.T) {
	j := new(logged)
	log := slog.New(libraryHandler{j}).With("peer", "12D3KooW").WithGroup("group")
	log.Warn("dial failed", "addr", "/ip4/9.9.9.9")
	log.Error("listener died", "addr", "/ip4/9.9.9.9")
	if len(j.records) != 1 || j.records[0].Message != "libp2p: listener died" {
		t.Fatalf("got %v", j.records)
	}
	j.attrs(func(_ string, a slog.Attr) { t.Errorf("kept %v", a) })
}

// A logged keeps what is logged.
type logged struct {
	mu      sync.Mutex
	records []slog.Record
}

func (j *logged) Enabled(context.Context, slog.Level) bool { return true }
func (j *logged) WithAttrs([]slog.Attr) slog.Handler {
	panic("attributes are added where they are logged")
}
func (j *logged) WithGroup(string) slog.Handler { panic("no groups") }

func (j *logged) Handle(_ context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, r.Clone())
	return nil
}

// attrs calls f with every attribute logged so far.
func (j *logged) attrs(f func(message string, a slog.Attr)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.records {
		r.Attrs(func(a slog.Attr) bool {
			f(r.Message, a)
			return true
		})
	}
}
