package desk

import (
	"context"
	"time"

	"anteroom/node/desk/api"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// Desk implements api.Diary.
func (a *Access) Desk(ctx context.Context) (api.Desk, error) {
	list, err := a.List(ctx, false)
	if err != nil {
		return api.Desk{}, err
	}
	info, err := a.Info(ctx)
	if err != nil {
		return api.Desk{}, err
	}
	return api.Desk{
		Now:          a.d.practice.Now().Unix(),
		Practice:     info.Practice,
		Practitioner: info.Name,
		Appointments: list,
		Reach:        a.d.Reach(),
		Relay:        a.d.node.HasRelay(),
		Report:       a.d.report(),
	}, nil
}

// List returns appointments from the beginning of this day, or all that are
// still kept, without their links: a practitioner's own, or the operator's, which
// are everybody's.
func (a *Access) List(ctx context.Context, all bool) ([]api.Appointment, error) {
	if err := a.known(ctx); err != nil {
		return nil, err
	}
	now := a.d.practice.Now()
	var from time.Time
	if !all {
		from = time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	}
	list, err := a.read(ctx, from)
	if err != nil {
		return nil, err
	}
	shown := make([]api.Appointment, len(list))
	for i, read := range list {
		shown[i] = a.d.shown(read, now)
	}
	return shown, nil
}

// read returns the appointments whose window closes after from.
func (a *Access) read(ctx context.Context, from time.Time) ([]practice.Appointment, error) {
	if a.who.operator {
		return a.d.practice.AllAppointments(ctx, from, time.Time{})
	}
	return a.d.practice.Appointments(ctx, a.who.practitioner, from, time.Time{})
}

// Reach says who can open the links.
func (d *Desk) Reach() api.Reach {
	if d.local {
		return api.Reach{Kind: "local", Text: api.NewMessage("desk.reach.local", nil)}
	}
	code := "desk.reach.open"
	if d.certificate != nil {
		if s := d.certificate(); s.Alert && !s.NotAfter.After(time.Now()) {
			code = "desk.reach.no-certificate"
		} else if s.Alert {
			code = "desk.reach.ending"
		}
	}
	return api.Reach{Kind: "public", Text: api.NewMessage(code, api.Args{"links": d.links})}
}

// shown returns a as the diary shows it at now: without its links, which are
// asked for when they are needed.
func (d *Desk) shown(a practice.Appointment, now time.Time) api.Appointment {
	state := a.State(now)
	live := d.node.Seats(a.ID)
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
		if last, ok := d.node.Tested(inv.Member); ok {
			g.Tested = last.Path
		}
		if inv.HasLink && (state == practice.StateEarly || state == practice.StateOpen) {
			g.Link, g.Local = true, d.local
		}
		shown.Guests[i] = g
	}
	return shown
}

// withLinks returns a as the diary shows it at now, and its links with it.
func (d *Desk) withLinks(a practice.Appointment, links []practice.Issued, now time.Time) api.Appointment {
	shown := d.shown(a, now)
	for i, g := range shown.Guests {
		for _, l := range links {
			if l.Member == g.Member {
				shown.Guests[i].URL = l.Link.URL(d.links)
			}
		}
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
