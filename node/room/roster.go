package room

import "anteroom/rendezvous/wire"

// Who hears of whom, and what.

// introduceLocked gives a and b what they need to recognise each other, if
// they may know of each other now. Two guests get a fresh pair key.
func (r *Room) introduceLocked(a, b *seat) {
	if a == nil || b == nil || a.link == nil || b.link == nil {
		return
	}
	if a.Role == wire.RoleHost {
		a, b = b, a
	}
	if b.Role == wire.RoleHost {
		r.tellLocked(b, introduction(a, b, a.Key, a.Hash))
		if a.state != wire.SeatWaiting {
			r.tellLocked(a, introduction(b, a, a.Key, a.Hash))
			return
		}
		if a.offer != nil {
			r.tellLocked(b, a.offer)
		}
		for _, c := range a.candidates {
			r.tellLocked(b, c)
		}
		return
	}
	if a.state == wire.SeatWaiting || b.state == wire.SeatWaiting {
		return
	}
	key, hash := random(), random()
	r.tellLocked(a, introduction(b, a, key, hash))
	r.tellLocked(b, introduction(a, b, key, hash))
}

// introduction is what `to` hears of `of`. The practitioner, or of two guests
// the one admitted first, is "H" and impolite.
func introduction(of, to *seat, key, hash []byte) *wire.Introduce {
	role := "P"
	if to.Role == wire.RoleHost || of.Role == wire.RoleGuest && to.order < of.order {
		role = "H"
	}
	return &wire.Introduce{
		Member: of.Member, Role: role, Polite: role == "P",
		Fingerprint: of.Fingerprint, Key: key, Hash: hash,
	}
}

// rosterLocked tells everyone who may know who is here.
func (r *Room) rosterLocked() {
	all := wire.Roster{Members: []wire.RosterEntry{}, Locked: r.locked}
	inside := wire.Roster{Members: []wire.RosterEntry{}, Locked: r.locked}
	for _, s := range r.seats {
		if s.state == wire.SeatWaiting && s.link == nil {
			continue
		}
		entry := wire.RosterEntry{
			Member: s.Member, Role: s.Role, State: s.state, Name: s.Name, Label: s.Label,
			Since: s.since.Unix(), Alarm: s.alarm,
		}
		if s.link == nil && s.state == wire.SeatAdmitted {
			entry.State = wire.SeatAway // who is held stays held
		}
		all.Members = append(all.Members, entry)
		if s.state == wire.SeatWaiting {
			continue
		}
		if s.Role == wire.RoleGuest {
			entry.Name = "" // guests are told what the practice calls the others
		}
		entry.Alarm = false
		inside.Members = append(inside.Members, entry)
	}
	for _, s := range r.seats {
		switch {
		case s.Role == wire.RoleHost:
			r.tellLocked(s, &all)
		case s.state != wire.SeatWaiting:
			r.tellLocked(s, &inside)
		}
	}
}
