package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"anteroom/discovery"
	"anteroom/httpui"
	"anteroom/httpui/certs"
	"anteroom/node"
	"anteroom/node/desk/api"
	"anteroom/node/doctor"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// pages is the node as its pages and its command line see it. It also sees to
// it that practitioners touch only their own appointments, which package
// practice leaves to its callers.
type pages struct {
	node      *node.Node
	practice  *practice.Practice
	discovery *discovery.Discovery
	here      string         // origin of the page on this computer
	links     string         // what links begin with; see linkBase
	certs     *certs.Manager // of the public page; nil if it is not encrypted here
	rounds    *doctor.Rounds
}

var _ httpui.Backend = (*pages)(nil)

// linkBase returns the origin in the links that are handed out: the first of
// the node's own public one, its front node's, and the page on this computer.
func linkBase(cfg Config, here string) string {
	switch {
	case cfg.HTTP.PublicURL != "":
		return cfg.HTTP.PublicURL
	case cfg.Practice.FrontURL != "":
		return cfg.Practice.FrontURL
	}
	return here
}

// local reports whether links work on this computer only.
func (p *pages) local() bool {
	u, err := url.Parse(p.links)
	return err == nil && isLoopbackHost(u.Hostname())
}

func (p *pages) Info(ctx context.Context, practitioner string) (api.Info, error) {
	info, err := p.practice.Info(ctx)
	if err != nil {
		return api.Info{}, err
	}
	answer := api.Info{Practice: info.Name, Practitioners: info.Practitioners}
	if practitioner != "" {
		who, err := p.practitioner(ctx, practitioner)
		if err != nil {
			return api.Info{}, err
		}
		answer.Name = who.Name
	}
	return answer, nil
}

// practitioner returns who signed in, if they are still one.
func (p *pages) practitioner(ctx context.Context, id string) (practice.Practitioner, error) {
	who, err := p.practice.Practitioner(ctx, id)
	if errors.Is(err, practice.ErrNotFound) {
		return who, wire.ErrUnauthorized
	}
	return who, err
}

func (p *pages) SetUp(ctx context.Context, s api.SetUp) (string, error) {
	who, err := p.practice.SetUp(ctx, practice.SetUp{Practice: s.Practice, Name: s.Name, Password: s.Password})
	return who.ID, readable(err)
}

func (p *pages) Account(ctx context.Context, name string) (string, error) {
	account, err := p.practice.Account(ctx, name)
	return account, readable(err)
}

func (p *pages) SignIn(ctx context.Context, name, password string) (string, error) {
	who, err := p.practice.Authenticate(ctx, name, password)
	if errors.Is(err, practice.ErrWrongPassword) {
		return "", wire.ErrUnauthorized
	}
	return who.ID, readable(err)
}

func (p *pages) Desk(ctx context.Context, practitioner string) (api.Desk, error) {
	info, err := p.Info(ctx, practitioner)
	if err != nil {
		return api.Desk{}, err
	}
	list, err := p.list(ctx, practitioner, false)
	if err != nil {
		return api.Desk{}, err
	}
	return api.Desk{
		Now:          p.practice.Now().Unix(),
		Practice:     info.Practice,
		Practitioner: info.Name,
		Appointments: list,
		Reach:        p.reach(),
		Relay:        p.node.HasRelay(),
		Report:       p.report(),
	}, nil
}

// list returns a practitioner's appointments from the beginning of this day,
// or all that are still kept, without their links.
func (p *pages) list(ctx context.Context, practitioner string, all bool) ([]api.Appointment, error) {
	now := p.practice.Now()
	var from time.Time
	if !all {
		from = time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	}
	list, err := p.practice.Appointments(ctx, practitioner, from, time.Time{})
	if err != nil {
		return nil, err
	}
	shown := make([]api.Appointment, len(list))
	for i, a := range list {
		shown[i] = p.shown(a, now)
		for j := range shown[i].Guests {
			shown[i].Guests[j].URL = "" // it is asked for when it is needed
		}
	}
	return shown, nil
}

