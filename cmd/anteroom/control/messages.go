package control

import (
	"time"

	"anteroom/httpui/certs"
	"anteroom/node"
	"anteroom/node/doctor"
	"anteroom/rendezvous/wire"
)

// The values that travel. A type is used by one route unless it says otherwise.
type (
	Nothing struct{} // many routes

	Status struct {
		Version  string      `json:"version"`
		URL      string      `json:"url"`
		Practice string      `json:"practice"` // empty before it is set up
		Links    string      `json:"links"`    // what links begin with
		Node     node.Status `json:"node"`

		Readiness   Readiness     `json:"readiness"`
		Clock       string        `json:"clock,omitempty"`       // what is the matter with it
		Certificate *certs.Status `json:"certificate,omitempty"` // nil if this node has none
		Problems    []string      `json:"problems,omitempty"`    // that keep no call from working, in a sentence each
		Limits      []Limit       `json:"limits"`
	}

	// limitReply says how full something is that has a limit.
	Limit struct { // of status
		Name string `json:"name"` // the key of the configuration
		Used int    `json:"used"`
		Max  int    `json:"max"`
	}

	// readinessReply says whether patients can call: the doctor's newest report.
	Readiness struct { // of status
		State   string     `json:"state"`             // "checking", "ready", "unconfirmed" (nobody looked from outside) or "not-ready"
		Text    string     `json:"text"`              // one sentence
		Todo    string     `json:"todo"`              // what to do; empty if ready
		Checked *time.Time `json:"checked,omitempty"` // nil while checking
	}

	// reportReply is what the doctor found, in English.
	Report struct { // of doctor
		Summary   string    `json:"summary"` // one sentence
		Ready     bool      `json:"ready"`   // no check failed
		Confirmed bool      `json:"confirmed"`
		Running   bool      `json:"running"`
		Checked   time.Time `json:"checked"` // when it was complete
		Checks    []Finding `json:"checks"`
	}
	Finding struct {
		ID      string        `json:"id"`
		Title   string        `json:"title"`
		Status  doctor.Status `json:"status"`
		Finding string        `json:"finding"` // one sentence of what is so
		Todo    string        `json:"todo"`    // one sentence of what to do; empty if nothing
	}

	LaunchRequest struct {
		Practitioner string `json:"practitioner"` // name; empty: the only one there is
	}
	Launch struct {
		URL string `json:"url"`
	}
	ListRequest struct {
		All bool `json:"all"` // also those of days before today
	}
	IdRequest struct { // of an appointment
		ID string `json:"id"`
	}
	MemberRequest struct { // of a link
		Member wire.MemberID `json:"member"`
	}
	CardRequest struct {
		Name string `json:"name"` // empty: the practice's
	}
	Card struct {
		Card string `json:"card"`
	}
	AddRequest struct {
		Card string `json:"card"`
	}
	Peer struct { // add, and each of list
		PeerID    string   `json:"peer_id"`
		Name      string   `json:"name"`
		Addresses []string `json:"addresses"`
		Source    string   `json:"source"` // "config", "bootstrap" or "added"
		Connected bool     `json:"connected"`
	}
)
