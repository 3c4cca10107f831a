package room

import "anteroom/rendezvous/wire"

// Who hears of whom, and what.

// introduceHostLocked has the practitioner hear of a guest, if both are here, and
// of what the guest left while waiting; who was let in hears of the practitioner.
func (r *Room) introduceHostLocked(host, guest *seat) {
	if host == nil || host.link == nil || guest.link == nil {
		return
	}
	r.tellLocked(host, introduction(guest, "H", guest.Key, guest.Hash))
	if guest.called() {
		r.tellLocked(guest, introduction(host, "P", guest.Key, guest.Hash))
		return
	}
	if guest.offer != nil {
		r.tellLocked(host, guest.offer)
	}
	for _, c := range guest.candidates {
		r.tellLocked(host, c)
	}
}

// introduceGuestLocked has a guest and all others who are in the call hear of each
// other, each two with a fresh pair key, if the guest is in it.
func (r *Room) introduceGuestLocked(s *seat) {
	for _, other := range r.guestsLocked() {
		if other == s || !s.called() || !other.called() || s.link == nil || other.link == nil {
			continue
		}
		first, second := s, other // admitted
		if other.order < s.order {
			first, second = other, s
		}
		key, hash := wire.Random(), wire.Random()
		r.tellLocked(first, introduction(second, "H", key, hash))
		r.tellLocked(second, introduction(first, "P", key, hash))
	}
}

// introduction is what somebody hears of another. The practitioner, or of two
// guests the one admitted first, is "H" and impolite.
func introduction(of *seat, role string, key, hash []byte) *wire.Introduce {
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
			Member: s.Member, Role: wire.RoleGuest, State: s.state, Name: s.Name, Label: s.Label,
			Since: s.since.Unix(), Alarm: s.alarm,
		}
		if s.Member == wire.HostID {
			entry.Role = wire.RoleHost
		}
		if s.link == nil && s.state == wire.SeatAdmitted {
			entry.State = wire.SeatAway // who is held stays held
		}
		all.Members = append(all.Members, entry)
		if s.state == wire.SeatWaiting {
			continue
		}
		if entry.Role == wire.RoleGuest {
			entry.Name = "" // guests are told what the practice calls the others
		}
		entry.Alarm = false
		inside.Members = append(inside.Members, entry)
	}
	r.tellLocked(r.hostLocked(), &all)
	for _, s := range r.guestsLocked() {
		if s.called() {
			r.tellLocked(s, &inside)
		}
	}
}
