package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is which packages of ours each package of ours may import, as
// ARCHITECTURE.md has it in words. Folders form a line; a package that is not here
// must be put here, and one that is gone taken out.
var mayImport = map[string][]string{
	"cmd/anteroom":         {"cmd/anteroom/config", "cmd/anteroom/control", "cmd/anteroom/daemon", "cmd/anteroom/exit", "cmd/anteroom/logs", "discovery/contacts", "node/desk/api", "node/doctor", "node/media", "node/practice", "rendezvous/wire"},
	"cmd/anteroom/config":  {"cmd/anteroom/exit", "discovery", "discovery/contacts", "httpui", "httpui/certs", "node", "node/find", "node/passthrough", "node/relay", "node/store"},
	"cmd/anteroom/control": {"cmd/anteroom/config", "cmd/anteroom/exit", "httpui/certs", "httpui/words", "node", "node/desk", "node/desk/api", "node/doctor", "node/practice", "node/store", "rendezvous/wire"},
	"cmd/anteroom/daemon":  {"cmd/anteroom/config", "cmd/anteroom/control", "cmd/anteroom/exit", "discovery", "discovery/contacts", "discovery/identity", "httpui", "httpui/certs", "httpui/words", "node", "node/admit", "node/desk", "node/desk/api", "node/doctor", "node/passthrough", "node/people", "node/practice", "node/quiet", "node/relay", "node/store", "rendezvous/wire"},
	"cmd/anteroom/exit":    {},
	"cmd/anteroom/logs":    {},

	"httpui":       {"httpui/words", "node/admit", "node/desk/api", "rendezvous/wire"},
	"httpui/certs": {},
	"httpui/words": {"node/desk/api"},

	"node":             {"discovery", "discovery/contacts", "node/find", "node/lend", "node/practice", "node/room", "node/stack", "rendezvous", "rendezvous/invite", "rendezvous/seal", "rendezvous/wire"},
	"node/admit":       {},
	"node/audit":       {"node/store", "rendezvous/wire"},
	"node/desk":        {"node", "node/desk/api", "node/doctor", "node/find", "node/people", "node/practice", "node/room", "rendezvous/wire"},
	"node/desk/api":    {"node/message", "rendezvous/wire"},
	"node/doctor":      {"discovery", "discovery/contacts", "node/message", "node/store", "rendezvous/invite"},
	"node/find":        {"discovery", "discovery/identity", "node/admit", "rendezvous/invite", "rendezvous/wire"},
	"node/lend":        {"discovery/identity", "rendezvous/wire"},
	"node/media":       {"rendezvous", "rendezvous/invite", "rendezvous/seal", "rendezvous/wire"},
	"node/message":     {},
	"node/passthrough": {"node/admit"},
	"node/people":      {"node/audit", "node/desk/api", "node/message", "node/store", "rendezvous/wire"},
	"node/practice":    {"node/audit", "node/message", "node/people", "node/store", "rendezvous/invite", "rendezvous/wire"},
	"node/quiet":       {},
	"node/relay":       {"node/admit", "node/quiet"},
	"node/room":        {"node/stack", "rendezvous/wire"},
	"node/stack":       {},
	"node/store":       {},

	"rendezvous":        {"rendezvous/invite", "rendezvous/wire"},
	"rendezvous/seal":   {"rendezvous/invite", "rendezvous/wire"},
	"rendezvous/invite": {"rendezvous/wire"},
	"rendezvous/wire":   {},

	"discovery":            {"discovery/address", "discovery/admission", "discovery/circuits", "discovery/contacts", "discovery/host", "discovery/limit", "discovery/reach", "discovery/records"}, // so no name and no invite can reach the DHT
	"discovery/admission":  {"discovery/address"},
	"discovery/address":    {},
	"discovery/atomicfile": {},
	"discovery/circuits":   {"discovery/address", "discovery/admission", "discovery/contacts", "discovery/host", "discovery/limit"},
	"discovery/contacts":   {"discovery/address", "discovery/atomicfile"},
	"discovery/host":       {"discovery/address", "discovery/admission", "discovery/identity", "discovery/limit"},
	"discovery/identity":   {"discovery/atomicfile"},
	"discovery/limit":      {},
	"discovery/reach":      {"discovery/address", "discovery/host"},
	"discovery/records":    {"discovery/address", "discovery/host", "discovery/limit"},
}

