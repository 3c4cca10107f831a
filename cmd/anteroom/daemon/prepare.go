package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/control"
	"anteroom/cmd/anteroom/exit"
	"anteroom/discovery/identity"
	"anteroom/httpui/certs"
	"anteroom/node/doctor"
	"anteroom/node/store"
)

// Prepare reports what keeps a node from starting with plan, by what can be seen
// of this computer without making, changing, binding or contacting anything.
// The daemon, "config check" and the doctor all ask it.
func Prepare(plan config.Plan) error {
	place := checkPlace(plan)
	if place == nil { // or nothing in it can be seen
		place = checkIdentity(plan)
	}
	return errors.Join(place, checkKeyFile(plan), checkCertificate(plan))
}

// checkPlace looks at the data directory, or at where it would be made.
func checkPlace(plan config.Plan) error {
	dir := string(plan.Dir)
	if err := store.CheckDir(dir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	at := existing(dir)
	if info, err := os.Stat(at); err != nil || !info.IsDir() {
		return fmt.Errorf("data directory %s cannot be made, because %s is not a directory: set data_dir to another place", dir, at)
	}
	if writable(at) {
		return nil
	}
	if at == dir {
		return fmt.Errorf("data directory %s cannot be written to: see that the disk is not mounted read-only", dir)
	}
	return fmt.Errorf("data directory %s cannot be made by this user in %s: make it with sudo install -d -m 700 -o %s %[1]s, or set data_dir to another place", dir, at, userID())
}

// existing returns path, or the nearest above it that there is.
func existing(path string) string {
	for {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}

// checkKeyFile looks at the key of the records, if it is somewhere else.
func checkKeyFile(plan config.Plan) error {
	path := plan.KeyFile
	if path == "" {
		return nil // in the data directory, and the records say what is wrong with it
	}
	if info, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return fmt.Errorf("store.key_file: there is no directory %s: make it, mount what it is on, or write another path", filepath.Dir(path))
	}
	if err := store.CheckKey(path); err != nil {
		return fmt.Errorf("store.key_file: %w", err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !writable(filepath.Dir(path)) {
		return fmt.Errorf("store.key_file: there is no key yet, and this user cannot make one in %s: write another path, or let user %s write there for the first start", filepath.Dir(path), userID())
	}
	return nil
}

// checkIdentity refuses to go on as a stranger: without the key that a node had,
// every card of it that was given out is void.
func checkIdentity(plan config.Plan) error {
	path := plan.Dir.Identity()
	if err := store.Foreign(path); err != nil {
		return err
	}
	_, err := identity.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !isKnown(plan.Dir) {
			return nil // it is made on the first start
		}
		return fmt.Errorf("%s is missing, so that this node would be a stranger to all who have its card: put it back from a copy; if there is none, \"anteroom peer card --new-identity\" makes another, whose card you then hand to everybody again", path)
	}
	return err
}

// isKnown reports whether the data directory is of a node that had an identity.
func isKnown(dir config.Dir) bool {
	for _, path := range []string{dir.Records(), dir.Peers()} {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return true
		}
	}
	return false
}

// checkCertificate reads what patients' browsers are shown.
func checkCertificate(plan config.Plan) error {
	if plan.Entrance.Mode != config.TLSFiles {
		return nil
	}
	_, err := certs.New(plan.Entrance.Certificate)
	return err
}

// CheckPorts tries to bind what plan names, unless a daemon has it already.
func CheckPorts(ctx context.Context, plan config.Plan) error {
	_, err := control.Call[control.Status](ctx, control.NewClient(plan.Dir), "status", control.Nothing{})
	if exit.Code(err) != exit.NotRunning {
		return nil
	}
	var errs []error
	for _, port := range neededPorts(plan) {
		if name := passedAs[port.Key]; name != "" && hasSocketUnit(name) {
			continue
		}
		if err := doctor.CanBind(ctx, port); err != nil {
			errs = append(errs, cannotListen(port.Key, port.Addr, err))
		}
	}
	return errors.Join(errs...)
}

// passedAs is under which name systemd passes the sockets of a key.
var passedAs = map[string]string{"http.public_listen": SocketHTTPS, "http.redirect_listen": SocketHTTP}

// hasSocketUnit reports whether the unit of packaging/systemd that passes a
// socket of this name is installed.
func hasSocketUnit(name string) bool {
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"} {
		if _, err := os.Stat(filepath.Join(dir, "anteroom-"+name+".socket")); err == nil {
			return true
		}
	}
	return false
}
