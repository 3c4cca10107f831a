package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/exit"
	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

// serveControl serves handler on a data directory's control socket, and
// returns a client for it.
func serveControl(t *testing.T, handler http.Handler) *Client {
	dir, err := os.MkdirTemp("", "ctl") // t.TempDir's names can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", config.Dir(dir).Socket())
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }() // ends with Close
	t.Cleanup(func() { server.Close(); <-done })
	return NewClient(config.Dir(dir))
}

type sum struct {
	A int `json:"a"`
	B int `json:"b"`
}

func sumRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	Route(mux, "sum", func(_ context.Context, q sum) (sum, error) {
		switch {
		case q.A < 0:
			return sum{}, api.Refuse(wire.CodeBadMessage, "input.guests.many", api.Args{"n": 3})
		case q.B < 0:
			return sum{}, errors.New("open db: broken")
		}
		return sum{A: q.A + q.B}, nil
	})
	return mux
}

func TestCall(t *testing.T) {
	c := serveControl(t, sumRoutes())
	if got, err := Call[sum](t.Context(), c, "sum", sum{1, 2}); err != nil || got.A != 3 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, q := range []struct {
		route   string
		request any
		want    string
	}{
		{"sum", sum{A: -1}, "An appointment can have at most 3 guests."},
		{"sum", sum{B: -1}, "open db: broken"},
		{"product", sum{}, `the daemon is of another version, it does not know "product": restart it`},
	} {
		_, err := Call[sum](t.Context(), c, q.route, q.request)
		if err == nil || err.Error() != q.want {
			t.Errorf("%s %v: got %v, want %s", q.route, q.request, err, q.want)
		}
		if exit.Code(err) != exit.Failed {
			t.Errorf("%s: has an exit code of its own", q.want)
		}
	}
}

func TestControlIsStrict(t *testing.T) {
	c := serveControl(t, sumRoutes())
	for _, q := range []struct {
		method, body string
		want         int
	}{
		{http.MethodPost, `{"a":1,"b":2}`, http.StatusOK},
		{http.MethodPost, `{"a":1,"b":2}` + "\n", http.StatusOK},
		{http.MethodPost, `{"a":1,"c":2}`, http.StatusBadRequest},
		{http.MethodPost, `{"a":1}{}`, http.StatusBadRequest},
		{http.MethodPost, `{"a":"1"}`, http.StatusBadRequest},
		{http.MethodPost, ``, http.StatusBadRequest},
		{http.MethodGet, ``, http.StatusMethodNotAllowed},
	} {
		req, err := http.NewRequestWithContext(t.Context(), q.method, "http://daemon/sum", strings.NewReader(q.body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != q.want {
			t.Errorf("%s %q: got %s, want %d", q.method, q.body, res.Status, q.want)
		}
	}
}

func TestCallsThatFindNoDaemon(t *testing.T) {
	gone := t.TempDir()
	_, err := Call[sum](t.Context(), NewClient(config.Dir(gone)), "sum", sum{})
	if exit.Code(err) != exit.NotRunning || !strings.Contains(err.Error(), gone) {
		t.Errorf("no socket: got %v", err)
	}

	// An answer that this version does not understand.
	c := serveControl(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"a":1,"z":0}`) }))
	if _, err := Call[sum](t.Context(), c, "sum", sum{}); err == nil || !strings.Contains(err.Error(), "the daemon is of another version") {
		t.Errorf("other answer: got %v", err)
	}

	// One that takes too long, or is interrupted.
	release := make(chan struct{})
	slow := serveControl(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Call[sum](ctx, slow, "sum", sum{}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: got %v", err)
	}
}

func TestSocketPathIsInTheDataDirectory(t *testing.T) {
	if got, want := config.Dir("/d").Socket(), filepath.Join("/d", "control.sock"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
