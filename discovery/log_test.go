package discovery

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"anteroom/discovery/records"
	"anteroom/discovery/records/recordtest"
)

// allowedKeys are the log keys of this program that this package has a use for.
var allowedKeys = []string{"node", "err", "dur", "acks", "peers", "n", "path", "code"}

// A journal keeps what is logged.
type journal struct {
	mu      sync.Mutex
	records []slog.Record
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler {
	panic("attributes are added where they are logged")
}
func (j *journal) WithGroup(string) slog.Handler { panic("no groups") }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, r.Clone())
	return nil
}

// attrs calls f with every attribute logged so far.
func (j *journal) attrs(f func(message string, a slog.Attr)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.records {
		r.Attrs(func(a slog.Attr) bool {
			f(r.Message, a)
			return true
		})
	}
}

// Logs name neither whom a node looks for nor where its peers are: known keys
// only, nodes by six characters, addresses in errors and nowhere else.
func TestLogsAreDiscreet(t *testing.T) {
	j := new(journal)
	simulate(t, func(t *testing.T, s *simulation) {
		server, down := s.node(Config{Server: true}), s.node(Config{})
		down.dead.Store(true)
		d := s.node(Config{Peers: []PeerInfo{server.info(), down.info()}, Log: slog.New(j)})
		s.settle()
		name := recordtest.New(t)
		if _, err := d.Publish(t.Context(), name.PublicKey, name.Sign(t, recordtest.Draft{})); err != nil {
			t.Fatal(err)
		}
		d.find(t, name)
		if _, err := d.Ask(t.Context(), [32]byte{1}); !errors.Is(err, records.ErrNotFound) {
			t.Fatal(err)
		}
		synctest.Wait()

		messages := make(map[string]bool)
		j.attrs(func(message string, a slog.Attr) {
			messages[message] = true
			if !slices.Contains(allowedKeys, a.Key) {
				t.Errorf("%s: key %q", message, a.Key)
			}
			text := a.Value.String()
			for _, secret := range []string{server.ID().String(), down.ID().String(), string(name.PublicKey), "/ip4/"} {
				if strings.Contains(text, secret) && a.Key != "err" {
					t.Errorf("%s: %s=%s", message, a.Key, text)
				}
			}
		})
		for _, want := range []string{"peer connected", "peer not reachable", "record published"} {
			if !messages[want] {
				t.Errorf("%q was not logged", want)
			}
		}
	})
}
