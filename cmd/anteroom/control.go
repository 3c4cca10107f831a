package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"anteroom/discovery"
	"anteroom/discovery/contacts"
	"anteroom/httpui/certs"
	"anteroom/httpui/words"
	"anteroom/node"
	"anteroom/node/desk"
	"anteroom/node/desk/api"
	"anteroom/node/doctor"
	"anteroom/node/practice"
	"anteroom/rendezvous/wire"
)

// The command line talks to the daemon over a unix socket in the data
// directory: POST /<route> with one JSON value, answered by 200 and one JSON
// value or by a controlError. Whoever may open the socket owns the node, so
// there is no other lock on it: the directory has mode 0700, the socket 0600.

// socketPath returns where the daemon with this data directory is spoken to.
func socketPath(dataDir string) string { return filepath.Join(dataDir, "control.sock") }

// controlTime is the most that a command may take: publishing and look-ups are
// never waited for.
const controlTime = 30 * time.Second

// maxControl is the largest request or answer, in bytes.
const maxControl = 4 << 20

// control is the daemon's end of the socket.
type control struct {
	listener net.Listener
	server   http.Server
}

// newControl binds the socket. The caller holds the data directory's lock, so
// a socket that is there already was left behind.
func newControl(dataDir string, d *daemon) (*control, error) {
	path := socketPath(dataDir)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open control socket: %w", err), l.Close())
	}
	c := &control{listener: l}
	c.server = http.Server{
		Handler:           controlRoutes(d),
		ReadHeaderTimeout: controlTime,
		ReadTimeout:       controlTime,
		WriteTimeout:      2 * controlTime,
		IdleTimeout:       controlTime,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
	}
	return c, nil
}

// run serves until ctx ends.
func (c *control) run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- c.server.Serve(c.listener) }() // ends with Shutdown or Close
	select {
	case err := <-served:
		return fmt.Errorf("serve control socket: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if c.server.Shutdown(drain) != nil {
		c.server.Close()
	}
	<-served
	return nil
}

func (c *control) close() error { return c.listener.Close() }

// The values that travel. A type is used by one route unless it says otherwise.
type (
	nothing struct{} // many routes

	statusReply struct {
		Version  string      `json:"version"`
		URL      string      `json:"url"`
		Practice string      `json:"practice"` // empty before it is set up
		Links    string      `json:"links"`    // what links begin with
		Node     node.Status `json:"node"`

		Readiness   readinessReply `json:"readiness"`
		Clock       string         `json:"clock,omitempty"`       // what is the matter with it
		Certificate *certs.Status  `json:"certificate,omitempty"` // nil if this node has none
		Problems    []string       `json:"problems,omitempty"`    // that keep no call from working, in a sentence each
		Limits      []limitReply   `json:"limits"`
	}

	// limitReply says how full something is that has a limit.
	limitReply struct { // of status
		Name string `json:"name"` // the key of the configuration
		Used int    `json:"used"`
		Max  int    `json:"max"`
	}

	// readinessReply says whether patients can call: the doctor's newest report.
	readinessReply struct { // of status
		State   string     `json:"state"`             // "checking", "ready", "unconfirmed" (nobody looked from outside) or "not-ready"
		Text    string     `json:"text"`              // one sentence
		Todo    string     `json:"todo"`              // what to do; empty if ready
		Checked *time.Time `json:"checked,omitempty"` // nil while checking
	}

	// reportReply is what the doctor found, in English.
	reportReply struct { // of doctor
		Summary   string         `json:"summary"` // one sentence
		Ready     bool           `json:"ready"`   // no check failed
		Confirmed bool           `json:"confirmed"`
		Running   bool           `json:"running"`
		Checked   time.Time      `json:"checked"` // when it was complete
		Checks    []findingReply `json:"checks"`
	}
	findingReply struct {
		ID      string        `json:"id"`
		Title   string        `json:"title"`
		Status  doctor.Status `json:"status"`
		Finding string        `json:"finding"` // one sentence of what is so
		Todo    string        `json:"todo"`    // one sentence of what to do; empty if nothing
	}

	launchRequest struct {
		Practitioner string `json:"practitioner"` // name; empty: the only one there is
	}
	launchReply struct {
		URL string `json:"url"`
	}
	listRequest struct {
		All bool `json:"all"` // also those of days before today
	}
	idRequest struct { // of an appointment
		ID string `json:"id"`
	}
	memberRequest struct { // of a link
		Member wire.MemberID `json:"member"`
	}
	cardRequest struct {
		Name string `json:"name"` // empty: the practice's
	}
	cardReply struct {
		Card string `json:"card"`
	}
	addRequest struct {
		Card string `json:"card"`
	}
	peerReply struct { // add, and each of list
		PeerID    string   `json:"peer_id"`
		Name      string   `json:"name"`
		Addresses []string `json:"addresses"`
		Source    string   `json:"source"` // "config", "bootstrap" or "added"
		Connected bool     `json:"connected"`
	}
)

