package practice

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"anteroom/node/store"
	"anteroom/rendezvous/invite"
	"anteroom/rendezvous/wire"
)

// An Invite is one guest's seat at an appointment, as the diary shows it.
type Invite struct {
	Member wire.MemberID // 16 hex digits; a rotated invite is another member
	Label  string        // may be empty
	State  InviteState
	// Damaged says that something of it cannot be read. Then what can be read is
	// here, and a new link may be all that is needed.
	Damaged bool
	// HasLink says that there is one to be shown: it was not revoked, and the
	// window closed less than a day ago.
	HasLink bool
}

// An Issued is an invite with the link that its guest is sent, which is the
// secret itself.
type Issued struct {
	Invite
	Link invite.Link
}

// An InviteState is what has become of an invite.
type InviteState string

const (
	InviteUnused   InviteState = "unused"
	InviteWaiting  InviteState = "waiting"  // a device holds the seat
	InviteAdmitted InviteState = "admitted" // and was let in
	InviteUsed     InviteState = "used"     // was let in and has left
	InviteRevoked  InviteState = "revoked"
	InviteDamaged  InviteState = "damaged" // nobody can tell; nobody gets in
)

// seatState is what is stored of a seat.
type seatState struct {
	revoked, admitted, used bool
	held                    bool   // admitted, and put aside for now
	rotated                 bool   // revoked, and another link took its place
	resume                  []byte // SHA-256 of the resume token of the device that holds it; empty: nobody
}

func (s seatState) bound() bool { return len(s.resume) > 0 }

func (s seatState) public() InviteState {
	switch {
	case s.revoked:
		return InviteRevoked
	case s.admitted:
		return InviteAdmitted
	case s.bound():
		return InviteWaiting
	case s.used:
		return InviteUsed
	}
	return InviteUnused
}

const (
	seatVersion  = 1
	seatRevoked  = 1 << 0
	seatAdmitted = 1 << 1
	seatUsed     = 1 << 2
	seatHeld     = 1 << 3
	seatRotated  = 1 << 4
)

// encode returns version | flags | resume hash, if the seat is held.
func (s seatState) encode() []byte {
	var flags byte
	for flag, set := range map[byte]bool{seatRevoked: s.revoked, seatAdmitted: s.admitted, seatUsed: s.used, seatHeld: s.held, seatRotated: s.rotated} {
		if set {
			flags |= flag
		}
	}
	return append([]byte{seatVersion, flags}, s.resume...)
}

func decodeSeat(b []byte) (seatState, error) {
	if (len(b) != 2 && len(b) != 2+sha256.Size) || b[0] != seatVersion {
		return seatState{}, errors.New("decode seat: not one of ours")
	}
	return seatState{
		revoked:  b[1]&seatRevoked != 0,
		admitted: b[1]&seatAdmitted != 0,
		used:     b[1]&seatUsed != 0,
		held:     b[1]&seatHeld != 0,
		rotated:  b[1]&seatRotated != 0,
		resume:   b[2:],
	}, nil
}

// inviteRow is an invite as it is stored. Its place is bound to the
// appointment, so that it cannot be moved to one that is open.
type inviteRow struct {
	member      wire.MemberID
	appointment string
	position    int
	label, seat []byte
	rid         []byte // blind index; like key and host, nil once shredded
	key         []byte // the invite's own key, sealed under the store's
	link        []byte // under the invite's key; nil once revoked or shredded
	host        []byte // under the invite's key
}

// A damaged file may hold anything in any column; it must not end a list.
const inviteColumns = "CAST(ifnull(i.member, '') AS TEXT), CAST(ifnull(i.appointment, '') AS TEXT), CAST(ifnull(i.position, 0) AS INTEGER), " +
	"i.label, i.seat, i.rid, i.key, i.link, i.host"

func (r *inviteRow) fields() []any {
	return []any{&r.member, &r.appointment, &r.position, &r.label, &r.seat, &r.rid, &r.key, &r.link, &r.host}
}

func (r *inviteRow) place(column string) store.Cell {
	return store.Cell{Table: "invite", Column: column, Row: r.appointment + "/" + string(r.member)}
}

