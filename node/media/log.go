package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"

	"github.com/pion/logging"
)

// libraryLogs gives pion's parts a logger. Only warnings and errors pass:
// below that its output is made of addresses and descriptions. They come out
// one level lower than they went in, because the library warns of every
// connection that closes and calls an error what one bad packet causes; what an
// operator must know, this package says itself.
type libraryLogs struct {
	mu  sync.RWMutex // held while a line is written
	log *slog.Logger // nil once the call is over
}

// close ends the output: some of the library's goroutines outlive the
// connection that they belonged to by a moment, and have only that to say.
func (l *libraryLogs) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = nil
}

func (l *libraryLogs) write(level slog.Level, said string, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.log != nil {
		l.log.Log(context.Background(), level, said, "err", err)
	}
}

// NewLogger implements logging.LoggerFactory.
func (l *libraryLogs) NewLogger(scope string) logging.LeveledLogger { return libraryLog{l, scope} }

type libraryLog struct {
	to    *libraryLogs
	scope string
}

func (l libraryLog) Warn(msg string)                   { l.warn(l.text(msg)) }
func (l libraryLog) Warnf(format string, args ...any)  { l.warn(l.text(format, args...)) }
func (l libraryLog) Error(msg string)                  { l.fail(l.text(msg)) }
func (l libraryLog) Errorf(format string, args ...any) { l.fail(l.text(format, args...)) }

func (l libraryLog) warn(err error) { l.to.write(slog.LevelDebug, "media library warned", err) }
func (l libraryLog) fail(err error) { l.to.write(slog.LevelWarn, "media library failed", err) }

func (libraryLog) Info(string)           {}
func (libraryLog) Infof(string, ...any)  {}
func (libraryLog) Debug(string)          {}
func (libraryLog) Debugf(string, ...any) {}
func (libraryLog) Trace(string)          {}
func (libraryLog) Tracef(string, ...any) {}

// text formats a message of the library. Of its arguments only numbers and
// errors are kept, without addresses: others are candidates, user name
// fragments and packets.
func (l libraryLog) text(format string, args ...any) error {
	if len(args) == 0 {
		return errors.New(l.scope + ": " + scrub(format))
	}
	kept := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
			kept[i] = a
		case error:
			kept[i] = errors.New(scrub(a.Error()))
		default:
			kept[i] = hidden{}
		}
	}
	return errors.New(l.scope + ": " + fmt.Errorf(format, kept...).Error())
}

// hidden prints as an ellipsis under every verb.
type hidden struct{}

// Format implements fmt.Formatter.
func (hidden) Format(f fmt.State, _ rune) { f.Write([]byte("…")) }

// address matches IP addresses of both kinds with or without a port, and mDNS
// names. It rather matches too much: a time of day is lost with it.
var address = regexp.MustCompile(`(?i)\[?[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*(%\w+)?\]?(:\d+)?|\d{1,3}(\.\d{1,3}){3}(:\d+)?|[\w-]+\.local\b`)

// scrub takes the addresses out of a text that others wrote.
func scrub(s string) string { return address.ReplaceAllString(s, "[address]") }
