package desk

import (
	"context"
	"errors"
	"time"

	"anteroom/node/desk/api"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// CreateAppointment implements api.Diary.
func (a *Access) CreateAppointment(ctx context.Context, n api.NewAppointment) (api.Appointment, error) {
	practitioner, err := a.Practitioner(ctx, n.Practitioner)
	if err != nil {
		return api.Appointment{}, err
	}
	guests := make([]string, len(n.Guests))
	for i, g := range n.Guests {
		guests[i] = g.Label
	}
	made, err := a.d.create(ctx, practitioner, practice.New{
		Starts: time.Unix(n.Starts, 0), Minutes: n.Minutes, Label: n.Label, Guests: guests, RelayOnly: n.HideAddresses, By: a.who.by(),
	})
	if err != nil {
		return api.Appointment{}, Readable(err)
	}
	return a.d.withLinks(made.Appointment, made.Links, a.d.practice.Now()), nil
}

// create makes an appointment. One that hides addresses needs a relay, or it
// is a *practice.InvalidError.
func (d *Desk) create(ctx context.Context, practitioner string, n practice.New) (practice.Made, error) {
	if n.RelayOnly && !d.node.HasRelay() {
		return practice.Made{}, &practice.InvalidError{Field: "hide_addresses", Message: api.NewMessage("input.hide-addresses", nil)}
	}
	return d.practice.Create(ctx, practitioner, n)
}

// TestCall implements api.Calls.
func (a *Access) TestCall(ctx context.Context) (api.Appointment, error) {
	practitioner, err := a.Practitioner(ctx, "")
	if err != nil {
		return api.Appointment{}, err
	}
	made, err := a.d.testCall(ctx, practitioner, a.who.by())
	if err != nil {
		return api.Appointment{}, Readable(err)
	}
	return a.d.withLinks(made.Appointment, made.Links, a.d.practice.Now()), nil
}

// Cancel implements api.Diary. What is nobody's, because its record is damaged,
// is in every diary, and whoever sees it may clear it away.
func (a *Access) Cancel(ctx context.Context, appointment string) error {
	err := a.mine(ctx, func(ctx context.Context) (string, error) {
		owner, err := a.d.practice.Owner(ctx, appointment)
		if err != nil {
			return "", err
		}
		_, err = a.d.practice.People.Practitioner(ctx, owner)
		if errors.Is(err, practice.ErrNotFound) {
			return a.who.practitioner, nil
		}
		return owner, err
	})
	if err == nil {
		err = a.d.node.Cancel(ctx, a.who.by(), appointment)
	}
	return Readable(err)
}

// Links implements api.Links.
func (a *Access) Links(ctx context.Context, appointment string) ([]api.Link, error) {
	links, err := a.reveal(ctx, appointment)
	shown := make([]api.Link, len(links))
	for i, l := range links {
		shown[i] = a.d.link(l)
	}
	return shown, err
}

// Show returns an appointment with its links, and notes in the audit trail that
// they were shown.
func (a *Access) Show(ctx context.Context, appointment string) (api.Appointment, error) {
	links, err := a.reveal(ctx, appointment)
	if err != nil {
		return api.Appointment{}, err
	}
	read, err := a.d.practice.Appointment(ctx, appointment) // with what of the links was found damaged
	if err != nil {
		return api.Appointment{}, Readable(err)
	}
	return a.d.withLinks(read, links, a.d.practice.Now()), nil
}

func (a *Access) reveal(ctx context.Context, appointment string) ([]practice.Issued, error) {
	if err := a.myAppointment(ctx, appointment); err != nil {
		return nil, Readable(err)
	}
	links, err := a.d.practice.Links(ctx, a.who.by(), appointment)
	return links, Readable(err)
}

// link returns l as a page shows it.
func (d *Desk) link(l practice.Issued) api.Link {
	return api.Link{Member: l.Member, Label: l.Label, URL: l.Link.URL(d.links)}
}

// Revoke implements api.Links.
func (a *Access) Revoke(ctx context.Context, m wire.MemberID) error {
	err := a.myGuest(ctx, m)
	if err == nil {
		err = a.d.node.Revoke(ctx, a.who.by(), m)
	}
	return Readable(err)
}

// Rotate implements api.Links.
func (a *Access) Rotate(ctx context.Context, m wire.MemberID) (api.Link, error) {
	if err := a.myGuest(ctx, m); err != nil {
		return api.Link{}, Readable(err)
	}
	made, err := a.d.node.Rotate(ctx, a.who.by(), m)
	if err != nil {
		return api.Link{}, Readable(err)
	}
	return a.d.link(made), nil
}
