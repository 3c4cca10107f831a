package httpui

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"anteroom/node/desk/api"
	"anteroom/node/people"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	local  = "localhost:7443"
	public = "care.example"
)

// What people promises of sign-ins, and tests here wait for.
const (
	sessionIdle     = 15 * time.Minute
	sessionInterval = 5 * time.Second
	maxSessions     = 5
	maxTabs         = 16
	tabTime         = time.Minute
	launchTime      = 10 * time.Minute
	freeTries       = 5
	longestPause    = 15 * time.Minute
)

// testPages is the smallest set of files that a Server serves.
var testPages = fstest.MapFS{
	"index.html":   {Data: []byte(`<!doctype html><head><script type="module" src="/static/main.js"></script></head>`)},
	"guest.html":   {Data: []byte(`<!doctype html><head><link rel="stylesheet" href="/static/style.css"></head>`)},
	"refused.html": {Data: []byte(`<!doctype html><html lang="en"><head><title>{{.Title}}</title>{{if .Styled}}<link rel="stylesheet" href="/static/style.css">{{end}}</head><h1>{{.Title}}</h1><p>{{.Practice}}: {{.Todo}}{{if .Home}}<a href="/"></a>{{end}}`)},
	"main.js":      {Data: []byte("import './lib/b.js';\n")},
	"lib/b.js":     {Data: []byte("export const b = 1;\n")},
	"style.css":    {Data: []byte("body {}\n")},
	"lib/LICENSE":  {Data: []byte("ours\n")},
	"i18n/en.json": {Data: []byte("{}\n")},
}

// testServer is a running Server with one practitioner, Dr Lee.
type testServer struct {
	*Server
	t        *testing.T
	backend  *fakeBackend
	store    *memStore
	accounts api.Accounts
	listener *memListener
	log      *syncBuffer
	ran      chan error   // what Run returned
	stop     func() error // ends Run and returns what it returned; idempotent
}

func newTest(t *testing.T, change ...func(*Config)) *testServer {
	t.Helper()
	return newTestOf(t, people.SignInsConfig{}, change...)
}

