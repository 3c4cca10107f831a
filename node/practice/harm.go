package practice

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"anteroom/rendezvous/wire"
)

// A harm says what of an invite does not open although it should.
type harm struct {
	link bool // what the guest is sent
	host bool // what whoever has the link is found and understood by
}

// A harmList is the invites that were found damaged where the diary does not look:
// listing appointments opens no link. They are looked for when a Practice is
// opened, whenever it is checked, and when a link is to be shown.
type harmList struct {
	mu sync.Mutex
	by map[wire.MemberID]harmed
}

// harmed is a harm of what was stored when it was found.
type harmed struct {
	harm
	stored [sha256.Size]byte
}

// of returns what is known to be damaged of r, as it is stored.
func (h *harmList) of(r inviteRow) harm {
	h.mu.Lock()
	found, ok := h.by[r.member]
	h.mu.Unlock()
	if !ok || found.stored != r.digest() {
		return harm{}
	}
	return found.harm
}

// note adds what was found of r.
func (h *harmList) note(r inviteRow, found harm) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil {
		h.by = make(map[wire.MemberID]harmed)
	}
	if found == (harm{}) {
		delete(h.by, r.member)
		return
	}
	h.by[r.member] = harmed{found, r.digest()}
}

// digest is of the columns that the diary does not open.
func (r *inviteRow) digest() [sha256.Size]byte {
	var all []byte
	for _, column := range [][]byte{r.rid, r.key, r.link, r.host} {
		all = binary.BigEndian.AppendUint64(all, uint64(len(column)))
		all = append(all, column...)
	}
	return sha256.Sum256(all)
}

// lookForHarm opens what the diary does not open of r, and remembers whether it
// can be opened.
func (p *Practice) lookForHarm(r inviteRow) harm {
	s, _ := p.openSeat(r) // the diary tells of a seat that is lost
	_, linkErr := p.openLink(r, s)
	found := harm{link: linkErr != nil, host: p.checkHost(r) != nil}
	p.harms.note(r, found)
	return found
}
