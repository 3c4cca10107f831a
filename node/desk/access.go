package desk

import (
	"context"
	"errors"
	"strings"

	"anteroom/node/desk/api"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// An Actor is who asks. The zero Actor is nobody: a guest, or a page at which
// nobody has signed in.
type Actor struct {
	practitioner string // id
	operator     bool
}

// Practitioner is whoever has signed in under this id, which may be somebody's
// who was removed since; under an empty one, nobody.
func Practitioner(id string) Actor { return Actor{practitioner: id} }

// Operator is whoever runs the node. They see and change what is any
// practitioner's, and sit in nobody's room.
var Operator = Actor{operator: true}

// is reports whether the actor is a practitioner with this id.
func (who Actor) is(practitioner string) bool {
	return !who.operator && practitioner != "" && who.practitioner == practitioner
}

// by is what the audit trail calls the actor.
func (who Actor) by() string {
	if who.operator {
		return "operator"
	}
	return who.practitioner
}

// Access is the desk for one who asks. Who may do what is decided here: by known,
// by mine, and by what calls neither and says why.
type Access struct {
	d   *Desk
	who Actor
}

var _ api.Access = (*Access)(nil)

// As returns the desk for who. That costs nothing: who they are is looked up
// whenever they ask for something.
func (d *Desk) As(who Actor) *Access { return &Access{d, who} }

// known fails with wire.ErrUnauthorized if the actor is nobody, or nobody any more.
func (a *Access) known(ctx context.Context) error {
	if a.who.operator {
		return nil
	}
	_, err := a.d.practice.People.Practitioner(ctx, a.who.practitioner)
	if errors.Is(err, practice.ErrNotFound) {
		return wire.ErrUnauthorized
	}
	return err
}

// mine fails unless the actor is known and may have what is owner's. What is
// another's is not found, like what does not exist.
func (a *Access) mine(ctx context.Context, owner func(context.Context) (string, error)) error {
	if err := a.known(ctx); err != nil {
		return err
	}
	whose, err := owner(ctx)
	if err == nil && !a.who.operator && !a.who.is(whose) {
		err = practice.ErrNotFound
	}
	return err
}

// myAppointment is mine for an appointment.
func (a *Access) myAppointment(ctx context.Context, id string) error {
	return a.mine(ctx, func(ctx context.Context) (string, error) { return a.d.practice.Owner(ctx, id) })
}

// myGuest is mine for the guest who has an invite.
func (a *Access) myGuest(ctx context.Context, m wire.MemberID) error {
	return a.mine(ctx, func(ctx context.Context) (string, error) { return a.d.practice.InviteOwner(ctx, m) })
}

// Practitioner returns for whom the actor makes an appointment, or opens the
// page: practitioners for themselves; the operator for whom they name, or else
// for the only one there is.
func (a *Access) Practitioner(ctx context.Context, name string) (id string, err error) {
	if err := a.known(ctx); err != nil {
		return "", err
	}
	named := strings.TrimSpace(name) != ""
	if named {
		id, err = a.named(ctx, name)
		if err == nil && !a.who.operator && !a.who.is(id) {
			err = errNoPractitioner
		}
		return id, err
	}
	if !a.who.operator {
		return a.who.practitioner, nil
	}
	all, err := a.d.practice.People.Practitioners(ctx)
	switch {
	case err != nil:
		return "", err
	case len(all) == 0:
		return "", errNotSetUp
	case len(all) > 1:
		return "", errWhose
	}
	return all[0].ID, nil
}

// named returns the practitioner who is called name.
func (a *Access) named(ctx context.Context, name string) (id string, err error) {
	if id, err = a.d.practice.People.Account(ctx, name); err != nil {
		return "", err
	}
	_, err = a.d.practice.People.Practitioner(ctx, id)
	if errors.Is(err, practice.ErrNotFound) {
		err = errNoPractitioner
	}
	return id, err
}

// Info implements api.Diary.
func (a *Access) Info(ctx context.Context) (api.Info, error) {
	info, err := a.d.practice.People.Info(ctx)
	if err != nil {
		return api.Info{}, err
	}
	answer := api.Info{Practice: info.Name, Practitioners: info.Practitioners}
	if a.who.practitioner != "" {
		who, err := a.d.practice.People.Practitioner(ctx, a.who.practitioner)
		if errors.Is(err, practice.ErrNotFound) {
			err = wire.ErrUnauthorized
		}
		if err != nil {
			return api.Info{}, err
		}
		answer.Name = who.Name
	}
	return answer, nil
}

// Card implements api.Diary: the card is under the practice's name.
func (a *Access) Card(ctx context.Context) (string, error) {
	info, err := a.d.practice.People.Info(ctx)
	if err != nil {
		return "", err
	}
	return a.d.node.Card(info.Name)
}
