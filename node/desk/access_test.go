package desk_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/node/audit"
	"anteroom/node/desk"
	"anteroom/node/desk/api"
	"anteroom/node/nodetest"
	"anteroom/node/people"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// colleague is another practitioner than the one whose appointments these are;
// removed is nobody any more.
const colleague, removed = "1111111111111111", "2222222222222222"

// change runs statements in the records of a node that does not run.
func change(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "anteroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// start returns a node at which a colleague works too.
func start(t *testing.T) *nodetest.Node {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	p, err := practice.Open(t.Context(), practice.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.People.SetUp(t.Context(), people.SetUp{Practice: "Riverside", Name: "Dr Lee", Password: "violet tractor seventeen"}); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	change(t, dir, "INSERT INTO practitioner (id, name_index, name, password) VALUES ('"+colleague+"', x'01', x'00', x'00')")
	return nodetest.Start(t, "A", nodetest.Options{Dir: dir})
}

// A verdict is what somebody who asks for something hears.
type verdict string

const (
	done         verdict = "done"
	unauthorized verdict = "unauthorized" // they are nobody
	notFound     verdict = "not found"    // it is another's, or does not exist
	refused      verdict = "refused"      // they must say for whom
	nothing      verdict = "nothing"      // no error, and nothing of anybody's
)

func verdictOf(t *testing.T, err error) verdict {
	t.Helper()
	refusal, _ := errors.AsType[*api.Refusal](err)
	switch {
	case err == nil:
		return done
	case errors.Is(err, wire.ErrUnauthorized):
		return unauthorized
	case errors.Is(err, wire.ErrNoSuchRoom), refusal != nil && refusal.Code == wire.CodeNotFound:
		return notFound
	case refusal != nil && refusal.Code == wire.CodeBadMessage:
		return refused
	}
	t.Errorf("neither allowed nor refused: %v", err)
	return ""
}

// A try asks a for something of the appointment id and its guest m.
type try func(t *testing.T, a *desk.Access, id string, m wire.MemberID) verdict

// asked is what each method of a desk is for, and what it says to the owner of
// an appointment, to a colleague, to somebody who was removed, to nobody and to
// the operator.
var asked = map[string]struct {
	try                                         try
	owner, colleague, removed, nobody, operator verdict
}{
	"Info": {func(t *testing.T, a *desk.Access, _ string, _ wire.MemberID) verdict {
		_, err := a.Info(t.Context())
		return verdictOf(t, err)
	}, done, done, unauthorized, done, done},
	"Card": {func(t *testing.T, a *desk.Access, _ string, _ wire.MemberID) verdict {
		_, err := a.Card(t.Context())
		return verdictOf(t, err)
	}, done, done, done, done, done}, // it is on the public page
	"Watch": {func(t *testing.T, a *desk.Access, _ string, _ wire.MemberID) verdict {
		_, stop := a.Watch() // of ticks, which say nothing
		stop()
		return nothing
	}, nothing, nothing, nothing, nothing, nothing},
	"Desk": {func(t *testing.T, a *desk.Access, id string, _ wire.MemberID) verdict {
		d, err := a.Desk(t.Context())
		return listed(t, d.Appointments, err, id)
	}, done, nothing, unauthorized, unauthorized, done},
	"List": {func(t *testing.T, a *desk.Access, id string, _ wire.MemberID) verdict {
		list, err := a.List(t.Context(), true)
		return listed(t, list, err, id)
	}, done, nothing, unauthorized, unauthorized, done},
	"Show": {func(t *testing.T, a *desk.Access, id string, _ wire.MemberID) verdict {
		shown, err := a.Show(t.Context(), id)
		if err == nil && shown.Guests[0].URL == "" {
			t.Error("shown without its link")
		}
		if err != nil && shown.ID != "" {
			t.Errorf("refused, and shown: %+v", shown)
		}
		return verdictOf(t, err)
	}, done, notFound, unauthorized, unauthorized, done},
	"Links": {func(t *testing.T, a *desk.Access, id string, _ wire.MemberID) verdict {
		links, err := a.Links(t.Context(), id)
		if (err == nil) != (len(links) == 1) {
			t.Errorf("%d links and %v", len(links), err)
		}
		return verdictOf(t, err)
	}, done, notFound, unauthorized, unauthorized, done},
	"Rotate": {func(t *testing.T, a *desk.Access, _ string, m wire.MemberID) verdict {
		link, err := a.Rotate(t.Context(), m)
		if (err == nil) != (link.URL != "") {
			t.Errorf("the link %q and %v", link.Label, err)
		}
		return verdictOf(t, err)
	}, done, notFound, unauthorized, unauthorized, done},
	"Revoke": {func(t *testing.T, a *desk.Access, _ string, m wire.MemberID) verdict {
		return verdictOf(t, a.Revoke(t.Context(), m))
	}, done, notFound, unauthorized, unauthorized, done},
	"Cancel": {func(t *testing.T, a *desk.Access, id string, _ wire.MemberID) verdict {
		return verdictOf(t, a.Cancel(t.Context(), id))
	}, done, notFound, unauthorized, unauthorized, done},
	"CreateAppointment": {func(t *testing.T, a *desk.Access, _ string, _ wire.MemberID) verdict {
		_, err := a.CreateAppointment(t.Context(), api.NewAppointment{
			Starts: time.Now().Unix(), Minutes: 30, Guests: []api.NewGuest{{Label: "Ben"}}, Practitioner: "dr  LEE",
		})
		return verdictOf(t, err)
	}, done, notFound, unauthorized, unauthorized, done}, // for Dr Lee, whoever asks
	"Practitioner": {func(t *testing.T, a *desk.Access, _ string, _ wire.MemberID) verdict {
		_, err := a.Practitioner(t.Context(), "")
		return verdictOf(t, err)
	}, done, done, unauthorized, unauthorized, refused},
	"TestCall": {func(t *testing.T, a *desk.Access, _ string, _ wire.MemberID) verdict {
		_, err := a.TestCall(t.Context()) // this node has no echo guest
		if refusal, ok := errors.AsType[*api.Refusal](err); ok && refusal.Message.Code == "refusal.no-test-calls" {
			return done
		}
		return verdictOf(t, err)
	}, done, done, unauthorized, unauthorized, refused},
	"Doctor": {func(t *testing.T, a *desk.Access, _ string, _ wire.MemberID) verdict {
		if _, err := a.Doctor(t.Context()); !errors.Is(err, context.Canceled) {
			return verdictOf(t, err)
		}
		return done // the rounds are over
	}, done, done, unauthorized, unauthorized, done},
	"Look": {func(t *testing.T, a *desk.Access, _ string, _ wire.MemberID) verdict {
		if _, err := a.Look(t.Context()); !errors.Is(err, context.Canceled) {
			return verdictOf(t, err)
		}
		return done // the rounds are over
	}, done, done, unauthorized, unauthorized, done},
	"Attend": {func(t *testing.T, a *desk.Access, id string, _ wire.MemberID) verdict {
		here, there := wire.Pipe()
		attended := make(chan error, 1)
		go func() { attended <- a.Attend(t.Context(), there, attendance(id)) }() // ends with here
		frame, err := here.Recv()
		if err != nil {
			t.Fatal(err)
		}
		body, err := wire.Decode(frame)
		if err != nil {
			t.Fatal(err)
		}
		bye, sentAway := body.(*wire.Bye)
		here.Close(nil)
		err = <-attended
		if !sentAway {
			return done
		}
		if v := verdictOf(t, err); bye.Code != wire.Public(err).Code {
			t.Errorf("the page hears %s, and the log %s", bye.Code, v)
		}
		return verdictOf(t, err)
	}, done, notFound, unauthorized, unauthorized, notFound}, // a room is its practitioner's alone
	"Expects": {func(t *testing.T, a *desk.Access, id string, _ wire.MemberID) verdict {
		if a.Expects(id) {
			return done
		}
		return nothing
	}, done, nothing, nothing, nothing, nothing},
	"Join": {func(t *testing.T, a *desk.Access, _ string, _ wire.MemberID) verdict {
		here, there := wire.Pipe()
		here.Close(nil) // without the key frame that shows a link
		if err := a.Join(t.Context(), there, api.Arrival{}); !errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
		return nothing
	}, nothing, nothing, nothing, nothing, nothing},
}

// listed says whether id is in a list of appointments, and no link is.
func listed(t *testing.T, list []api.Appointment, err error, id string) verdict {
	t.Helper()
	if err != nil && len(list) > 0 {
		t.Errorf("refused, and listed: %+v", list)
	}
	if err != nil {
		return verdictOf(t, err)
	}
	for _, a := range list {
		for _, g := range a.Guests {
			if g.URL != "" {
				t.Error("a link is in the list")
			}
		}
		if a.ID == id {
			return done
		}
	}
	return nothing
}

func attendance(id string) *wire.Attend {
	return &wire.Attend{Appointment: id, Tab: make([]byte, 16), Token: "t", Fingerprint: make([]byte, 32)}
}

// TestWhoMayDoWhat asks for everything that a desk has, as everybody who may ask,
// for an appointment of one of them and for one that does not exist. A method
// that is not in the table fails it.
func TestWhoMayDoWhat(t *testing.T) {
	var methods []string
	for _, of := range []reflect.Type{reflect.TypeFor[*desk.Access](), reflect.TypeFor[api.Access]()} {
		for m := range of.NumMethod() {
			methods = append(methods, of.Method(m).Name)
		}
	}
	slices.Sort(methods)
	methods = slices.Compact(methods)
	for _, name := range methods {
		if _, ok := asked[name]; !ok {
			t.Errorf("nothing says who may %s", name)
		}
	}
	home := start(t)
	d := open(t, home, nil)
	actors := []struct {
		who desk.Actor
		as  string
	}{ // what changes anything for all is asked by those first who may not
		{desk.Practitioner(colleague), "colleague"}, {desk.Practitioner(removed), "removed"}, {desk.Practitioner(""), "nobody"},
		{desk.Actor{}, "nobody"}, {desk.Operator, "operator"}, {desk.Practitioner(home.Practitioner.ID), "owner"},
	}
	for _, name := range methods {
		of := asked[name]
		want := map[string]verdict{"owner": of.owner, "colleague": of.colleague, "removed": of.removed, "nobody": of.nobody, "operator": of.operator}
		for _, actor := range actors {
			t.Run(name+" as "+actor.as, func(t *testing.T) {
				a := home.Appointment("Ana")
				host := home.Attend(a.ID) // somebody is expected
				nodetest.Expect[*wire.Welcome](host, nil)
				id, m := a.ID, a.Invites[0].Member
				if got := of.try(t, d.As(actor.who), id, m); got != want[actor.as] {
					t.Errorf("%s, want %s", got, want[actor.as])
				}
				if left, err := home.Practice.Appointment(t.Context(), id); want[actor.as] != done &&
					(err != nil || left.Cancelled || left.Invites[0] != a.Invites[0]) {
					t.Errorf("they left %+v, %v", left, err)
				}

				const noID, noMember = "33333333333333333333333333333333", "3333333333333333"
				absent := want[actor.as]
				if absent == done && name != "CreateAppointment" && (of.colleague == notFound || of.colleague == nothing) {
					absent = of.colleague // what does not exist is like a colleague's
				}
				if got := of.try(t, d.As(actor.who), noID, noMember); got != absent {
					t.Errorf("of what does not exist: %s, want %s", got, absent)
				}
			})
		}
	}
}
func TestOnlyTheirOwnPractitionerAttends(t *testing.T) {
	home := start(t)
	d := open(t, home, nil)
	a := home.Appointment("Patient")
	here, there := wire.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- d.As(desk.Practitioner(colleague)).Attend(t.Context(), there, attendance(a.ID))
	}()
	frame, err := here.Recv()
	if err != nil || !strings.Contains(string(frame), string(wire.CodeNoSuchRoom)) {
		t.Errorf("heard %s, %v", frame, err)
	}
	if err := <-done; !errors.Is(err, wire.ErrNoSuchRoom) {
		t.Errorf("Attend returned %v", err)
	}
}

// TestWhatIsNobodysCanBeClearedAway: an appointment whose practitioner cannot be
// read is in every diary. Whoever sees it can cancel it, and do nothing else.
func TestWhatIsNobodysCanBeClearedAway(t *testing.T) {
	home := start(t)
	a := home.Appointment("Ana")
	home.Stop()
	change(t, home.Dir, "UPDATE appointment SET practitioner = 'nobody'")
	home = nodetest.Start(t, "A", nodetest.Options{Dir: home.Dir})
	as := open(t, home, nil).As(desk.Practitioner(colleague))
	list, err := as.List(t.Context(), false)
	if err != nil || len(list) != 1 || list[0].ID != a.ID {
		t.Fatalf("listed is %+v, %v", list, err)
	}
	if _, err := as.Links(t.Context(), a.ID); verdictOf(t, err) != notFound {
		t.Errorf("links: %v", err)
	}
	if _, err := as.Rotate(t.Context(), a.Invites[0].Member); verdictOf(t, err) != notFound {
		t.Errorf("a new link: %v", err)
	}
	if err := as.Cancel(t.Context(), a.ID); err != nil {
		t.Error(err)
	}
}

// TestTheOperatorIsNamedAsSuch: the audit trail does not say that a practitioner
// did what was done at the command line.
func TestTheOperatorIsNamedAsSuch(t *testing.T) {
	home := nodetest.Start(t, "A", nodetest.Options{})
	operator := open(t, home, nil).As(desk.Operator)
	a, err := operator.CreateAppointment(t.Context(), api.NewAppointment{ // for the only one there is
		Starts: time.Now().Unix(), Minutes: 30, Guests: []api.NewGuest{{Label: "Ana"}, {Label: "Ben"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if owner, err := home.Practice.Owner(t.Context(), a.ID); err != nil || owner != home.Practitioner.ID {
		t.Errorf("it is %q's, %v", owner, err)
	}
	if _, err := operator.Show(t.Context(), a.ID); err != nil {
		t.Error(err)
	}
	if _, err := operator.Rotate(t.Context(), a.Guests[0].Member); err != nil {
		t.Error(err)
	}
	if err := operator.Revoke(t.Context(), a.Guests[1].Member); err != nil {
		t.Error(err)
	}
	if err := operator.Cancel(t.Context(), a.ID); err != nil {
		t.Error(err)
	}
	entries, err := home.Practice.Trail.Entries(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var done []string
	for _, e := range entries {
		if e.By == "operator" {
			done = append(done, e.Event)
		}
	}
	want := []string{audit.EventCreate, audit.EventShowLink, audit.EventShowLink, audit.EventRotate, audit.EventRevoke, audit.EventCancel}
	if !slices.Equal(done, want) {
		t.Errorf("on record are %v", done)
	}
}