// controlRoutes returns what the daemon does for its owner.
func controlRoutes(d *daemon) http.Handler {
	mux := http.NewServeMux()
	route(mux, "status", func(ctx context.Context, _ nothing) (statusReply, error) { return d.status(ctx) })
	route(mux, "launch", func(ctx context.Context, q launchRequest) (launchReply, error) {
		url, err := d.launchURL(ctx, q.Practitioner)
		return launchReply{url}, err
	})
	operator := d.desk.As(desk.Operator)
	route(mux, "doctor", func(ctx context.Context, _ nothing) (reportReply, error) {
		report, err := operator.Look(ctx)
		return inEnglish(report), err
	})
	route(mux, "appointment/list", func(ctx context.Context, q listRequest) ([]api.Appointment, error) { return operator.List(ctx, q.All) })
	route(mux, "appointment/show", func(ctx context.Context, q idRequest) (api.Appointment, error) { return operator.Show(ctx, q.ID) })
	route(mux, "appointment/create", operator.CreateAppointment)
	route(mux, "appointment/cancel", func(ctx context.Context, q idRequest) (nothing, error) { return nothing{}, operator.Cancel(ctx, q.ID) })
	route(mux, "link/rotate", func(ctx context.Context, q memberRequest) (api.Link, error) { return operator.Rotate(ctx, q.Member) })
	route(mux, "link/revoke", func(ctx context.Context, q memberRequest) (nothing, error) {
		return nothing{}, operator.Revoke(ctx, q.Member)
	})
	route(mux, "peer/card", func(ctx context.Context, q cardRequest) (cardReply, error) {
		if q.Name != "" {
			card, err := d.discovery.Card(q.Name)
			return cardReply{card}, err
		}
		card, err := operator.Card(ctx)
		return cardReply{card}, err
	})
	route(mux, "peer/add", func(_ context.Context, q addRequest) (peerReply, error) { return addPeer(d.discovery, q.Card) })
	route(mux, "peer/list", func(context.Context, nothing) ([]peerReply, error) { return listPeers(d.discovery), nil })
	return mux
}

// route answers POST /name with what do makes of the request.
func route[Q, A any](mux *http.ServeMux, name string, do func(ctx context.Context, q Q) (A, error)) {
	mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), controlTime)
		defer cancel()
		q, err := decodeStrict[Q](r.Body)
		if err != nil {
			reply(w, http.StatusBadRequest, controlError{err.Error()})
			return
		}
		a, err := do(ctx, q)
		if err != nil {
			reply(w, http.StatusUnprocessableEntity, controlError{ownerText(err)})
			return
		}
		reply(w, http.StatusOK, a)
	})
}

// A controlError is why the daemon did not do something, in one sentence.
type controlError struct {
	Message string `json:"message"`
}

func (e controlError) Error() string { return e.Message }

// ownerText returns err for the owner of the node, who may know all of it.
func ownerText(err error) string { return said(desk.Readable(err)) }

// said is err on a terminal: what a page would say, in English, or else the
// error's own text.
func said(err error) string {
	if refusal, ok := errors.AsType[*api.Refusal](err); ok {
		return words.English.Say(refusal.Message)
	}
	if invalid, ok := errors.AsType[*practice.InvalidError](err); ok {
		return words.English.Say(invalid.Message)
	}
	return err.Error()
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the other end has gone: nobody is left to tell
}

// decodeStrict reads one JSON value without unknown fields from r, and nothing
// behind it.
func decodeStrict[T any](r io.Reader) (v T, err error) {
	dec := json.NewDecoder(io.LimitReader(r, maxControl))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fmt.Errorf("read message: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return v, errors.New("read message: something follows it")
	}
	return v, nil
}

func addPeer(d *discovery.Discovery, text string) (peerReply, error) {
	info, err := contacts.ParsePeer(text)
	if err != nil {
		return peerReply{}, err
	}
	if err := d.AddPeer(info); err != nil {
		return peerReply{}, err
	}
	for _, p := range listPeers(d) {
		if p.PeerID == info.ID.String() {
			return p, nil
		}
	}
	return peerReply{}, errors.New("the peer was added, and removed at the same time")
}

func listPeers(d *discovery.Discovery) []peerReply {
	list := []peerReply{}
	for _, p := range d.ListPeers() {
		r := peerReply{PeerID: p.ID.String(), Name: p.Name, Addresses: []string{}, Source: "config", Connected: p.Connected}
		for _, a := range p.Addrs {
			r.Addresses = append(r.Addresses, a.String())
		}
		switch {
		case p.Added:
			r.Source = "added"
		case p.Bootstrap:
			r.Source = "bootstrap"
		}
		list = append(list, r)
	}
	return list
}
