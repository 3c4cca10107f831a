package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"anteroom/discovery"
	"anteroom/rendezvous/invite"
)

// dhtTime is what the DHT may take of a run.
const dhtTime = 9 * time.Second

// dht puts a record under a key that nobody else has, and looks it up.
func (r *run) dht(ctx context.Context) finding {
	if len(r.known()) == 0 {
		return skip("No other node is known, so there is no DHT to be found in.", "")
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
		return warn("No record could be made: "+sentence(err.Error()), "See whether the clock is right.")
	}
	const todo = "Name more nodes that are servers in discovery.bootstrap or discovery.peers, and see that they run."
	ack, err := r.Discovery.Publish(ctx, replica.Name(), record)
	switch {
	case whole.Err() != nil:
		return outOfTime
	case errors.Is(err, discovery.ErrNoPeers):
		return warn("No node of the DHT answers, so guests who come through nodes that are no peers do not find this one.", todo)
	case late(err):
		return outOfTime
	case err != nil && ack.Stored < ack.Answered:
		return warn(fmt.Sprintf("Of %d nodes of the DHT only %d kept a record.", ack.Answered, ack.Stored), todo)
	}
	if err == nil { // else nobody has it who said so
		err = r.Discovery.Search(ctx, []discovery.Query{{Name: replica.Name()}}, func(_ int, found []byte) bool {
			_, err := invite.OpenRecord(replica, found, now)
			return err == nil
		})
	}
	if err != nil {
		return warn(fmt.Sprintf("%s of the DHT kept a record, but it was not found again.", count(ack.Stored, "One node", "%d nodes")), todo)
	}
	return pass(fmt.Sprintf("%s of the DHT kept a record, and it was found again.", count(ack.Stored, "One node", "%d nodes")))
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
		return skip("This node has no peers.", "")
	case len(missing) == 0:
		return pass(fmt.Sprintf("%s connected.", count(len(known), "The only peer is", "All %d peers are")))
	}
	const todo = "Ask whether they run, and whether their peer cards have changed."
	if len(missing) > 4 {
		missing = append(missing[:4], "others")
	}
	return warn(fmt.Sprintf("Of %d peers these are not connected: %s.", len(known), strings.Join(missing, ", ")), todo)
}

// front is about the nodes through which patients come to this one.
func (r *run) front(context.Context) finding {
	switch {
	case len(r.Fronts) > 0:
		return r.passedFrom()
	case r.FrontURL == "":
		return skip("Patients come to this node directly, or not at all.", "")
	}
	for _, p := range r.known() {
		if p.Connected && slices.Contains(r.Nodes, p.ID) {
			return pass("A node of the practice is connected, and finds this one for patients at " + r.FrontURL + ".")
		}
	}
	return fail("The node at "+r.FrontURL+" is not connected, so it does not find this one.", "See that it runs, and that each has the other's peer card in practice.nodes.")
}

func (r *run) passedFrom() finding {
	connected, refused := false, false
	for _, relay := range r.Discovery.Reachability().Relays {
		if !slices.Contains(r.Fronts, relay.ID) {
			continue
		}
		if relay.Reserved && relay.Connected { // a place outlives its connection for a moment
			return pass("The public node is connected, and passes patients on to this one.")
		}
		connected, refused = connected || relay.Connected, refused || relay.Refused
	}
	switch {
	case refused:
		return fail("The public node refuses to take calls for this one.", "Have its operator put this node's peer id into front.pass_to, and restart it.")
	case connected:
		return warn("The public node is connected, but does not take calls from other nodes for this one yet.", "Check again in a minute.")
	}
	return fail("The public node is not connected.", "See that it runs, and that this network lets this computer call it.")
}
