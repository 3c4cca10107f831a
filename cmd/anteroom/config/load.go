package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"anteroom/cmd/anteroom/exit"
	"anteroom/node/store"
)

const (
	envPrefix = "ANTEROOM_"
	envConfig = envPrefix + "CONFIG" // names the file, as --config does

	// maxFile is far above any real configuration, in bytes.
	maxFile = 1 << 20
)

// envName returns the environment variable that sets the key at path.
func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// flagOf names the settings that have a flag as well.
var flagOf = map[string]string{
	"data_dir":        "data-dir",
	"log.level":       "log-level",
	"log.format":      "log-format",
	"http.listen":     "listen",
	"http.public_url": "public-url",
}

// AddFileFlags defines the flags that say which node is meant.
func AddFileFlags(flags *pflag.FlagSet) {
	flags.String("config", "", "configuration `file`"+ifKnown(" (default %s, if it exists)", defaultFile()))
	flags.Var(new(pathFlag), "data-dir", "data `directory`"+ifKnown(" (default %s)", usualDir()))
}

// ifKnown writes path into format, if there is one.
func ifKnown(format, path string) string {
	if path == "" {
		return ""
	}
	return fmt.Sprintf(format, path)
}

// AddServeFlags defines the flags that say what it does.
func AddServeFlags(flags *pflag.FlagSet) {
	d := Default()
	flags.String("log-level", d.Log.Level, "debug, info, warn or error")
	flags.String("log-format", d.Log.Format, "auto, text or json")
	flags.StringSlice("listen", d.HTTP.Listen, "loopback `host:port` of the page")
	flags.String("public-url", "", "https `origin` under which patients reach this node")
}

// A pathFlag is a path on the command line: relative to the working directory,
// unlike in a file, where nobody knows it.
type pathFlag string

func (p *pathFlag) String() string { return string(*p) }
func (p *pathFlag) Type() string   { return "string" }

func (p *pathFlag) Set(s string) error {
	abs, err := filepath.Abs(s)
	*p = pathFlag(abs)
	return err
}

// Load returns the plan that flags, environ ("NAME=value") and the file that
// either names make together. The error names every problem, one a line: first
// those of names and types, and once there are none, those of values.
func Load(flags *pflag.FlagSet, environ []string) (Plan, error) {
	env, envErr := environment(environ)
	name, content, err := readConfig(flags, env)
	if err != nil {
		return Plan{}, errors.Join(envErr, err)
	}
	cfg := Default()
	if err := errors.Join(envErr, checkYAML(name, content, &cfg)); err != nil {
		return Plan{}, err
	}

	if cfg, err = merge(name, content, env, flags); err != nil {
		return Plan{}, err
	}
	plan, found := cfg.plan()
	if err := errors.Join(found...); err != nil && len(found) == len(found.ofFlags(flags)) {
		return Plan{}, exit.With(exit.Usage, err)
	} else if err != nil {
		return Plan{}, err
	}
	return plan, nil
}

// ofFlags returns those problems that were typed on the command line.
func (p problems) ofFlags(flags *pflag.FlagSet) (typed problems) {
	for _, err := range p {
		one, ok := errors.AsType[problem](err)
		if !ok {
			continue
		}
		key, _, _ := strings.Cut(one.key, "[")
		if f := flags.Lookup(flagOf[key]); f != nil && f.Changed {
			typed = append(typed, err)
		}
	}
	return typed
}

// merge lays flags over env over the file's content over Default.
func merge(name string, content []byte, env map[string]string, flags *pflag.FlagSet) (Config, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(content)); err != nil {
		return Config{}, fmt.Errorf("read %s: %w", name, err)
	}
	cfg := Default()
	for _, s := range settings(&cfg) {
		v.SetDefault(s.path, s.value.Interface())
		if value, ok := env[s.env]; ok {
			v.Set(s.path, parseEnv(value, s.value.Type()))
		}
		if f := flags.Lookup(flagOf[s.path]); f != nil && f.Changed {
			v.Set(s.path, flagValue(f)) // above the environment
		}
	}
	cfg = Config{}
	if err := v.UnmarshalExact(&cfg, func(d *mapstructure.DecoderConfig) {
		d.TagName = "yaml"
		d.WeaklyTypedInput = false
	}); err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return cfg, nil
}

