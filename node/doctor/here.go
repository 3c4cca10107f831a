package doctor

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"anteroom/node/message"
	"anteroom/node/store"
)

// With less than this free a disk will be full before somebody looks again, or
// the database cannot grow even by what closes a call.
const (
	lowDisk  = 200 << 20
	fullDisk = 20 << 20
)

func (r *run) configuration(context.Context) finding {
	if r.Configuration == nil {
		return pass(say("doctor.configuration.good"))
	}
	changed, err := r.Configuration()
	switch {
	case err != nil && r.Running: // with the one that it read before
		f := badConfiguration(err)
		f.status, f.found.Code = Warn, f.found.Code+"-now"
		return f
	case err != nil:
		return badConfiguration(err)
	case changed:
		return warn(say("doctor.configuration.changed"), say("doctor.restart"))
	}
	return pass(say("doctor.configuration.good"))
}

// badConfiguration shows the first problem; "anteroom config check" shows all.
func badConfiguration(err error) finding {
	problems := strings.Split(err.Error(), "\n")
	first := args{"problem": clause(problems[0]), "n": len(problems)}
	if len(problems) == 1 {
		return fail(say("doctor.configuration.bad", first), say("doctor.configuration.bad.todo"))
	}
	return fail(say("doctor.configuration.bad-many", first), say("doctor.configuration.bad-many.todo"))
}

func (r *run) store(ctx context.Context) finding {
	err := store.CheckFiles(r.DataDir, r.KeyFile)
	if earlier, ok := r.earlier["store"]; ok && err == nil {
		return earlier
	}
	if err == nil && r.Records != nil {
		err = r.Records(ctx)
	}
	unreadable, some := errors.AsType[*store.UnreadableError](err)
	switch {
	case err == nil && r.Records == nil:
		return skip(say("doctor.store.files"), none)
	case err == nil:
		return pass(say("doctor.store.good"))
	case errors.Is(err, fs.ErrNotExist) && !r.Running:
		return skip(say("doctor.store.none"), none)
	case late(err):
		return outOfTime
	case errors.Is(err, store.ErrDamaged):
		found := say("doctor.store.damaged")
		if some {
			found = say("doctor.store.damaged-some", args{"problem": clause(unreadable.Error())})
		}
		return fail(found, say("doctor.store.damaged.todo"))
	case some:
		return fail(say("doctor.store.unreadable", args{"n": unreadable.Damaged, "all": unreadable.All}),
			say("doctor.store.unreadable.todo"))
	}
	found, command, mend := strings.Cut(err.Error(), ": run ")
	if mend {
		return fail(say("doctor.store.file", args{"problem": clause(found)}), say("doctor.store.file.todo", args{"command": clause(command)}))
	}
	return fail(say("doctor.store.closed", args{"problem": clause(found)}), say("doctor.store.closed.todo", args{"path": r.DataDir}))
}

func (r *run) audit(ctx context.Context) finding {
	if earlier, ok := r.earlier["audit"]; ok {
		return earlier
	}
	if r.Audit == nil {
		return skip(say("doctor.audit.unseen"), none)
	}
	if err := store.CheckFiles(r.DataDir, r.KeyFile); err != nil {
		return skip(say("doctor.audit.unseen"), none)
	}
	err := r.Audit(ctx)
	bad, ok := errors.AsType[*store.TrailError](err)
	switch {
	case err == nil:
		return pass(say("doctor.audit.good"))
	case late(err):
		return outOfTime
	case ok:
		return fail(say("doctor.audit.bad", args{"problem": clause(bad.Error())}),
			say("doctor.audit.bad.todo"))
	}
	return fail(say("doctor.audit.unverified", args{"problem": clause(err.Error())}), say("doctor.audit.unverified.todo"))
}