// newTestOf is newTest with the sign-ins of another run.
func newTestOf(t *testing.T, of people.SignInsConfig, change ...func(*Config)) *testServer {
	t.Helper()
	store, ok := of.Sessions.(*memStore)
	if !ok {
		store = &memStore{entries: map[string]memEntry{}}
		of.Sessions = store
	}
	ts := &testServer{
		t:        t,
		backend:  newFakeBackend(t),
		store:    store,
		listener: newMemListener("127.0.0.1:7443"),
		log:      &syncBuffer{},
	}
	cfg := Config{
		Listeners: []net.Listener{ts.listener},
		PublicURL: "https://" + public,
		InstallID: "test",
		Version:   "v0",
		Log:       slog.New(slog.NewJSONHandler(ts.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&cfg)
	}
	b := ts.backend.backend(of)
	ts.accounts = b.Accounts
	s, err := newServer(cfg, b, testPages)
	if err != nil {
		t.Fatal(err)
	}
	ts.Server = s
	ctx, cancel := context.WithCancel(context.Background())
	ts.ran = make(chan error, 1)
	go func() { ts.ran <- s.Run(ctx) }() // ends with ctx
	ts.stop = sync.OnceValue(func() error {
		cancel()
		return <-ts.ran
	})
	t.Cleanup(func() {
		if err := ts.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return ts
}

// inBubble runs a test in simulated time.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// pass lets simulated time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// exchange sends raw bytes and returns the answer; nil if there is none.
func (ts *testServer) exchange(from, request string) *http.Response {
	ts.t.Helper()
	conn, err := ts.listener.dial(from)
	if err != nil {
		ts.t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, request) // ends when conn is closed
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return nil
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp
}

// ask is exchange for a request without its boilerplate: a first line without
// the version, headers, and perhaps an empty line and a body.
func (ts *testServer) ask(request string) *http.Response {
	ts.t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	first, headers, _ := strings.Cut(head, "\n")
	raw := first + " HTTP/1.1\r\n"
	for line := range strings.Lines(headers) {
		raw += strings.TrimSuffix(line, "\n") + "\r\n"
	}
	if body != "" {
		raw += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	resp := ts.exchange("127.0.0.1:50000", raw+"\r\n"+body)
	if resp == nil {
		ts.t.Fatalf("%s: no answer", first)
	}
	return resp
}

// browser is a browser at one origin: it keeps cookies, and its page the tab's token.
type browser struct {
	ts     *testServer
	http   *http.Client
	origin string
	from   string
	cookie *http.Cookie
	tab    string
}

func (ts *testServer) browser() *browser {
	b := &browser{ts: ts, origin: "http://" + local, from: "127.0.0.1:50000"}
	b.http = &http.Client{Transport: &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return ts.listener.dial(b.from) },
		DisableKeepAlives: true,
	}}
	return b
}

// fetch asks as a page would, and returns the status and the JSON of the answer.
func (b *browser) fetch(method, path string, body any) (int, map[string]any) {
	b.ts.t.Helper()
	resp := b.do(method, path, body)
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		b.ts.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, out
}

func (b *browser) do(method, path string, body any) *http.Response {
	b.ts.t.Helper()
	var reader io.Reader
	if method == http.MethodPost {
		if body == nil {
			body = struct{}{}
		}
		raw, err := json.Marshal(body)
		if err != nil {
			b.ts.t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, b.origin+path, reader)
	if err != nil {
		b.ts.t.Fatal(err)
	}
	req.Header = b.header()
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if b.tab != "" {
		req.Header.Set(tabHeader, b.tab)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.ts.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		b.cookie = c
		if c.MaxAge < 0 {
			b.cookie = nil
		}
	}
	return resp
}

func (b *browser) header() http.Header {
	h := http.Header{
		"Origin":         {b.origin},
		"Sec-Fetch-Site": {"same-origin"},
		"User-Agent":     {"CANARY-agent"},
	}
	if b.cookie != nil {
		h.Set("Cookie", b.cookie.Name+"="+b.cookie.Value)
	}
	return h
}

// expect fetches and checks the status.
func (b *browser) expect(status int, method, path string, body any) map[string]any {
	b.ts.t.Helper()
	got, out := b.fetch(method, path, body)
	if got != status {
		b.ts.t.Fatalf("%s %s: status %d %v, want %d", method, path, got, out, status)
	}
	return out
}

// says is the code of what a refusal says to people.
func says(refusal map[string]any) string {
	message, _ := refusal["message"].(map[string]any)
	code, _ := message["code"].(string)
	return code
}

// signIn signs Dr Lee in and fetches the tab's token.
func (b *browser) signIn() *browser {
	b.ts.t.Helper()
	b.expect(200, "POST", "/api/signin", map[string]string{"name": leeName, "password": leePassword})
	return b.fetchTab()
}

func (b *browser) fetchTab() *browser {
	b.ts.t.Helper()
	b.tab, _ = b.expect(200, "POST", "/api/tab", nil)["token"].(string)
	return b
}

// signedIn is a browser in which Dr Lee has signed in.
func (ts *testServer) signedIn() *browser {
	ts.t.Helper()
	return ts.browser().signIn()
}

// upgrade opens a WebSocket, or returns the answer that refused it.
func (b *browser) upgrade(path string, change ...func(*websocket.DialOptions)) (*wsConn, *http.Response) {
	b.ts.t.Helper()
	var raw net.Conn
	opts := &websocket.DialOptions{
		HTTPHeader:   b.header(),
		Subprotocols: []string{"ar1"},
		HTTPClient: &http.Client{Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (_ net.Conn, err error) {
				raw, err = b.ts.listener.dial(b.from)
				return raw, err
			},
			DisableKeepAlives: true,
		}},
	}
	for _, f := range change {
		f(opts)
	}
	ws, resp, err := websocket.Dial(context.Background(), b.origin+path, opts)
	if err != nil {
		if resp == nil {
			b.ts.t.Fatalf("%s: %v", path, err)
		}
		return nil, resp
	}
	kind := websocket.MessageText
	if path == "/ws/guest" {
		kind = websocket.MessageBinary
	}
	c := newConn(ws, raw, kind, rate.NewLimiter(rate.Inf, 0))
	c.first.Stop()
	b.ts.t.Cleanup(func() {
		c.Close(nil)
		c.wait()
	})
	return c, resp
}

// socket opens a WebSocket that must open.
func (b *browser) socket(path string) *wsConn {
	b.ts.t.Helper()
	c, resp := b.upgrade(path)
	if c == nil {
		b.ts.t.Fatalf("%s: refused with %s", path, resp.Status)
	}
	return c
}

// sendJSONFrame sends v as a frame.
func sendFrame(t *testing.T, c *wsConn, v any) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(raw); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

// expectEnd waits until c is closed for want.
func expectEnd(t *testing.T, c *wsConn, want error) {
	t.Helper()
	for {
		if _, err := c.Recv(); err != nil {
			if !errors.Is(err, want) {
				t.Fatalf("socket ended with %v, want %v", err, want)
			}
			return
		}
	}
}

// memStore is a people.SessionStore that is as strict about expiry as it may be.
type memStore struct {
	mu      sync.Mutex
	entries map[string]memEntry
	fail    error

	failCommit error
}

type memEntry struct {
	b       []byte
	expires time.Time
}

func (m *memStore) setFail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memStore) setFailCommit(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failCommit = err
}

func (m *memStore) Find(token string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[token]
	if !ok || !time.Now().Before(e.expires) {
		return nil, false, m.fail
	}
	return e.b, true, m.fail
}

func (m *memStore) Commit(token string, b []byte, expires time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failCommit != nil {
		return m.failCommit
	}
	if m.fail == nil {
		m.entries[token] = memEntry{bytes.Clone(b), expires}
	}
	return m.fail
}

func (m *memStore) Delete(token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, token)
	return m.fail
}

func (m *memStore) All() (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string][]byte{}
	for token, e := range m.entries {
		if time.Now().Before(e.expires) {
			all[token] = e.b
		}
	}
	return all, m.fail
}

// syncBuffer is a log.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

// session returns the token of a session that a launch address gave to somebody.
func (ts *testServer) session(practitioner string) string {
	ts.t.Helper()
	entry, err := ts.accounts.EnterByLaunch(ts.t.Context(), api.Browser{}, ts.accounts.Launch(practitioner))
	if err != nil {
		ts.t.Fatal(err)
	}
	return entry.Session
}