func (p *pages) reach() api.Reach {
	if p.local() {
		return api.Reach{Kind: "local", Text: "Links work on this computer only."}
	}
	if p.certs != nil {
		if s := p.certs.Status(); s.Alert && !s.NotAfter.After(time.Now()) {
			return api.Reach{Kind: "public", Text: fmt.Sprintf("Patients cannot open your links: %s has no valid certificate.", p.links)}
		} else if s.Alert {
			return api.Reach{Kind: "public", Text: fmt.Sprintf("Links open at %s, whose certificate ends soon and is not renewed.", p.links)}
		}
	}
	return api.Reach{Kind: "public", Text: fmt.Sprintf("Links open at %s.", p.links)}
}

// shown returns a as the diary shows it at now.
func (p *pages) shown(a practice.Appointment, now time.Time) api.Appointment {
	state := a.State(now)
	live := p.node.Seats(a.ID)
	shown := api.Appointment{
		ID:      a.ID,
		Label:   a.Label,
		Starts:  a.Starts.Unix(),
		Ends:    a.Ends().Unix(),
		Opens:   a.Opens().Unix(),
		Closes:  a.Closes().Unix(),
		State:   shownState(state, live),
		Test:    a.Test,
		Hidden:  a.RelayOnly,
		Damaged: a.Damaged,
		Guests:  make([]api.Guest, len(a.Invites)),
	}
	if state == practice.StateDamaged {
		shown.Starts, shown.Ends, shown.Opens, shown.Closes = 0, 0, 0, 0
	}
	for i, inv := range a.Invites {
		g := api.Guest{Member: inv.Member, Label: inv.Label, State: guestState(inv.State, live[inv.Member]), Damaged: inv.Damaged}
		if last, ok := p.node.Tested(inv.Member); ok {
			g.Tested = last.Path
		}
		if inv.Link != nil && (state == practice.StateEarly || state == practice.StateOpen) {
			g.URL, g.Link, g.Local = inv.Link.URL(p.links), true, p.local()
		}
		shown.Guests[i] = g
	}
	return shown
}

// shownState is an appointment's state in the diary. A room that the window has
// closed upon stays open to the practitioner until its guests have gone.
func shownState(state practice.State, live map[wire.MemberID]wire.SeatState) string {
	if state == practice.StateEnded && len(live) > 0 {
		return string(practice.StateOpen)
	}
	return string(state)
}

// guestState says where a guest is. The store remembers who holds a seat also
// while they are away; only who is here now waits or is in a call.
func guestState(stored practice.InviteState, live wire.SeatState) string {
	switch {
	case stored == practice.InviteRevoked || stored == practice.InviteDamaged:
	case live == wire.SeatWaiting:
		return string(practice.InviteWaiting)
	case live == wire.SeatAdmitted || live == wire.SeatHeld:
		return string(practice.InviteAdmitted)
	case stored == practice.InviteWaiting:
		return string(practice.InviteUnused)
	case stored == practice.InviteAdmitted:
		return string(practice.InviteUsed)
	}
	return string(stored)
}

func (p *pages) CreateAppointment(ctx context.Context, practitioner string, n api.NewAppointment) (api.Appointment, error) {
	if _, err := p.practitioner(ctx, practitioner); err != nil {
		return api.Appointment{}, err
	}
	guests := make([]string, len(n.Guests))
	for i, g := range n.Guests {
		guests[i] = g.Label
	}
	a, err := p.node.Create(ctx, practitioner, practice.New{
		Starts: time.Unix(n.Starts, 0), Minutes: n.Minutes, Label: n.Label, Guests: guests, RelayOnly: n.HideAddresses,
	})
	if err != nil {
		return api.Appointment{}, readable(err)
	}
	return p.shown(a, p.practice.Now()), nil
}

