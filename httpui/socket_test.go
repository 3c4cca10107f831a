package httpui

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"anteroom/node/desk/api"
	"anteroom/rendezvous/wire"
)

func TestHostSocket(t *testing.T) {
	ts := newTest(t)
	asked := make(chan *wire.Attend, 1)
	ts.backend.attend = func(_ context.Context, conn wire.Conn, practitioner string, a *wire.Attend) error {
		asked <- a
		return echo(conn)
	}
	c := ts.signedIn().attend()
	if a := <-asked; a.Appointment != anAppt || len(a.Tab) != 16 {
		t.Errorf("the node was asked for %+v", a)
	}
	if err := c.Send([]byte(`{"type":"ping","body":{}}`)); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Recv(); err != nil || string(got) != `{"type":"ping","body":{}}` {
		t.Errorf("got %s, %v", got, err)
	}
}

// The cookie opened the socket; without a tab's token nothing is said on it.
func TestSocketNeedsTheTab(t *testing.T) {
	ts := newTest(t)
	ts.backend.attend = func(context.Context, wire.Conn, string, *wire.Attend) error {
		t.Error("the node was asked")
		return nil
	}
	lee := ts.signedIn()
	host := lee.socket("/ws/host")
	lee.sendAttend(host, rand.Text())
	if got, err := host.Recv(); err != nil || string(got) != `{"type":"bye","body":{"code":"unauthorized"}}` {
		t.Errorf("said %s, %v", got, err)
	}
	expectEnd(t, host, wire.ErrUnauthorized)

	for _, first := range []string{`{"token":"` + rand.Text() + `"}`, `{"token":""}`, `{}`} {
		desk := lee.socket("/ws/desk")
		if err := desk.Send([]byte(first)); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, desk, wire.ErrUnauthorized)
	}
}

func TestFirstFrameOfAPractitioner(t *testing.T) {
	ts := newTest(t)
	lee := ts.signedIn()
	for path, frames := range map[string][]string{
		"/ws/host": {"", "{}", "null", `{"type":"ping","body":{}}`, `{"type":"join","body":{}}`, `{"type":"attend","body":{}}`, "\xff"},
		"/ws/desk": {"", "null", `{"token":1}`, `{"token":"` + lee.tab + `","take":true}`, `{"token":"` + lee.tab + `"}{}`},
	} {
		for _, frame := range frames {
			c := lee.socket(path)
			if err := c.Send([]byte(frame)); err != nil {
				t.Fatal(err)
			}
			expectEnd(t, c, wire.ErrBadMessage)
		}
	}
}

// Signing out between opening a socket and speaking on it helps nobody.
func TestSignOutBeforeTheFirstFrame(t *testing.T) {
	ts := newTest(t)
	lee := ts.signedIn()
	c := lee.socket("/ws/host")
	lee.expect(200, "POST", "/api/signout", nil)
	lee.sendAttend(c, lee.tab)
	expectEnd(t, c, wire.ErrUnauthorized)
}

// recvDesk is the next message on c.
func recvDesk(t *testing.T, c *wsConn) deskChange {
	t.Helper()
	frame, err := c.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var desk deskChange
	if err := json.Unmarshal(frame, &desk); err != nil {
		t.Fatal(err)
	}
	return desk
}

func TestDeskIsPushed(t *testing.T) {
	ts := newTest(t)
	c := ts.signedIn().openDesk()
	c.ws.SetReadLimit(1 << 20) // a browser has none
	if desk := recvDesk(t, c); desk.Practitioner != leeName || desk.Appointments == nil {
		t.Errorf("first snapshot %+v", desk)
	}
	ts.backend.change(func() { ts.backend.desk.Appointments = make([]api.Appointment, 500) }) // larger than any frame of a call
	if desk := recvDesk(t, c); len(desk.Appointments) != 500 {
		t.Errorf("%d appointments", len(desk.Appointments))
	}
	// Changes that come while nobody reads are one change; the last is seen.
	for i := range 100 {
		ts.backend.change(func() { ts.backend.desk.Now = int64(2000 + i) })
	}
	for n := 1; ; n++ {
		if recvDesk(t, c).Now == 2099 {
			break
		}
		if n == 100 {
			t.Fatal("100 snapshots, and the last change is not among them")
		}
	}
}

