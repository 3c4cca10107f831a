// Package logs keeps the logging rule.
package logs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	golog "github.com/ipfs/go-log/v2"
	"github.com/lmittmann/tint"
)

// The logging rule: log what the node did, under which pseudonym, and how it
// ended. Never what was said, who said it, or what opens a door.

// logKeys are the only keys that reach a log. What they may hold:
var logKeys = []string{
	"room",                               // 8 hex digits, random for each opening of a room
	"member",                             // random for each invite
	"node",                               // last 6 characters of a peer id
	"code",                               // a wire.Code
	"err",                                // error text, from which addresses are scrubbed
	"dur",                                // how long
	"n",                                  // how many
	"path",                               // a file of this node, or direct, relay
	"transport",                          // quic, tcp, websocket
	"candidate",                          // host, srflx, prflx, relay; never the candidate itself
	"addr_kind",                          // public, private, loopback, relayed; never the address itself
	"status", "method", "route", "bytes", // of an HTTP answer; the route is a pattern, not a path
	"version",
	"state", "reason",
	"peers", "acks", "replica", "epoch", // of a look-up or a publication
	"port",
	"request", // random, for each HTTP request
}

// NewHandler returns the handler that all of the program logs through, from
// level on; format is auto, text or json. unknown is called with every key that
// is not in logKeys; nil: they are only left out.
func NewHandler(w io.Writer, format string, level slog.Leveler, terminal bool, unknown func(key string)) slog.Handler {
	var sink slog.Handler
	switch {
	case terminal && format != "json":
		sink = tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly})
	case format == "text":
		sink = slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	default:
		sink = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	}
	return &guard{sink: sink, unknown: unknown}
}

// SilenceGoLog stops what kad-dht writes past slog, to stderr, with addresses
// in it. Package discovery reports what matters of it, and passes libp2p's own
// errors through slog. It changes a variable of that library, so it is called
// once in a process.
func SilenceGoLog() {
	golog.SetupLogging(golog.Config{Level: golog.LevelError}) // and no output
}

// A guard is a slog.Handler that lets only known keys and plain values
// through. A leak then needs a new line in logKeys.
type guard struct {
	sink    slog.Handler
	unknown func(key string) // may be nil
}

func (g *guard) Enabled(ctx context.Context, level slog.Level) bool {
	return g.sink.Enabled(ctx, level)
}

func (g *guard) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, scrub(r.Message), 0) // libraries' messages are not constant
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(g.clean(a))
		return true
	})
	return g.sink.Handle(ctx, clean)
}

func (g *guard) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = g.clean(a)
	}
	with := *g
	with.sink = g.sink.WithAttrs(clean)
	return &with
}

// WithGroup returns g with a note of the group's name: keys are not grouped,
// so the ones that follow are judged as if they stood alone.
func (g *guard) WithGroup(name string) slog.Handler {
	return g.WithAttrs([]slog.Attr{slog.Group(name, "key", "")})
}

// clean returns a as it may be written: the name of an unknown key takes the
// place of its value.
func (g *guard) clean(a slog.Attr) slog.Attr {
	if !slices.Contains(logKeys, a.Key) {
		if g.unknown != nil {
			g.unknown(a.Key)
		}
		return slog.String("!key", a.Key)
	}
	return slog.Attr{Key: a.Key, Value: plain(a.Value.Resolve())}
}

// plain returns v without anything that could print more than it seems to:
// of a struct, a map or a slice only the type.
func plain(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindBool, slog.KindDuration, slog.KindFloat64, slog.KindInt64, slog.KindTime, slog.KindUint64:
		return v
	case slog.KindString:
		return slog.StringValue(scrub(v.String()))
	}
	switch x := v.Any().(type) {
	case error:
		return slog.StringValue(scrub(x.Error()))
	case fmt.Stringer:
		return slog.StringValue(scrub(x.String()))
	}
	return slog.StringValue(fmt.Sprintf("%T", v.Any()))
}
