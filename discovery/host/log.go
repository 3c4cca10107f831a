package host

import (
	"context"
	"log/slog"
	"sync"

	golog "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/gologshim"

	"anteroom/discovery/identity"
)

// QuietLibraries sends what libp2p has to say through the first Discovery's
// handler. Both settings are global to the process, and libp2p's loggers keep
// the handler of their first line, so this must come before any use of it.
var QuietLibraries = func() func(slog.Handler) {
	var once sync.Once
	return func(h slog.Handler) {
		once.Do(func() {
			gologshim.SetDefaultHandler(libraryHandler{h})
			_ = golog.SetLogLevel("*", "error") // kad-dht still uses go-log; the name of the level is right
		})
	}
}()

// libraryHandler passes libp2p's errors on without their attributes, which
// are full of addresses and peer IDs, and drops all else.
type libraryHandler struct{ next slog.Handler }

func (h libraryHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && h.next.Enabled(ctx, level)
}

func (h libraryHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.next.Handle(ctx, slog.NewRecord(r.Time, r.Level, "libp2p: "+r.Message, r.PC))
}

func (h libraryHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h libraryHandler) WithGroup(string) slog.Handler      { return h }

// Short is how a node is named in logs.
func Short(p peer.ID) string { return identity.Short(p) }