// What has not changed is not sent again, however much there is of it.
func TestDeskSendsChangesOnly(t *testing.T) {
	ts := newTest(t)
	list := func(n int) []api.Appointment {
		all := make([]api.Appointment, n)
		for i := range all {
			all[i] = api.Appointment{ID: fmt.Sprintf("%032x", i), Label: "as before", Guests: []api.Guest{}}
		}
		return all
	}
	ts.backend.desk.Appointments = list(1000)
	c := ts.signedIn().openDesk()
	c.ws.SetReadLimit(1 << 20)
	if n := len(recvDesk(t, c).Appointments); n != 1000 {
		t.Fatalf("the first message has %d appointments", n)
	}
	ids := func(list []api.Appointment) (ids []string) {
		for _, a := range list {
			ids = append(ids, strings.TrimLeft(a.ID, "0"))
		}
		return ids
	}
	for _, test := range []struct {
		what          string
		change        func([]api.Appointment) []api.Appointment
		changed, gone []string
	}{
		{"one guest knocks", func(all []api.Appointment) []api.Appointment {
			all[7].Guests = []api.Guest{{State: "waiting"}}
			return all
		}, []string{"7"}, nil},
		{"another appointment is made", func(all []api.Appointment) []api.Appointment {
			return append(all, api.Appointment{ID: strings.Repeat("f", 32)})
		}, []string{strings.Repeat("f", 32)}, nil},
		{"one is forgotten", func(all []api.Appointment) []api.Appointment { return all[:1000] }, nil, []string{strings.Repeat("f", 32)}},
		{"nothing of them", func(all []api.Appointment) []api.Appointment { return all }, nil, nil},
	} {
		ts.backend.change(func() {
			ts.backend.desk.Now++
			ts.backend.desk.Appointments = test.change(slices.Clone(ts.backend.desk.Appointments))
		})
		got := recvDesk(t, c)
		if changed := ids(got.Appointments); !slices.Equal(changed, test.changed) || !slices.Equal(got.Gone, test.gone) {
			t.Errorf("%s: %d changed %q, gone %q", test.what, len(changed), changed, got.Gone)
		}
		if got.Practitioner != leeName {
			t.Errorf("%s: the rest is missing", test.what)
		}
	}
	again := ts.signedIn().openDesk()
	again.ws.SetReadLimit(1 << 20)
	if n := len(recvDesk(t, again).Appointments); n != 1000 {
		t.Errorf("the first message of another socket has %d appointments", n)
	}
}

// A crowd at the doors does not keep the node busy with the diary.
func TestDeskRestsBetweenChanges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		c := ts.signedIn().openDesk()
		recvDesk(t, c)
		began := time.Now()
		for range 20 {
			ts.backend.change(func() { ts.backend.desk.Now++ })
			recvDesk(t, c)
		}
		if took := time.Since(began); took < 19*deskPause {
			t.Errorf("20 changes were sent within %v", took)
		}
	})
}

// A window that opens or closes is a change that nobody announces.
func TestDeskFollowsTheClock(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ts := newTest(t)
		ts.backend.desk.Appointments = []api.Appointment{{Opens: 1000, Starts: 1100, Ends: 1400, Closes: 1500}, {Opens: 1090}}
		c := ts.signedIn().openDesk()
		last := time.Now()
		for _, want := range []int64{0, 90, 10, 300, 100} {
			recvDesk(t, c)
			if got := time.Since(last); got != time.Duration(want)*time.Second {
				t.Fatalf("snapshot after %v, want %d s", got, want)
			}
			last = time.Now()
			ts.backend.mu.Lock()
			ts.backend.desk.Now += map[int64]int64{0: 90, 90: 10, 10: 300, 300: 100}[want]
			ts.backend.mu.Unlock()
		}
	})
}

func TestDeskFailure(t *testing.T) {
	ts := newTest(t)
	c := ts.signedIn().openDesk()
	recvDesk(t, c)
	ts.backend.change(func() { ts.backend.deskErr = errors.New("read desk: CANARY-disk") })
	expectEnd(t, c, wire.ErrInternal)
}

func TestDeskTakesNothingMore(t *testing.T) {
	ts := newTest(t)
	c := ts.signedIn().openDesk()
	recvDesk(t, c)
	if err := c.Send([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	expectEnd(t, c, wire.ErrBadMessage)
}

// A refusal takes no place.
func TestRefusedSocketsAreNotCounted(t *testing.T) {
	ts := newTest(t, func(c *Config) { c.Sockets = Cap{Total: 1, PerPrefix: 1, Loopback: 1} })
	for range 5 {
		c, resp := ts.browser().upgrade("/ws/guest", func(o *websocket.DialOptions) { o.Subprotocols = []string{"ar9"} })
		if c != nil || resp.StatusCode != 400 {
			t.Fatalf("status %d", resp.StatusCode)
		}
	}
	ts.browser().socket("/ws/guest")
}

// Compression would tell the sizes of secrets, and what is not negotiated
// cannot be forced on us.
func TestNoCompression(t *testing.T) {
	ts := newTest(t)
	c, resp := ts.browser().upgrade("/ws/guest", func(o *websocket.DialOptions) {
		o.CompressionMode = websocket.CompressionContextTakeover
	})
	if c == nil {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if got := resp.Header.Get("Sec-Websocket-Extensions"); got != "" {
		t.Errorf("extensions %s", got)
	}
	if got := resp.Header.Get("Sec-Websocket-Protocol"); got != "ar1" {
		t.Errorf("subprotocol %s", got)
	}
}

// A Backend that panics harms its own socket only, and its words go nowhere.
func TestPanic(t *testing.T) {
	ts := newTest(t)
	ts.backend.join = func(context.Context, wire.Conn) error { panic("CANARY-panic") }
	c := ts.browser().socket("/ws/guest")
	ended := keepReading(c)
	if err := <-ended; !errors.Is(err, wire.ErrInternal) {
		t.Errorf("the browser heard %v", err)
	}
	ts.backend.join = func(_ context.Context, conn wire.Conn) error { return echo(conn) }
	next := ts.browser().socket("/ws/guest")
	keepReading(next)
	if err := next.Send([]byte{1}); err != nil {
		t.Error(err)
	}
	if err := ts.stop(); err != nil {
		t.Error(err)
	}
	if log := ts.log.String(); !strings.Contains(log, "panicked") || strings.Contains(log, "CANARY") {
		t.Errorf("log:\n%s", log)
	}
}
