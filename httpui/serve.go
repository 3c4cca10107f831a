package httpui

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"

	"anteroom/rendezvous/wire"
)

// ServeHTTP answers one request and writes one line about it: which route, how
// it ended, from which network. Nothing that a request holds is written down,
// not even its path.
//
// What is left to do on a connection that was taken over goes on behind it, so
// that everything that net/http keeps for a request is free again.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	a, r := &answer{ResponseWriter: w, last: func() {}}, &request{Request: hr}
	if it := s.conns.of(hr.Context()); it != nil {
		defer s.conns.answering(it)()
	}
	log := s.log.With("request", requestID())
	started := time.Now()
	end := func(panicked any) {
		if panicked != nil {
			log.Error("request panicked", "route", r.template(), "err", panicText(panicked))
			if a.status == 0 {
				s.refuse(a, r, refusalFor(wire.ErrInternal))
			}
		}
		if a.status >= http.StatusBadRequest {
			s.strangers.add(event{slog.LevelInfo, "requests refused", http.StatusText(a.status)})
		}
		log.LogAttrs(r.Context(), r.level(), "request served",
			slog.String("route", r.template()),
			slog.String("method", r.knownMethod()),
			slog.Int("status", a.status),
			slog.Int64("dur", time.Since(started).Milliseconds()),
			slog.Int64("bytes", a.bytes),
			slog.String("addr_kind", logName(r.RemoteAddr)))
	}
	defer func() {
		p := recover()
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		if a.rest == nil {
			end(p)
			a.last()
			return
		}
		a.ResponseWriter, r.Request = nil, &http.Request{Method: hr.Method, RemoteAddr: hr.RemoteAddr}
		go func() { // ends with the connection
			defer a.last()
			defer func() { end(recover()) }()
			a.rest()
		}()
	}()

	err := s.serve(a, r)
	if err == nil || a.status != 0 {
		return
	}
	no := refusalFor(err)
	if no.code == wire.CodeInternal || no.code == wire.CodeNoStorage {
		log.Error("request failed", "route", r.template(), "err", err)
	}
	s.refuse(a, r, no)
}

// serve sends r through the guard to its route.
func (s *Server) serve(w *answer, r *request) error {
	err := s.check(r)
	setHeaders(w.Header(), r.site)
	if err != nil {
		return err
	}
	return r.route.handle(w, r)
}

// template is the request's route as the log may know it.
func (r *request) template() string {
	if r.route == nil {
		return "none"
	}
	return r.route.pattern
}

// knownMethod is the method as the log may know it.
func (r *request) knownMethod() string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
		return r.Method
	}
	return "other"
}

// level keeps what strangers ask as often as they like out of a normal log, and
// with it the twenty files of every page load.
func (r *request) level() slog.Level {
	if r.session.Practitioner == "" {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// logName is the network that an address belongs to.
func logName(remote string) string {
	switch p := logPrefix(addrOf(remote)); {
	case p == loopback:
		return "loopback"
	case p.IsValid():
		return p.String()
	}
	return "unknown"
}

func requestID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// panicText says where a panic was, and what the runtime has to say of it. What
// other values say is unknown, so only their type is told.
func panicText(p any) string {
	what := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var where []string
	for {
		frame, more := frames.Next()
		where = append(where, fmt.Sprintf("%s:%d", frame.Function, frame.Line))
		if !more {
			return what + " at " + strings.Join(where, " < ")
		}
	}
}

// answer is a ResponseWriter that remembers what it answered, and the
// connection if that was taken over.
type answer struct {
	http.ResponseWriter
	status int // 0 while nothing has been written
	bytes  int64
	conn   net.Conn // after Hijack
	rest   func()   // what is left to do on conn when the handler has returned
	last   func()   // called after rest when all is said, in the log too
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// socketBuffer is for frame headers and the short messages of somebody who
// waits; longer ones go past it. net/http's are 4 KiB each.
const socketBuffer = 512

// Hijack implements http.Hijacker for the WebSocket library, which keeps the
// buffers for as long as the socket is open.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	a.conn = conn
	early, _ := buf.Reader.Peek(buf.Reader.Buffered())
	r := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(early), conn), max(socketBuffer, len(early)))
	r.Peek(len(early)) // into the buffer, where the library looks for it
	return conn, bufio.NewReadWriter(r, bufio.NewWriterSize(conn, socketBuffer)), nil
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