// identity looks at what others know this node by, and at whom it knows.
func (r *run) identity(context.Context) finding {
	if _, err := os.Stat(r.DataDir); errors.Is(err, fs.ErrNotExist) {
		return skip(say("doctor.identity.none"), none)
	}
	if r.Identity != nil {
		if err := r.Identity(); err != nil {
			return fail(say("doctor.identity.bad", args{"problem": clause(err.Error())}), say("doctor.identity.bad.todo"))
		}
	}
	if r.KnownNodes != nil {
		if err := r.KnownNodes(); err != nil {
			return warn(say("doctor.identity.forgotten", args{"problem": clause(err.Error())}), say("doctor.identity.forgotten.todo"))
		}
	}
	return pass(say("doctor.identity.good"))
}

func (r *run) disk(context.Context) finding {
	free, err := freeSpace(existing(r.DataDir))
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return skip(say("doctor.disk.unseen"), none)
	case err != nil:
		return warn(say("doctor.disk.error", args{"problem": clause(err.Error())}), say("doctor.disk.error.todo", args{"path": r.DataDir}))
	}
	return judgeSpace(free)
}

func judgeSpace(free uint64) finding {
	todo, mb := say("doctor.disk.todo"), args{"mb": strconv.FormatUint(free>>20, 10)}
	switch {
	case free < fullDisk:
		return fail(say("doctor.disk.full", mb), todo)
	case free < lowDisk:
		return warn(say("doctor.disk.low", mb), todo)
	}
	return pass(say("doctor.disk.good", mb))
}

// existing returns path, or what is above it: before the first run there is no
// data directory yet.
func existing(path string) string {
	for {
		if _, err := filepath.EvalSymlinks(path); err == nil || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}

// ports says what is bound. A node that runs has bound all of them, or it
// would not.
func (r *run) ports(ctx context.Context) finding {
	for _, p := range r.Ports {
		if r.Running {
			break
		}
		if err := CanBind(ctx, p); err != nil {
			return cannotBind(p, err)
		}
	}
	switch list := (args{"purposes": byPurpose(r.Ports)}); {
	case len(r.Ports) == 0:
		return skip(say("doctor.ports.none"), none)
	case r.Running:
		return pass(say("doctor.ports.bound", list))
	default:
		return pass(say("doctor.ports.free", list))
	}
}

// byPurpose says what ports are for, once for each purpose and network.
func byPurpose(ports []Port) (purposes []message.Message) {
	type purpose struct{ what, network string }
	var order []purpose
	at := make(map[purpose][]string)
	for _, p := range ports {
		is := purpose{p.For, strings.ToUpper(p.Network)}
		if len(at[is]) == 0 {
			order = append(order, is)
		}
		at[is] = append(at[is], p.Addr)
	}
	for _, is := range order {
		purposes = append(purposes, say("doctor.ports.purpose", args{"for": is.what, "network": is.network, "addresses": at[is]}))
	}
	return purposes
}

// CanBind fails if nothing of ours could listen at p now.
func CanBind(ctx context.Context, p Port) error {
	var l net.ListenConfig
	if p.Network == "udp" {
		c, err := l.ListenPacket(ctx, p.Network, p.Addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
	c, err := l.Listen(ctx, p.Network, p.Addr)
	if err != nil {
		return err
	}
	return c.Close()
}

func cannotBind(p Port, err error) finding {
	is := args{"address": p.Addr, "network": strings.ToUpper(p.Network), "for": p.For, "key": p.Key, "problem": clause(err.Error())}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fail(say("doctor.ports.taken", is), say("doctor.ports.taken.todo", is))
	case errors.Is(err, syscall.EACCES):
		return fail(say("doctor.ports.forbidden", is), say("doctor.ports.forbidden.todo", is))
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fail(say("doctor.ports.elsewhere", is), say("doctor.ports.change", is))
	}
	return fail(say("doctor.ports.unusable", is), say("doctor.ports.change", is))
}

// clause makes the text of an error one that can stand in a sentence.
func clause(text string) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ".")
}