// flagValue returns what was given on the command line.
func flagValue(f *pflag.Flag) any {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.GetSlice()
	}
	return f.Value.String()
}

// environment returns the variables that begin with ANTEROOM_ and are not
// empty. One that sets nothing is an error: it is a typing mistake, and
// starting without what it meant to set may be unsafe.
func environment(environ []string) (map[string]string, error) {
	cfg := Default()
	kinds := map[string]reflect.Kind{envConfig: reflect.String}
	for _, s := range settings(&cfg) {
		kinds[s.env] = s.value.Kind()
	}
	env := make(map[string]string)
	var problems []error
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		switch kind, known := kinds[name]; {
		case !known:
			problems = append(problems, fmt.Errorf("environment variable %s: nothing is called that%s",
				name, DidYouMean(name, slices.Sorted(maps.Keys(kinds)))))
		case value == "":
		case kind == reflect.Bool && value != "true" && value != "false":
			problems = append(problems, fmt.Errorf("environment variable %s: must be true or false", name))
		case kind == reflect.Int && !isWhole(value):
			problems = append(problems, fmt.Errorf("environment variable %s: must be a whole number", name))
		default:
			env[name] = value
		}
	}
	return env, errors.Join(problems...)
}

func isWhole(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}

// parseEnv returns text, which environment has checked, as a value of type t.
func parseEnv(text string, t reflect.Type) any {
	switch t.Kind() {
	case reflect.Bool:
		return text == "true"
	case reflect.Int:
		n, _ := strconv.Atoi(text)
		return n
	case reflect.Slice:
		parts := strings.Split(text, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		return parts
	default:
		return text
	}
}

// readConfig returns the file's name and what is in it; nothing if no file is
// named and there is none at the default place.
func readConfig(flags *pflag.FlagSet, env map[string]string) (string, []byte, error) {
	name, named := env[envConfig], true
	if f := flags.Lookup("config"); f != nil && f.Changed {
		name = f.Value.String()
	} else if name == "" {
		if name, named = defaultFile(), false; name == "" {
			return "", nil, nil
		}
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() { // to open a pipe is to wait for its writer
		return "", nil, fmt.Errorf("%s is not a file", name)
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return name, nil, nil
	} else if errors.Is(err, fs.ErrPermission) {
		return "", nil, fmt.Errorf("%s cannot be read by this user: run this as the user that the node runs as, or with sudo", name)
	} else if err != nil {
		return "", nil, fmt.Errorf("open configuration: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", nil, fmt.Errorf("open configuration: %w", err)
	}
	if err := checkMode(name, info); err != nil {
		return "", nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(content) > maxFile {
		return "", nil, fmt.Errorf("%s is larger than 1 MiB: that is no configuration", name)
	}
	return name, content, nil
}

// checkMode refuses a file that others could have written, or can read: it
// says whom this practice talks to. The command that mends it leaves the owner
// and the group what they have, which may be how a service reads it.
func checkMode(name string, info fs.FileInfo) error {
	if runtime.GOOS == "windows" { // has no such modes
		return nil
	}
	mode := info.Mode().Perm()
	mend := fmt.Sprintf("run chmod %o %s", mode&^0o027, name)
	if store.Foreign(name) != nil {
		mend = fmt.Sprintf("run sudo chmod %o %s", mode&^0o027, name)
	}
	switch {
	case mode&0o022 != 0:
		return fmt.Errorf("%s can be written by others (mode %04o): %s", name, mode, mend)
	case mode&0o004 != 0:
		return fmt.Errorf("%s can be read by everybody (mode %04o): %s", name, mode, mend)
	}
	return nil
}