func (p *pages) TestCall(ctx context.Context, practitioner string) (api.Appointment, error) {
	if _, err := p.practitioner(ctx, practitioner); err != nil {
		return api.Appointment{}, err
	}
	a, err := p.node.TestCall(ctx, practitioner, p.here)
	if err != nil {
		return api.Appointment{}, readable(err)
	}
	return p.shown(a, p.practice.Now()), nil
}

// own returns one of the practitioner's appointments.
func (p *pages) own(ctx context.Context, practitioner, id string) (practice.Appointment, error) {
	if _, err := p.practitioner(ctx, practitioner); err != nil {
		return practice.Appointment{}, err
	}
	a, err := p.practice.Appointment(ctx, id)
	if err == nil && a.Practitioner != practitioner {
		err = practice.ErrNotFound
	}
	return a, readable(err)
}

// ownInvite fails unless m is a guest of the practitioner.
func (p *pages) ownInvite(ctx context.Context, practitioner string, m wire.MemberID) error {
	if _, err := p.practitioner(ctx, practitioner); err != nil {
		return err
	}
	list, err := p.practice.Appointments(ctx, practitioner, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	for _, a := range list {
		for _, inv := range a.Invites {
			if inv.Member == m {
				return nil
			}
		}
	}
	return readable(practice.ErrNotFound)
}

func (p *pages) Cancel(ctx context.Context, practitioner, appointment string) error {
	if _, err := p.own(ctx, practitioner, appointment); err != nil {
		return err
	}
	return readable(p.node.Cancel(ctx, appointment))
}

func (p *pages) Links(ctx context.Context, practitioner, appointment string) ([]api.Link, error) {
	a, err := p.reveal(ctx, practitioner, appointment)
	if err != nil {
		return nil, err
	}
	links := []api.Link{}
	for _, g := range a.Guests {
		if g.URL != "" {
			links = append(links, api.Link{Member: g.Member, Label: g.Label, URL: g.URL})
		}
	}
	return links, nil
}

// reveal returns one of the practitioner's appointments with its links, and
// notes that they were shown.
func (p *pages) reveal(ctx context.Context, practitioner, id string) (api.Appointment, error) {
	a, err := p.own(ctx, practitioner, id)
	if err != nil {
		return api.Appointment{}, err
	}
	shown := p.shown(a, p.practice.Now())
	for _, g := range shown.Guests {
		if g.URL == "" {
			continue
		}
		e := practice.Entry{Event: practice.EventShowLink, By: practitioner, Appointment: id, Member: g.Member}
		if err := p.practice.Record(ctx, e); err != nil {
			return api.Appointment{}, readable(err)
		}
	}
	return shown, nil
}

func (p *pages) Revoke(ctx context.Context, practitioner string, m wire.MemberID) error {
	if err := p.ownInvite(ctx, practitioner, m); err != nil {
		return err
	}
	return readable(p.node.Revoke(ctx, m))
}

func (p *pages) Rotate(ctx context.Context, practitioner string, m wire.MemberID) (api.Link, error) {
	if err := p.ownInvite(ctx, practitioner, m); err != nil {
		return api.Link{}, err
	}
	inv, err := p.node.Rotate(ctx, m)
	if err != nil {
		return api.Link{}, readable(err)
	}
	return api.Link{Member: inv.Member, Label: inv.Label, URL: inv.Link.URL(p.links)}, nil
}

func (p *pages) Watch() (<-chan struct{}, func()) { return p.node.Watch() }

func (p *pages) Join(ctx context.Context, conn wire.Conn, from netip.Addr, public bool) error {
	return p.node.Join(ctx, conn, from, public)
}

func (p *pages) Attend(ctx context.Context, conn wire.Conn, practitioner string, a *wire.Attend) error {
	return p.node.Attend(ctx, conn, practitioner, a)
}

func (p *pages) Expects(appointment string) bool { return p.node.Expects(appointment) }

// Doctor looks at what patients need to reach the node, and at nothing of any
// practitioner's.
func (p *pages) Doctor(ctx context.Context, practitioner string) (api.Report, error) {
	if _, err := p.practitioner(ctx, practitioner); err != nil {
		return api.Report{}, err
	}
	found, err := look(ctx, p.rounds)
	return shownReport(found), err
}

// report is what the doctor found last; nil: the first look is under way.
func (p *pages) report() *api.Report {
	found, ok := p.rounds.Latest()
	if !ok {
		return nil
	}
	report := shownReport(found)
	return &report
}

func shownReport(found doctor.Report) api.Report {
	report := api.Report{
		Line: found.Line(), Summary: found.Summary, Ready: found.Ready, Confirmed: found.Confirmed,
		At: found.Checked.Unix(), Checks: make([]api.Check, len(found.Checks)),
	}
	for i, c := range found.Checks {
		report.Checks[i] = api.Check{ID: c.ID, Title: c.Title, Status: string(c.Status), Finding: c.Finding, Todo: c.Todo}
	}
	return report
}

// Card returns the node's peer card under the practice's name.
func (p *pages) Card(ctx context.Context) (string, error) {
	info, err := p.practice.Info(ctx)
	if err != nil {
		return "", err
	}
	card, err := p.discovery.Card(info.Name)
	if errors.Is(err, discovery.ErrBadCard) { // a name that pages can show and terminals cannot
		return p.discovery.Card("")
	}
	return card, err
}

// signIns are the practice's sessions, whose errors a person can read. The
// practice's own methods are not among its: scs would prefer those with a context.
type signIns struct{ of httpui.SessionStore }

func (s signIns) Find(token string) ([]byte, bool, error) {
	data, ok, err := s.of.Find(token)
	return data, ok, readable(err)
}

func (s signIns) Commit(token string, data []byte, expiry time.Time) error {
	return readable(s.of.Commit(token, data, expiry))
}

func (s signIns) Delete(token string) error { return readable(s.of.Delete(token)) }

func (s signIns) All() (map[string][]byte, error) {
	all, err := s.of.All()
	return all, readable(err)
}

// readable returns err in the words for a practitioner, if there are any.
func readable(err error) error {
	if invalid, ok := errors.AsType[*practice.InvalidError](err); ok {
		return &api.Refusal{Code: wire.CodeBadMessage, Sentence: invalid.Message}
	}
	switch {
	case errors.Is(err, practice.ErrNotFound):
		return &api.Refusal{Code: wire.CodeNotFound, Sentence: "There is no such appointment or link."}
	case errors.Is(err, wire.ErrEnded):
		return &api.Refusal{Code: wire.CodeEnded, Sentence: "This appointment is over, so there is nothing to renew."}
	case errors.Is(err, practice.ErrAlreadySetUp):
		return &api.Refusal{Code: wire.CodeUnauthorized, Sentence: "This practice has been set up already."}
	case errors.Is(err, practice.ErrUnreadable):
		return &api.Refusal{Code: wire.CodeInternal, Sentence: "The record of this appointment is damaged: cancel it, and make a new one."}
	case errors.Is(err, practice.ErrFull):
		return &api.Refusal{Code: wire.CodeNoStorage, Sentence: "The disk that the records are on is full: make room there, and try again."}
	case errors.Is(err, practice.ErrUnwritable):
		return &api.Refusal{Code: wire.CodeNoStorage, Sentence: "The disk that the records are on cannot be written to: see whether it is connected, whole and not read-only."}
	case errors.Is(err, practice.ErrDamaged):
		return &api.Refusal{Code: wire.CodeInternal, Sentence: "The database with the records is damaged: “anteroom doctor” says what to do."}
	case errors.Is(err, node.ErrNoEcho):
		return &api.Refusal{Code: wire.CodeNotFound, Sentence: "This node makes no test calls."}
	case errors.Is(err, node.ErrEchoFailed):
		return &api.Refusal{Code: wire.CodeTimeout, Sentence: "The test call could not start: “Echo” did not come. Anteroom’s log says why."}
	}
	return err
}
