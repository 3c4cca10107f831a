package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

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
		return pass("The configuration has no problem.")
	}
	changed, err := r.Configuration()
	switch {
	case err != nil && r.Running: // with the one that it read before
		f := badConfiguration(err)
		return warn(strings.TrimSuffix(f.found, ".")+"; Anteroom goes on with the old one, and would not start again.", f.todo)
	case err != nil:
		return badConfiguration(err)
	case changed:
		return warn("The configuration was changed after Anteroom started, which goes on with the old one.", "Restart Anteroom.")
	}
	return pass("The configuration has no problem.")
}

// badConfiguration shows the first problem; "anteroom config check" shows all.
func badConfiguration(err error) finding {
	problems := strings.Split(err.Error(), "\n")
	found := "The configuration has a problem: " + sentence(problems[0])
	todo := `Correct it, and look at it with "anteroom config check".`
	if n := len(problems); n > 1 {
		found = fmt.Sprintf("The configuration has %d problems, of which the first is: %s", n, sentence(problems[0]))
		todo = `See all of them with "anteroom config check", and correct them.`
	}
	return fail(found, todo)
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
		return skip("The files of the records are for you alone; what is in them was not looked at.", "")
	case err == nil:
		return pass("The records can be read, are whole, and are for you alone.")
	case errors.Is(err, fs.ErrNotExist) && !r.Running:
		return skip("There are no records yet.", "")
	case late(err):
		return outOfTime
	case errors.Is(err, store.ErrDamaged):
		found := "The database with your records is damaged."
		if some {
			found = "The database with your records is damaged; " + sentence(unreadable.Error())
		}
		return fail(found, "Stop Anteroom, keep a copy of the whole data directory, and restore the last good backup as docs/operate.md says under “Backups”.")
	case some:
		return fail(fmt.Sprintf("%d of %d records cannot be opened; all others are as they were.", unreadable.Damaged, unreadable.All),
			`Find those in the diary with "anteroom appointment list --all": cancel them and make them again, or restore the last good backup as docs/operate.md says under “Backups”.`)
	}
	found, command, mend := strings.Cut(err.Error(), ": run ")
	if mend {
		return fail(sentence(found), "Run "+sentence(command))
	}
	return fail("The records cannot be read: "+sentence(found), "Look at the files in "+r.DataDir+", and at the disk that they are on.")
}

func (r *run) audit(ctx context.Context) finding {
	if earlier, ok := r.earlier["audit"]; ok {
		return earlier
	}
	if r.Audit == nil {
		return skip("The audit trail was not looked at.", "")
	}
	if err := store.CheckFiles(r.DataDir, r.KeyFile); err != nil {
		return skip("The audit trail was not looked at.", "")
	}
	err := r.Audit(ctx)
	bad, ok := errors.AsType[*store.TrailError](err)
	switch {
	case err == nil:
		return pass("The audit trail is as it was recorded.")
	case late(err):
		return outOfTime
	case ok:
		return fail("The audit trail is not as it was recorded: "+sentence(bad.Error()),
			"Keep a copy of the whole data directory as it is, find out who had access to it, and restore the last good backup as docs/operate.md says under “Backups”.")
	}
	return fail("The audit trail cannot be verified: "+sentence(err.Error()), "Look at what is said of the records.")
}

// identity looks at what others know this node by, and at whom it knows.
func (r *run) identity(context.Context) finding {
	if _, err := os.Stat(r.DataDir); errors.Is(err, fs.ErrNotExist) {
		return skip("There is no identity yet.", "")
	}
	if r.Identity != nil {
		if err := r.Identity(); err != nil {
			return fail("Other nodes would not recognise this one: "+sentence(err.Error()), "Do this before Anteroom is started again.")
		}
	}
	if r.KnownNodes != nil {
		if err := r.KnownNodes(); err != nil {
			return warn("Some other nodes may be forgotten: "+sentence(err.Error()), "Do this when you can; the others are not concerned.")
		}
	}
	return pass("Other nodes recognise this one, and it knows those that it was told of.")
}

func (r *run) disk(context.Context) finding {
	free, err := freeSpace(existing(r.DataDir))
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return skip("How much space is free cannot be seen on this system.", "")
	case err != nil:
		return warn("How much space is free cannot be seen: "+sentence(err.Error()), "Look at the disk that "+r.DataDir+" is on.")
	}
	return judgeSpace(free)
}

func judgeSpace(free uint64) finding {
	const todo = "Delete what is not needed from the disk that the data directory is on."
	switch {
	case free < fullDisk:
		return fail(fmt.Sprintf("The disk is full: %d MB are free, and appointments cannot be kept.", free>>20), todo)
	case free < lowDisk:
		return warn(fmt.Sprintf("The disk is nearly full: %d MB are free.", free>>20), todo)
	}
	return pass(fmt.Sprintf("%d MB are free for the records.", free>>20))
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
	switch list := byPurpose(r.Ports); {
	case list == "":
		return skip("No port is needed.", "")
	case r.Running:
		return pass("Anteroom listens " + list + ".")
	default:
		return pass("Nothing is in the way " + list + ".")
	}
}

// byPurpose writes what ports are for, once for each purpose and network.
func byPurpose(ports []Port) string {
	var purposes []string
	at := make(map[string][]string)
	for _, p := range ports {
		purpose := fmt.Sprintf("for %s at %%s (%s)", p.For, strings.ToUpper(p.Network))
		if len(at[purpose]) == 0 {
			purposes = append(purposes, purpose)
		}
		at[purpose] = append(at[purpose], p.Addr)
	}
	for i, purpose := range purposes {
		purposes[i] = fmt.Sprintf(purpose, listed(at[purpose]))
	}
	return listed(purposes)
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
	what := fmt.Sprintf("%s (%s), which %s needs, ", p.Addr, strings.ToUpper(p.Network), p.For)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fail("Address "+what+"is in use by another program.",
			`See with "ss -lntup" which one; stop it or change `+p.Key+", unless it is systemd that holds the port for Anteroom.")
	case errors.Is(err, syscall.EACCES):
		return fail("Address "+what+"is not for every program.",
			"Let systemd pass it as a socket, run setcap cap_net_bind_service=+ep on the program, or change "+p.Key+".")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fail("Address "+what+"is not one of this computer.", "Change "+p.Key+".")
	}
	return fail("Address "+what+"cannot be used: "+sentence(err.Error()), "Change "+p.Key+".")
}

// sentence makes one of the text of an error.
func sentence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// listed writes a, b and c.
func listed(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " and " + items[last]
}
