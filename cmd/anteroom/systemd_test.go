package main

import (
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/daemon"
)

const unitDir = "../../packaging/systemd"

// A unit is what a file for systemd says, by "Section.Key".
type unit map[string][]string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(unitDir, name))
	if err != nil {
		t.Fatal(err)
	}
	u, section := unit{}, ""
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		case ok:
			u[section+"."+key] = append(u[section+"."+key], value)
		default:
			t.Errorf("%s: %q is no setting", name, line)
		}
	}
	return u
}

func (u unit) expect(t *testing.T, key string, want ...string) {
	t.Helper()
	if got := u[key]; !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", key, got, want)
	}
}

// TestSystemdUnits: what the units say is what the program understands.
func TestSystemdUnits(t *testing.T) {
	service := readUnit(t, "anteroom.service")
	for key, want := range map[string]string{
		"Type": "notify", "User": "anteroom", "StateDirectoryMode": "0700", "UMask": "0077", "LimitCORE": "0",
		"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "CapabilityBoundingSet": "", "Restart": "on-failure", "ExecReload": "/bin/kill -HUP $MAINPID",
	} {
		service.expect(t, "Service."+key, want)
	}
	p := newProgram()
	args := strings.Fields(service["Service.ExecStart"][0])
	cmd, rest, err := p.rootCommand().Find(args[1:])
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err != nil || cmd.Name() != "serve" || cmd.Flags().NArg() != 0 {
		t.Fatalf("%q: %s, %v", args, cmd.Name(), err)
	}
	service.expect(t, "Service.StateDirectory", strings.TrimPrefix(cmd.Flag("data-dir").Value.String(), "/var/lib/"))
	if file := cmd.Flag("config").Value.String(); file != "/etc/anteroom/config.yaml" {
		t.Errorf("the configuration is %s, and in the guide another", file)
	}

	listen := config.Default().HTTP
	for name, addrs := range map[string][]string{daemon.SocketHTTPS: listen.PublicListen, daemon.SocketHTTP: {listen.RedirectListen}} {
		socket := readUnit(t, "anteroom-"+name+".socket")
		var ports []string
		for _, addr := range addrs {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, port)
		}
		socket.expect(t, "Socket.ListenStream", ports...)
		socket.expect(t, "Socket.FileDescriptorName", name)
		socket.expect(t, "Socket.Service", "anteroom.service")
		socket.expect(t, "Install.WantedBy", "sockets.target")
	}

	guide, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"packaging/systemd", "anteroom-https.socket", "anteroom-http.socket", "anteroom.service", args[0], "/etc/anteroom/config.yaml"} {
		if !strings.Contains(string(guide), want) {
			t.Errorf("the guide does not mention %s", want)
		}
	}
}

// TestSystemdReadsTheUnits: it has nothing to complain of.
func TestSystemdReadsTheUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("systemd-analyze is missing: run tools/prepare")
		}
		t.Skip("no systemd here")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var files []string
	err = filepath.WalkDir(unitDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// The program need not be installed.
		text := strings.Replace(string(content), "/usr/local/bin/anteroom", strconv.Quote(self), 1)
		files = append(files, filepath.Join(dir, d.Name()))
		return os.WriteFile(files[len(files)-1], []byte(text), 0o600)
	})
	if err != nil || len(files) != 3 {
		t.Fatalf("%q, %v", files, err)
	}
	cmd := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, files...)...)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
