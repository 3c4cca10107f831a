package httpui

import (
	"context"
	"strings"
	"sync"
	"testing"

	"anteroom/node/desk/api"
	"anteroom/node/people"
	"anteroom/rendezvous/wire"
)

const (
	leeID       = "p1"
	leeName     = "Dr CANARY-lee"
	leePassword = "CANARY-correct horse"
	anAppt      = "0123456789abcdef0123456789abcdef"
	aMember     = "0123456789abcdef"
)

// fakeBackend is a node with one practitioner. It is stricter than a real one:
// it fails the test when it is asked what the server should have refused.
type fakeBackend struct {
	t *testing.T

	mu       sync.Mutex
	fresh    bool // nobody has set this node up
	removed  bool // Dr Lee has been removed
	watchers map[chan struct{}]bool
	deskErr  error
	desk     api.Desk
	created  []api.NewAppointment
	examined int
	signIns  int
	expected bool // somebody is admitted

	joined func(public bool)
	join   func(ctx context.Context, conn wire.Conn) error
	attend func(ctx context.Context, conn wire.Conn, practitioner string, a *wire.Attend) error
}

func newFakeBackend(t *testing.T) *fakeBackend {
	f := &fakeBackend{
		t:        t,
		watchers: map[chan struct{}]bool{},
		desk:     api.Desk{Now: 1000, Practice: "CANARY-practice", Practitioner: leeName, Appointments: []api.Appointment{}},
		join:     func(_ context.Context, conn wire.Conn) error { return echo(conn) },
		attend:   func(_ context.Context, conn wire.Conn, _ string, _ *wire.Attend) error { return echo(conn) },
	}
	t.Cleanup(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.watchers) > 0 {
			t.Errorf("%d watches were not stopped", len(f.watchers))
		}
	})
	return f
}

// backend returns f as a Server has it, with real sign-ins of its people.
func (f *fakeBackend) backend(cfg people.SignInsConfig) Backend {
	cfg.People = f
	return Backend{As: func(id string) api.Access { return fakeAccess{f, id} }, Accounts: people.NewSignIns(cfg)}
}

// fakeAccess is the fake for one who asks.
type fakeAccess struct {
	*fakeBackend
	practitioner string
}

// echo returns every frame until conn ends.
func echo(conn wire.Conn) error {
	for {
		b, err := conn.Recv()
		if err != nil {
			return err
		}
		if err := conn.Send(b); err != nil {
			return err
		}
	}
}

// who checks a practitioner's id.
func (f fakeAccess) who(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.practitioner != leeID || f.fresh {
		f.t.Errorf("the backend was asked on behalf of %q", f.practitioner)
	}
	if f.removed {
		return wire.ErrUnauthorized
	}
	return ctx.Err()
}

