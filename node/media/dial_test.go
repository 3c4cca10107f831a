package media

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"anteroom/rendezvous/wire"
	"anteroom/rendezvous/wire/wiretest"
)

// A keeper is a ResponseWriter that keeps the connection it was hijacked for.
type keeper struct {
	http.ResponseWriter
	conn net.Conn
}

func (k *keeper) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(k.ResponseWriter).Hijack()
	k.conn = conn
	return conn, rw, err
}

// accept is the other end of Dial.
func accept(w http.ResponseWriter, r *http.Request) (*socket, error) {
	k := &keeper{ResponseWriter: w}
	ws, err := websocket.Accept(k, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}})
	if err != nil {
		return nil, err
	}
	return newSocket(ws, k.conn), nil
}

// pairs returns a function that returns both ends of a new connection.
func pairs(t *testing.T) func() (here, there wire.Conn) {
	accepted := make(chan *socket)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := accept(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		accepted <- s
	}))
	t.Cleanup(server.Close)
	var one sync.Mutex // pair at a time
	return func() (here, there wire.Conn) {
		one.Lock()
		defer one.Unlock()
		here, err := Dial(context.Background(), server.URL)
		if err != nil {
			panic(err)
		}
		return here, <-accepted
	}
}

func TestSocketIsAConn(t *testing.T) {
	t.Parallel()
	wiretest.TestConn(t, pairs(t))
}

func TestSocketRefusesText(t *testing.T) {
	t.Parallel()
	here, there := pairs(t)()
	defer here.Close(nil)
	if err := there.(*socket).ws.Write(t.Context(), websocket.MessageText, []byte("text")); err != nil {
		t.Fatal(err)
	}
	go there.Recv() // answers the close
	if _, err := here.Recv(); !errors.Is(err, wire.ErrBadMessage) {
		t.Errorf("text: %v", err)
	}
}

func TestDialRefuses(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirection was followed")
	}))
	defer elsewhere.Close()
	redirects := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer redirects.Close()
	dumb := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ws, err := websocket.Accept(w, r, nil); err == nil {
			ws.Read(r.Context())
		}
	}))
	defer dumb.Close()
	for _, base := range []string{
		redirects.URL, dumb.URL, "", "localhost:7600", "ftp://localhost", "http://", "http://localhost/j", "http://user@localhost",
	} {
		if conn, err := Dial(t.Context(), base); err == nil {
			conn.Close(nil)
			t.Errorf("dialled %q", base)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, redirects.URL); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
