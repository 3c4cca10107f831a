//go:build e2e

package daemon

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/daemon/daemontest"
	"anteroom/httpui/certs/certstest"
)

// recipes are the configurations in the guide, by name.
func recipes(t *testing.T) map[string]string {
	t.Helper()
	guide, err := os.ReadFile("../../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, m := range regexp.MustCompile("<!-- config: ([a-z-]+) -->\n```yaml\n((?s).*?)```").FindAllStringSubmatch(string(guide), -1) {
		found[m[1]] = m[2]
	}
	return found
}

// A kitchen takes recipes to this computer: they have another authority, other
// ports and directories of their own.
type kitchen struct {
	t            *testing.T
	https, plain net.Listener
	authority    *certstest.Pebble
}

// cook reads a recipe as it is written, but for the cards and ids that a user
// puts into it, in pairs.
func (k *kitchen) cook(recipe, dir string, ingredients ...string) config.Plan {
	k.t.Helper()
	recipe = strings.NewReplacer(ingredients...).Replace(recipe)
	file := filepath.Join(k.t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(recipe), 0o600); err != nil {
		k.t.Fatal(err)
	}
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.AddFileFlags(flags)
	config.AddServeFlags(flags)
	if err := flags.Parse([]string{"--config", file, "--data-dir", dir, "--listen", "localhost:0"}); err != nil {
		k.t.Fatal(err)
	}
	plan, err := config.Load(flags, []string{
		"ANTEROOM_HTTP_TLS_DIRECTORY=" + k.authority.Directory,
		"ANTEROOM_HTTP_TLS_CA_FILE=" + k.authority.CAFile,
		"ANTEROOM_DISCOVERY_LISTEN=/ip4/127.0.0.1/tcp/0",
		"ANTEROOM_DISCOVERY_ALLOW_PRIVATE_ADDRESSES=true",
		"ANTEROOM_RELAY_LISTEN=127.0.0.1:0",
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return plan
}

// sockets are those of ports 443 and 80, as systemd passes them to one daemon
// after the other.
func (k *kitchen) sockets() sockets {
	k.t.Helper()
	passed := sockets{}
	for name, l := range map[string]net.Listener{SocketHTTPS: k.https, SocketHTTP: k.plain} {
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			k.t.Fatal(err)
		}
		defer f.Close()
		same, err := net.FileListener(f)
		if err != nil {
			k.t.Fatal(err)
		}
		passed[name] = []net.Listener{same}
	}
	return passed
}

// taste visits the page of a daemon, once it has a certificate.
func (k *kitchen) taste(t *testing.T, d *watchedDaemon) {
	t.Helper()
	d.Await("certificate in use")
	page, leaf, err := visit(k.https.Addr(), d.plan.Public.Host, "/j", k.authority.Roots)
	if err != nil || !strings.HasPrefix(page, "<!DOCTYPE html>") {
		t.Errorf("%s: %.60q, %v", d.plan.Public, page, err)
		return
	}
	if s := d.entrance.certs.Status(); !leaf.NotAfter.Equal(s.NotAfter) || s.Reason != "" {
		t.Errorf("%s: served until %v; %+v", d.plan.Public, leaf.NotAfter, s)
	}
}

// TestRecipesWithACertificate: each configuration of the guide that asks an
// authority gets its certificate, and serves the page with it.
func TestRecipesWithACertificate(t *testing.T) {
	all := recipes(t)
	maps.DeleteFunc(all, func(_, recipe string) bool { return !strings.Contains(recipe, "mode: acme") })
	if got, want := slices.Sorted(maps.Keys(all)), []string{"address", "domain", "front", "pass-from", "pass-to"}; !slices.Equal(got, want) {
		t.Fatalf("the guide has %q, and the test %q", got, want)
	}
	k := &kitchen{t: t, https: daemontest.Listener(t), plain: daemontest.Listener(t)}
	k.authority = certstest.NewPebble(t, certstest.Port(t, k.plain), certstest.Port(t, k.https), certstest.Profiles{"shortlived": 6 * 24 * 3600})

	t.Run("domain", func(t *testing.T) {
		k.taste(t, watchDaemon(t, k.cook(all["domain"], t.TempDir()+"/d"), k.sockets()))
	})
	t.Run("address", func(t *testing.T) {
		plan := k.cook(all["address"], t.TempDir()+"/d")
		plan.Public.Host, plan.Entrance.Certificate.Name = "127.0.0.1", "127.0.0.1" // nobody issues for one that is not this computer's
		k.taste(t, watchDaemon(t, plan, k.sockets()))
	})
	t.Run("front", func(t *testing.T) {
		laptop := config.Default()
		laptop.DataDir = t.TempDir() + "/d"
		laptop.HTTP.Listen = []string{"localhost:0"}
		card := startDaemon(t, laptop, nil).card()
		k.taste(t, watchDaemon(t, k.cook(all["front"], t.TempDir()+"/d", "anteroom-peer:LAPTOP", card), k.sockets()))
	})
	t.Run("pass", func(t *testing.T) {
		dir := t.TempDir() + "/d"
		id := daemontest.Identity(t, config.Config{DataDir: dir}).String()
		server := watchDaemon(t, k.cook(all["pass-to"], t.TempDir()+"/d", "PEER-ID", id), k.sockets())
		laptop := watchDaemon(t, k.cook(all["pass-from"], dir, "anteroom-peer:SERVER", server.card()), nil)
		k.taste(t, server)
		k.taste(t, laptop)
	})
}