// onlyHere are packages of others and who may import them. A name that ends in
// a slash stands for everything below it.
var onlyHere = map[string][]string{
	"github.com/pion/":                    {"node/media", "node/relay"},
	"github.com/pion/webrtc/":             {"node/media"}, // two advisories without a fix: in a child process only
	"github.com/spf13/":                   {"cmd/anteroom", "cmd/anteroom/config"},
	"github.com/libp2p/go-libp2p":         {"discovery/admission", "discovery/host"}, // its types, below core, travel further
	"github.com/libp2p/go-libp2p/p2p/":    {"discovery", "discovery/admission", "discovery/circuits", "discovery/host", "discovery/reach"},
	"github.com/libp2p/go-libp2p-kad-dht": {"discovery/records"},
	"github.com/coder/websocket":          {"httpui", "node/media"},
	"github.com/mholt/acmez/v3":           {"httpui/certs"},
	"github.com/mholt/acmez/v3/":          {"httpui/certs"},
	"github.com/coreos/go-systemd/v22/":   {"cmd/anteroom", "cmd/anteroom/daemon"},
	"github.com/flynn/noise":              {"rendezvous/seal"},
	"golang.org/x/crypto/argon2":          {"node/people"},
	"modernc.org/sqlite":                  {"node/store"},
	"database/sql":                        {"node/audit", "node/people", "node/practice", "node/store"},
	"net/http":                            {"cmd/anteroom/control", "cmd/anteroom/daemon", "httpui", "httpui/certs", "node/doctor", "node/media"},
	"os/exec":                             {"cmd/anteroom", "node/media"},
	"os/signal":                           {"cmd/anteroom"},
	"net/http/pprof":                      {},
	"plugin":                              {},
	"unsafe":                              {"node/quiet"},
	"C":                                   {},
}

// listed is what "go list" says of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

const module = "anteroom/"

// listPackages returns every package of the program, and all that they need.
func listPackages(t *testing.T) map[string]listed {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps", "./...")
	cmd.Dir = "../.."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	all := make(map[string]listed)
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

func TestImportsRunOneWay(t *testing.T) {
	all := listPackages(t)
	found := make(map[string]bool)
	for path, p := range all {
		name, ours := strings.CutPrefix(path, module)
		if !ours || isTestSupport(name) {
			continue
		}
		found[name] = true
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s is not in mayImport: say there what it may import", name)
		}
		for _, imported := range p.Imports {
			if other, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s", name, other)
			}
		}
	}
	for name := range mayImport {
		if !found[name] {
			t.Errorf("%s has disappeared", name)
		}
	}
}

// TestDoorsReachTheNodeThroughTheDesk: what serves people and programs holds no
// rule of its own, so it has nothing of the node but the words of the desk, what
// those are made of, and what counts strangers by their networks, which has no
// imports: the page, the relay and public nodes take the same for one network.
func TestDoorsReachTheNodeThroughTheDesk(t *testing.T) {
	direct := []string{"node/admit", "node/desk/api"}
	below := append(direct, "node/message")
	for path, p := range listPackages(t) {
		name, ours := strings.CutPrefix(path, module)
		if !ours || isTestSupport(name) || name != "httpui" && !strings.HasPrefix(name, "httpui/") {
			continue
		}
		for _, imported := range p.Imports {
			if other, _ := strings.CutPrefix(imported, module); isNodes(other) && !slices.Contains(direct, other) {
				t.Errorf("%s imports %s", name, other)
			}
		}
		for _, dep := range p.Deps {
			if other, ours := strings.CutPrefix(dep, module); ours && isNodes(other) && !slices.Contains(below, other) {
				t.Errorf("%s needs %s", name, other)
			}
		}
	}
}

func isNodes(name string) bool { return name == "node" || strings.HasPrefix(name, "node/") }

// isTestSupport reports whether a package only helps tests of others. Nothing
// that ships imports one: it would not be in mayImport's lists.
func isTestSupport(name string) bool {
	last := name[strings.LastIndex(name, "/")+1:]
	return strings.HasSuffix(last, "test") || strings.Contains(name, "/internal/vectors") || strings.HasPrefix(name, "httpui/test/")
}

func TestOthersPackagesAreImportedWhereTheyBelong(t *testing.T) {
	all := listPackages(t)
	for path, p := range all {
		name, ours := strings.CutPrefix(path, module)
		if !ours || isTestSupport(name) {
			continue
		}
		for _, imported := range p.Imports {
			for what, who := range onlyHere {
				below := strings.HasSuffix(what, "/") && strings.HasPrefix(imported, what)
				if (imported == what || below) && !slices.Contains(who, name) {
					t.Errorf("%s imports %s, which is for %q", name, imported, who)
				}
			}
		}
	}
}

// TestWhatSomePackagesNeverReach looks at all that a package needs, however
// far away.
func TestWhatSomePackagesNeverReach(t *testing.T) {
	all := listPackages(t)
	for name, refused := range map[string]func(dep string) bool{
		// The vocabulary is the standard library's and ours.
		"rendezvous/wire": func(dep string) bool { return !all[dep].Standard },
		// A room has no way to reach anyone but through the Conns it is given.
		"node/room": func(dep string) bool {
			return dep == "net" || strings.HasPrefix(dep, "net/") ||
				!all[dep].Standard && !strings.HasPrefix(dep, module) && dep != "golang.org/x/time/rate"
		},
		// Opaque bytes only.
		"discovery": func(dep string) bool {
			return strings.HasPrefix(dep, module) && !strings.HasPrefix(dep, module+"discovery/")
		},
		// The pages ask the node through one interface.
		"httpui": func(dep string) bool {
			return strings.HasPrefix(dep, "github.com/libp2p/") || strings.HasPrefix(dep, "database/sql")
		},
	} {
		p, ok := all[module+name]
		if !ok {
			t.Errorf("%s has disappeared", name)
			continue
		}
		for _, dep := range p.Deps {
			if refused(dep) {
				t.Errorf("%s needs %s", name, dep)
			}
		}
	}
}
