package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"anteroom/cmd/anteroom/config/configtest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

const exampleFile = "../../../config.example.yaml"

func testFlags(t testing.TB, args ...string) *pflag.FlagSet {
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFileFlags(flags)
	AddServeFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

func TestExampleIsTheDefault(t *testing.T) {
	content, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Load(testFlags(t, "--config", configtest.Write(t, string(content))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got.told, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s is not the default (-default +file):\n%s", exampleFile, diff)
	}
}

func TestExampleExplainsEveryKey(t *testing.T) {
	content, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		t.Fatal(err)
	}
	explained := make(map[string]bool)
	var walk func(prefix string, m *yaml.Node)
	walk = func(prefix string, m *yaml.Node) {
		for i := 0; i < len(m.Content); i += 2 {
			key, value := m.Content[i], m.Content[i+1]
			explained[prefix+key.Value] = strings.HasPrefix(key.HeadComment, "# ")
			if value.Kind == yaml.MappingNode {
				walk(prefix+key.Value+".", value)
			}
		}
	}
	walk("", doc.Content[0])
	cfg := Default()
	w := yamlWalk{}
	w.each(reflect.ValueOf(&cfg).Elem(), "", func(path string) {
		if has, found := explained[path]; !found {
			t.Errorf("%s is missing", path)
		} else if !has {
			t.Errorf("%s has no comment above it", path)
		}
	})
}

func TestPrecedence(t *testing.T) {
	file := configtest.Write(t, "log: {level: warn, format: json}\nhttp: {listen: [\"localhost:1\"], public_url: \"https://file.example\"}\n")
	env := []string{
		"ANTEROOM_LOG_LEVEL=error", "ANTEROOM_HTTP_LISTEN=localhost:2, [::1]:3", "ANTEROOM_HTTP_PUBLIC_URL=",
		"ANTEROOM_DISCOVERY_SERVER=false", "HOME=/root",
	}
	got, err := Load(testFlags(t, "--config", file, "--log-level", "debug"), env)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Log = Log{Level: "debug", Format: "json"}        // flag, file
	want.HTTP.Listen = []string{"localhost:2", "[::1]:3"} // environment
	want.HTTP.PublicURL = "https://file.example"          // an empty variable sets nothing
	if diff := cmp.Diff(want, got.told, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestFileIsFoundByEnvironmentAndFlag(t *testing.T) {
	one, two := configtest.Write(t, "log: {level: warn}\n"), configtest.Write(t, "log: {level: error}\n")
	for _, c := range []struct {
		flags, env []string
		want       string
	}{
		{nil, []string{"ANTEROOM_CONFIG=" + one}, "warn"},
		{[]string{"--config", two}, []string{"ANTEROOM_CONFIG=" + one}, "error"},
	} {
		got, err := Load(testFlags(t, c.flags...), c.env)
		if err != nil || got.told.Log.Level != c.want {
			t.Errorf("%q %q: got level %q, %v, want %q", c.flags, c.env, got.told.Log.Level, err, c.want)
		}
	}
}

func TestRelativeDataDirectoryFlagMeansTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Load(testFlags(t, "--data-dir", "here"), nil)
	if want := filepath.Join(wd, "here"); err != nil || got.told.DataDir != want {
		t.Errorf("got %q, %v, want %q", got.told.DataDir, err, want)
	}
}

func TestEnvironmentTypingMistakesAreRefused(t *testing.T) {
	for _, c := range []struct{ pair, want string }{
		{"ANTEROOM_HTTP_LISTNE=x", "environment variable ANTEROOM_HTTP_LISTNE: nothing is called that, did you mean ANTEROOM_HTTP_LISTEN?"},
		{"ANTEROOM_LISTEN_ADDRESS=x", "environment variable ANTEROOM_LISTEN_ADDRESS: nothing is called that"},
		{"ANTEROOM_DATADIR=", "environment variable ANTEROOM_DATADIR: nothing is called that, did you mean ANTEROOM_DATA_DIR?"},
		{"ANTEROOM_DISCOVERY_SERVER=yes", "environment variable ANTEROOM_DISCOVERY_SERVER: must be true or false"},
		{"ANTEROOM_HTTP_LISTEN=a,,b", "http.listen[1]: is empty: fill it or remove it"},
	} {
		_, err := Load(testFlags(t), []string{c.pair})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", c.pair, err, c.want)
		}
	}
}

func TestFileModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Logf("%s has no file modes", runtime.GOOS)
		return
	}
	for _, c := range []struct {
		mode os.FileMode
		want string // empty: accepted
	}{
		{0o600, ""},
		{0o400, ""},
		{0o640, ""},
		{0o644, "can be read by everybody (mode 0644): run chmod 640 "},
		{0o660, "can be written by others (mode 0660): run chmod 640 "},
		{0o602, "can be written by others (mode 0602): run chmod 600 "},
		{0o666, "can be written by others (mode 0666): run chmod 640 "},
	} {
		file := configtest.Write(t, "")
		if err := os.Chmod(file, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(testFlags(t, "--config", file), nil)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want+file)) {
			t.Errorf("%04o: got %v, want %q", c.mode, err, c.want)
		}
	}
}

func TestFilesThatAreNoConfiguration(t *testing.T) {
	dir := t.TempDir()
	big := configtest.Write(t, strings.Repeat("#", maxFile+1))
	pipe := filepath.Join(dir, "pipe") // nobody writes to it
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, want string }{
		{filepath.Join(dir, "none.yaml"), "open configuration: open " + filepath.Join(dir, "none.yaml") + ": no such file"},
		{dir, "is not a file"},
		{pipe, "is not a file"},
		{big, "is larger than 1 MiB"},
	} {
		if _, err := Load(testFlags(t, "--config", c.file), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", c.file, err, c.want)
		}
	}
}

func TestDefaultIsValid(t *testing.T) {
	if _, err := Default().Plan(); err != nil {
		t.Error(err)
	}
}

// TestShownConfigurationCanBeReadAgain also proves that show forgets no key.
func TestShownConfigurationCanBeReadAgain(t *testing.T) {
	want := Default()
	want.Log.Level = "debug"
	want.Discovery.Listen = []string{"/ip4/0.0.0.0/tcp/7601"}
	want.Discovery.Server = true
	for _, format := range []string{"text", "json"} {
		var out strings.Builder
		if err := show(&out, format, want); err != nil {
			t.Fatal(err)
		}
		got, err := Load(testFlags(t, "--config", configtest.Write(t, out.String())), nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, out.String())
		}
		if diff := cmp.Diff(want, got.told, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s:\n%s", format, diff)
		}
	}
}

func ExampleConfig_Plan() {
	cfg := Default()
	cfg.HTTP.Listen = []string{"0.0.0.0:80"}
	cfg.Log.Level = "inof"
	_, err := cfg.Plan()
	fmt.Println(err)
	// Output:
	// log.level: must be one of debug, info, warn, error, did you mean info?
	// http.listen[0]: would serve every network of this computer without encryption: write localhost:80; patients come in through http.public_url with http.tls.mode, or practice.front_url
}
