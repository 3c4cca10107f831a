package desk

import (
	"context"
	"time"

	"anteroom/node/desk/api"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

func (d *Desk) CreateAppointment(ctx context.Context, practitioner string, n api.NewAppointment) (api.Appointment, error) {
	if _, err := d.practitioner(ctx, practitioner); err != nil {
		return api.Appointment{}, err
	}
	guests := make([]string, len(n.Guests))
	for i, g := range n.Guests {
		guests[i] = g.Label
	}
	a, err := d.create(ctx, practitioner, practice.New{
		Starts: time.Unix(n.Starts, 0), Minutes: n.Minutes, Label: n.Label, Guests: guests, RelayOnly: n.HideAddresses,
	})
	if err != nil {
		return api.Appointment{}, Readable(err)
	}
	return d.withLinks(a.Appointment, a.Links, d.practice.Now()), nil
}

func (d *Desk) TestCall(ctx context.Context, practitioner string) (api.Appointment, error) {
	if _, err := d.practitioner(ctx, practitioner); err != nil {
		return api.Appointment{}, err
	}
	a, err := d.testCall(ctx, practitioner)
	if err != nil {
		return api.Appointment{}, Readable(err)
	}
	return d.withLinks(a.Appointment, a.Links, d.practice.Now()), nil
}

// own returns one of the practitioner's appointments.
func (d *Desk) own(ctx context.Context, practitioner, id string) (practice.Appointment, error) {
	if _, err := d.practitioner(ctx, practitioner); err != nil {
		return practice.Appointment{}, err
	}
	a, err := d.practice.Appointment(ctx, id)
	if err == nil && a.Practitioner != practitioner {
		err = practice.ErrNotFound
	}
	return a, Readable(err)
}

// ownInvite fails unless m is a guest of the practitioner.
func (d *Desk) ownInvite(ctx context.Context, practitioner string, m wire.MemberID) error {
	if _, err := d.practitioner(ctx, practitioner); err != nil {
		return err
	}
	owner, err := d.practice.InviteOwner(ctx, m)
	if err == nil && owner != practitioner {
		err = practice.ErrNotFound
	}
	return Readable(err)
}

func (d *Desk) Cancel(ctx context.Context, practitioner, appointment string) error {
	if _, err := d.own(ctx, practitioner, appointment); err != nil {
		return err
	}
	return Readable(d.node.Cancel(ctx, appointment))
}

func (d *Desk) Links(ctx context.Context, practitioner, appointment string) ([]api.Link, error) {
	if _, err := d.own(ctx, practitioner, appointment); err != nil {
		return nil, err
	}
	links, err := d.practice.Links(ctx, practitioner, appointment)
	if err != nil {
		return nil, Readable(err)
	}
	shown := make([]api.Link, len(links))
	for i, l := range links {
		shown[i] = d.link(l)
	}
	return shown, nil
}

// link returns l as a page shows it.
func (d *Desk) link(l practice.Issued) api.Link {
	return api.Link{Member: l.Member, Label: l.Label, URL: l.Link.URL(d.links)}
}

// Reveal returns one of the practitioner's appointments with its links, and
// notes that they were shown.
func (d *Desk) Reveal(ctx context.Context, practitioner, id string) (api.Appointment, error) {
	if _, err := d.own(ctx, practitioner, id); err != nil {
		return api.Appointment{}, err
	}
	links, err := d.practice.Links(ctx, practitioner, id)
	if err != nil {
		return api.Appointment{}, Readable(err)
	}
	a, err := d.practice.Appointment(ctx, id) // with what of the links was found damaged
	if err != nil {
		return api.Appointment{}, Readable(err)
	}
	return d.withLinks(a, links, d.practice.Now()), nil
}

func (d *Desk) Revoke(ctx context.Context, practitioner string, m wire.MemberID) error {
	if err := d.ownInvite(ctx, practitioner, m); err != nil {
		return err
	}
	return Readable(d.node.Revoke(ctx, m))
}

func (d *Desk) Rotate(ctx context.Context, practitioner string, m wire.MemberID) (api.Link, error) {
	if err := d.ownInvite(ctx, practitioner, m); err != nil {
		return api.Link{}, err
	}
	inv, err := d.node.Rotate(ctx, m)
	if err != nil {
		return api.Link{}, Readable(err)
	}
	return d.link(inv), nil
}

// create makes an appointment. One that hides addresses needs a relay, or it
// is a *practice.InvalidError.
func (d *Desk) create(ctx context.Context, practitioner string, a practice.New) (practice.Made, error) {
	if a.RelayOnly && !d.node.HasRelay() {
		return practice.Made{}, &practice.InvalidError{
			Field: "hide_addresses", Message: "Addresses can only be hidden behind a relay, and this node has none: set relay.listen, or relay.borrow_from.",
		}
	}
	return d.practice.Create(ctx, practitioner, a)
}