func (f fakeAccess) Info(ctx context.Context) (api.Info, error) {
	if f.practitioner != "" {
		if err := f.who(ctx); err != nil {
			return api.Info{}, err
		}
		return api.Info{Practice: "CANARY-practice", Name: leeName, Practitioners: 1}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fresh {
		return api.Info{}, nil
	}
	return api.Info{Practice: "CANARY-practice", Practitioners: 1}, nil
}

func (f *fakeBackend) Info(context.Context) (people.Info, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fresh {
		return people.Info{}, nil
	}
	return people.Info{Name: "CANARY-practice", Practitioners: 1}, nil
}

func (f *fakeBackend) Practitioner(_ context.Context, id string) (people.Practitioner, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id != leeID || f.removed {
		return people.Practitioner{}, people.ErrNotFound
	}
	return people.Practitioner{ID: leeID, Name: leeName}, nil
}

func (f *fakeBackend) SetUp(_ context.Context, s people.SetUp) (people.Practitioner, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.fresh {
		f.t.Error("the backend was set up twice")
	}
	for _, name := range []string{s.Practice, s.Name} {
		if name = strings.TrimSpace(name); name == "" || len(name) > wire.MaxName {
			return people.Practitioner{}, people.Invalid("name", "input.missing", api.Args{"field": "name"})
		}
	}
	if len(s.Password) < 12 {
		return people.Practitioner{}, people.Invalid("password", "input.password.short", api.Args{"n": 12})
	}
	f.fresh = false
	return people.Practitioner{ID: leeID, Name: leeName}, nil
}

func (f *fakeBackend) Account(_ context.Context, name string) (string, error) {
	if folded := strings.ToLower(strings.Join(strings.Fields(name), " ")); folded != "" && folded != strings.ToLower(leeName) {
		return "name " + folded, nil
	}
	return leeID, nil
}

func (f *fakeBackend) Authenticate(_ context.Context, name, password string) (people.Practitioner, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.signIns++
	if (name == "" || name == leeName) && password == leePassword && !f.removed && !f.fresh {
		return people.Practitioner{ID: leeID, Name: leeName}, nil
	}
	return people.Practitioner{}, people.ErrWrongPassword
}

func (f fakeAccess) Desk(ctx context.Context) (api.Desk, error) {
	if err := f.who(ctx); err != nil {
		return api.Desk{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.desk, f.deskErr
}

func (f *fakeBackend) setExpected(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expected = on
}

func (f fakeAccess) Expects(appointment string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if appointment != anAppt {
		f.t.Errorf("the backend was asked about %q", appointment)
	}
	return f.expected
}

// change changes the desk and tells watchers.
func (f *fakeBackend) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	for w := range f.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (f fakeAccess) Watch() (<-chan struct{}, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := make(chan struct{}, 1)
	f.watchers[w] = true
	return w, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, w)
	}
}

func (f fakeAccess) CreateAppointment(ctx context.Context, n api.NewAppointment) (api.Appointment, error) {
	if err := f.who(ctx); err != nil {
		return api.Appointment{}, err
	}
	if len(n.Guests) > 3 {
		return api.Appointment{}, api.Refuse(wire.CodeBadMessage, "input.guests.many", api.Args{"n": 3})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.created = append(f.created, n)
	return api.Appointment{
		ID: anAppt, Label: n.Label, Starts: n.Starts, State: "early",
		Guests: []api.Guest{{Member: aMember, State: "unused", URL: "https://care.example/j#CANARY-link"}},
	}, nil
}

func (f fakeAccess) TestCall(ctx context.Context) (api.Appointment, error) {
	return api.Appointment{ID: anAppt, State: "open", Test: true, Guests: []api.Guest{}}, f.who(ctx)
}

func (f fakeAccess) Doctor(ctx context.Context) (api.Report, error) {
	f.mu.Lock()
	f.examined++
	f.mu.Unlock()
	return api.Report{Line: api.NewMessage("doctor.summary.ready-line", nil), Summary: api.NewMessage("doctor.summary.ready", nil), At: 1000, Ready: true, Confirmed: true, Checks: []api.Check{{ID: "clock", Title: api.NewMessage("doctor.title.clock", nil), Status: "pass", Finding: api.NewMessage("doctor.clock.good", api.Args{"n": 1})}}}, f.who(ctx)
}

// known checks an id that has the right form.
func (f fakeAccess) known(ctx context.Context, id, want string) error {
	if err := f.who(ctx); err != nil {
		return err
	}
	if len(id) != len(want) {
		f.t.Errorf("the backend was asked for an id of %d characters", len(id))
	}
	if id != want {
		return wire.ErrNotFound
	}
	return nil
}

func (f fakeAccess) Cancel(ctx context.Context, appointment string) error {
	return f.known(ctx, appointment, anAppt)
}

func (f fakeAccess) Links(ctx context.Context, appointment string) ([]api.Link, error) {
	return []api.Link{{Member: aMember, Label: "CANARY-guest", URL: "https://care.example/j#CANARY-link"}}, f.known(ctx, appointment, anAppt)
}

func (f fakeAccess) Revoke(ctx context.Context, m wire.MemberID) error {
	return f.known(ctx, string(m), aMember)
}

func (f fakeAccess) Rotate(ctx context.Context, m wire.MemberID) (api.Link, error) {
	return api.Link{Member: "fedcba9876543210", Label: "CANARY-guest", URL: "https://care.example/j#CANARY-new"}, f.known(ctx, string(m), aMember)
}

func (f fakeAccess) Join(ctx context.Context, conn wire.Conn, from api.Arrival) error {
	if f.joined != nil {
		f.joined(from.Public)
	}
	err := f.join(ctx, conn)
	conn.Close(err)
	return err
}

func (f fakeAccess) Attend(ctx context.Context, conn wire.Conn, a *wire.Attend) error {
	if err := f.who(ctx); err != nil {
		return err
	}
	err := f.attend(ctx, conn, f.practitioner, a)
	conn.Close(err)
	return err
}

func (f fakeAccess) Card(context.Context) (string, error) { return "peer card\n", nil }
