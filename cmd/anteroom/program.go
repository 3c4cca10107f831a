package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"anteroom/cmd/anteroom/exit"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"anteroom/cmd/anteroom/config"
	"anteroom/cmd/anteroom/control"
)

// usage is a failure to understand what was typed.
func usage(format string, args ...any) error {
	return exit.With(exit.Usage, fmt.Errorf(format, args...))
}

// A program is one run of anteroom: the parts of its surroundings that it may
// touch. stdout is for data, stderr for talk.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	terminal       bool // stderr is one
	interactive    bool // one of the three is
	attached       bool // it was started in one
	executable     func() (string, error)
	unknownKey     func(key string) // hears of each that is not in logKeys; nil except in tests
}

func newProgram() *program {
	isTerminal := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
	return &program{
		stdin:       os.Stdin,
		stdout:      os.Stdout,
		stderr:      os.Stderr,
		environ:     os.Environ(),
		terminal:    isTerminal(os.Stderr),
		interactive: slices.ContainsFunc([]*os.File{os.Stdin, os.Stdout, os.Stderr}, isTerminal),
		attached:    hasTerminal(),
		executable:  os.Executable,
	}
}

// run does what args say until it is done or ctx ends, and returns the exit
// code.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exit.OK
	}
	for line := range strings.SplitSeq(control.Said(err), "\n") {
		fmt.Fprintf(p.stderr, "anteroom: %s\n", line)
	}
	code := exit.Code(err)
	if code == exit.Usage {
		fmt.Fprintln(p.stderr, `Run "anteroom help" to see what there is.`)
	}
	return code
}

func (p *program) rootCommand() *cobra.Command {
	root := p.serveCommand("anteroom")
	root.Short = "Video consultations from browser to browser, from your own computer"
	root.Long = `Anteroom lets a practitioner see patients by video. It runs on the practice's
own computer; patients open a link in their browser; sound, picture and chat go
directly from browser to browser, and no company's server is in between.

Without a command it serves, as "anteroom serve" does.`
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(flagError)
	config.AddFileFlags(root.PersistentFlags())
	root.Version = newVersion().line()
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetHelpCommand(helpCommand())
	root.AddCommand(
		p.serveCommand("serve"),
		p.demoCommand(),
		p.openCommand(),
		p.statusCommand(),
		p.doctorCommand(),
		p.appointmentCommand(),
		p.linkCommand(),
		p.peerCommand(),
		p.configCommand(),
		p.acceptLossCommand(),
		p.versionCommand(),
		p.mediaCommand(),
	)
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			others := group(cmd.Name(), cmd.Short)
			cmd.Args, cmd.RunE = others.Args, func(*cobra.Command, []string) error { return others.RunE(cmd, nil) }
		}
	}
	return root
}

// helpCommand is cobra's, but to ask for help on what there is not is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return exit.With(exit.Usage, err)
			}
			if len(rest) > 0 {
				return noArgs(about, rest)
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		},
	}
}

// flagError says what is wrong with a flag in words that are not the parser's.
func flagError(_ *cobra.Command, err error) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		if _, ok := errors.AsType[*strconv.NumError](invalid.Unwrap()); ok {
			return usage("--%s must be a whole number", invalid.GetFlag().Name)
		}
	}
	return exit.With(exit.Usage, err)
}

// plan returns what cmd's flags, the environment and the file make together.
func (p *program) plan(cmd *cobra.Command) (config.Plan, error) {
	return config.Load(cmd.Flags(), p.environ)
}

// getenv returns a variable of the program's environment.
func (p *program) getenv(name string) string {
	for _, pair := range slices.Backward(p.environ) {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// group returns a command that only has others below it.
func group(name, short string) *cobra.Command {
	return &cobra.Command{
		Use:   name,
		Short: short,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var names []string
			for _, c := range cmd.Commands() {
				names = append(names, c.Name())
			}
			return usage("%s needs one of: %s", cmd.CommandPath(), strings.Join(names, ", "))
		},
	}
}

// noArgs refuses arguments. Of a command that has others below it, an argument
// is the name of one that does not exist.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasAvailableSubCommands() {
		return usage("%s takes no arguments", cmd.CommandPath())
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return usage("%s has no command %q%s", cmd.CommandPath(), args[0], config.DidYouMean(args[0], names))
}

// oneArg demands one argument; what names it.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("%s needs %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

// An outputFlag is how a command that reads something prints it.
type outputFlag struct{ json bool }

func (o *outputFlag) add(cmd *cobra.Command) {
	cmd.Flags().VarP(o, "output", "o", "text, or json for programs")
	if err := cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added one line above
	}
}

func (o *outputFlag) Type() string { return "format" }

func (o *outputFlag) String() string {
	if o.json {
		return "json"
	}
	return "text"
}

func (o *outputFlag) Set(s string) error {
	if s != "text" && s != "json" {
		return errors.New("must be text or json")
	}
	o.json = s == "json"
	return nil
}

// print writes v as JSON, or what text writes.
func (o *outputFlag) print(w io.Writer, v any, text func(w io.Writer) error) error {
	if o.json {
		return printJSON(w, v)
	}
	return text(w)
}

// printJSON writes v on one line.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// client returns a client for the daemon that cmd's flags mean.
func (p *program) client(cmd *cobra.Command) (*control.Client, error) {
	plan, err := p.plan(cmd)
	if err != nil {
		return nil, err
	}
	return control.NewClient(plan.Dir), nil
}
