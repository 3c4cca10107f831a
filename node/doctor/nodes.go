package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"anteroom/discovery"
	"anteroom/rendezvous/invite"
)

// dhtTime is what the DHT may take of a run.
const dhtTime = 9 * time.Second

// maxNamed is how many peers a sentence names: as many as fit on a line or two.
const maxNamed = 4

// dht puts a record under a key that nobody else has, and looks it up.
func (r *run) dht(ctx context.Context) finding {
	if len(r.known()) == 0 {
		return skip(say("doctor.dht.none"), none)
	}
	if earlier, ok := r.earlier["dht"]; ok {
		return earlier
	}
	whole := ctx // of the run, which may end before a node of the DHT could answer
	ctx, cancel := context.WithTimeout(ctx, dhtTime)
	defer cancel()
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	key := invite.NewRendezvousKey(&secret)
	now := time.Now()
	replica := key.Replica(key.Epochs(now)[0], 0)
	record, err := invite.SealRecord(replica, now, nil, 0) // of nobody
	if err != nil {
		return warn(say("doctor.dht.no-record", args{"problem": clause(err.Error())}), say("doctor.dht.no-record.todo"))
	}
	todo := say("doctor.dht.todo")
	ack, err := r.Discovery.Publish(ctx, replica.Name(), record)
	switch {
	case whole.Err() != nil:
		return outOfTime
	case errors.Is(err, discovery.ErrNoPeers):
		return warn(say("doctor.dht.silent"), todo)
	case late(err):
		return outOfTime
	case err != nil && ack.Stored < ack.Answered:
		return warn(say("doctor.dht.few", args{"all": ack.Answered, "n": ack.Stored}), todo)
	}
	if err == nil { // else nobody has it who said so
		err = r.Discovery.Search(ctx, []discovery.Query{{Name: replica.Name()}}, func(_ int, found []byte) bool {
			_, err := invite.OpenRecord(replica, found, now)
			return err == nil
		})
	}
	if err != nil {
		return warn(say("doctor.dht.lost", args{"n": ack.Stored}), todo)
	}
	return pass(say("doctor.dht.good", args{"n": ack.Stored}))
}

func (r *run) peers(context.Context) finding {
	var known, missing []string
	for _, p := range r.known() {
		if p.Bootstrap { // not kept connected
			continue
		}
		name := p.Name
		if name == "" {
			id := p.ID.String()
			name = "…" + id[len(id)-6:]
		}
		known = append(known, name)
		if !p.Connected {
			missing = append(missing, name)
		}
	}
	switch {
	case len(known) == 0:
		return skip(say("doctor.peers.none"), none)
	case len(missing) == 0:
		return pass(say("doctor.peers.good", args{"n": len(known)}))
	}
	is := args{"all": len(known), "peers": missing[:min(len(missing), maxNamed)], "more": max(len(missing)-maxNamed, 0)}
	return warn(say("doctor.peers.missing", is), say("doctor.peers.missing.todo"))
}

// front is about the nodes through which patients come to this one.
func (r *run) front(context.Context) finding {
	switch {
	case len(r.Fronts) > 0:
		return r.passedFrom()
	case r.FrontURL == "":
		return skip(say("doctor.front.none"), none)
	}
	for _, p := range r.known() {
		if p.Connected && slices.Contains(r.Nodes, p.ID) {
			return pass(say("doctor.front.finds", args{"url": r.FrontURL}))
		}
	}
	return fail(say("doctor.front.gone", args{"url": r.FrontURL}), say("doctor.front.gone.todo"))
}

func (r *run) passedFrom() finding {
	connected, refused := false, false
	for _, relay := range r.Discovery.Reachability().Relays {
		if !slices.Contains(r.Fronts, relay.ID) {
			continue
		}
		if relay.Reserved && relay.Connected { // a reservation outlives its connection for a moment
			return pass(say("doctor.front.passes"))
		}
		connected, refused = connected || relay.Connected, refused || relay.Refused
	}
	switch {
	case refused:
		return fail(say("doctor.front.refuses"), say("doctor.front.refuses.todo"))
	case connected:
		return warn(say("doctor.front.not-yet"), say("doctor.again-in-a-minute"))
	}
	return fail(say("doctor.front.unconnected"), say("doctor.front.unconnected.todo"))
}