// newInvite makes an invite and the row it is stored as.
func (p *Practice) newInvite(appointment string, position int, label string) (Issued, inviteRow, error) {
	made, err := invite.New()
	if err != nil {
		return Issued{}, inviteRow{}, err
	}
	r := inviteRow{member: wire.MemberID(store.NewID(8)), appointment: appointment, position: position}
	if err := p.sealInvite(&r, label, made); err != nil {
		return Issued{}, inviteRow{}, err
	}
	return Issued{Invite{Member: r.member, Label: label, State: InviteUnused, HasLink: true}, made.Link}, r, nil
}

func (p *Practice) sealInvite(r *inviteRow, label string, made invite.Invite) error {
	host, err := made.Host.MarshalBinary()
	if err != nil {
		return err
	}
	defer clear(host)
	key := make([]byte, store.KeySize)
	rand.Read(key) // never fails
	defer clear(key)
	own, err := store.NewSealer(key)
	if err != nil {
		return err
	}
	rid := made.Host.Rendezvous.RID()
	r.label = p.store.Seal(r.place("label"), []byte(label))
	r.seat = p.store.Seal(r.place("seat"), seatState{}.encode())
	r.rid = p.ridIndex(rid)
	r.key = p.store.Seal(r.place("key"), key)
	r.link = own.Seal(r.place("link"), []byte(made.Link.Payload()))
	r.host = own.Seal(r.place("host"), host)
	return nil
}

func (p *Practice) ridIndex(rid [32]byte) []byte { return p.store.Index("invite.rid", rid[:]) }

// openSeat returns the state of the seat.
func (p *Practice) openSeat(r inviteRow) (seatState, error) {
	plain, err := p.store.Unseal(r.place("seat"), r.seat)
	if err != nil {
		return seatState{}, err
	}
	return decodeSeat(plain)
}

// openLabel returns what the guest is called.
func (p *Practice) openLabel(r inviteRow) (label string, err error) {
	plain, err := p.store.Unseal(r.place("label"), r.label)
	return string(plain), err
}

// ownSealer returns the invite's own, which is gone once it is shredded.
func (p *Practice) ownSealer(r inviteRow) (store.Sealer, error) {
	key, err := p.store.Unseal(r.place("key"), r.key)
	if err != nil {
		return store.Sealer{}, err
	}
	defer clear(key)
	return store.NewSealer(key)
}

// openHost returns the host's keys, or ErrNotFound if they are shredded.
func (p *Practice) openHost(r inviteRow) (*invite.HostKeys, error) {
	if r.key == nil {
		return nil, ErrNotFound
	}
	own, err := p.ownSealer(r)
	if err != nil {
		return nil, err
	}
	plain, err := own.Unseal(r.place("host"), r.host)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	keys := new(invite.HostKeys)
	return keys, keys.UnmarshalBinary(plain)
}

// openInvite returns the invite as the diary shows it, or what can be read of
// it. It opens neither the link nor the host's keys: what is the matter with
// those was found before.
func (p *Practice) openInvite(r inviteRow) Invite {
	inv := Invite{Member: r.member, State: InviteDamaged}
	s, seatErr := p.openSeat(r)
	if seatErr == nil {
		inv.State = s.public()
	}
	var labelErr error
	inv.Label, labelErr = p.openLabel(r)
	harm := p.harms.of(r)
	inv.HasLink = r.link != nil && !harm.link
	inv.Damaged = seatErr != nil || labelErr != nil || harm.host || harm.link && !s.revoked
	return inv
}

// checkHost fails if whoever has the link would not be found or understood.
func (p *Practice) checkHost(r inviteRow) error {
	if r.rid == nil && r.key == nil && r.host == nil {
		return nil // shredded
	}
	keys, err := p.openHost(r)
	if err == nil && !bytes.Equal(p.ridIndex(keys.Rendezvous.RID()), r.rid) {
		err = ErrUnreadable
	}
	return err
}

// openLink returns what the guest is sent; nil if it was revoked or shredded.
func (p *Practice) openLink(r inviteRow, s seatState) (*invite.Link, error) {
	if r.link == nil && (s.revoked || r.key == nil) {
		return nil, nil
	}
	own, err := p.ownSealer(r)
	if err != nil {
		return nil, err
	}
	payload, err := own.Unseal(r.place("link"), r.link)
	if err != nil {
		return nil, err
	}
	link, err := invite.ParseLink(string(payload))
	if err != nil {
		return nil, fmt.Errorf("read link: %w", err)
	}
	return &link, nil
}
